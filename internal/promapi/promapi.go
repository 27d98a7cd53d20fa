// Package promapi reaches Prometheus-compatible APIs, and refuses what is no answer of one.
package promapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/terminal"
)

// Client asks one API. It is safe for concurrent use.
type Client struct {
	promv1.API
	// Host names it in messages: the URL may hold more.
	Host string

	raw api.Client
}

// New readies a Client for the API at a base URL, through a transport, of which nil is the default
// one. An answer may have at most so many bytes. No redirect is followed. Nothing is asked yet.
func New(base string, via http.RoundTripper, most int) (Client, error) {
	if via == nil {
		via = http.DefaultTransport
	}
	client := &http.Client{Transport: capped{via, most}, CheckRedirect: NoRedirect}
	c, err := api.NewClient(api.Config{Address: base, Client: client})
	if err != nil {
		return Client{}, Cause(err)
	}
	host := c.URL("", nil).Host
	if host == "" {
		return Client{}, errors.New("expected the base URL of a Prometheus API, such as http://prometheus:9090")
	}
	return Client{API: promv1.NewAPI(c), Host: host, raw: c}, nil
}

// NoRedirect follows none: it would carry what is asked, and a token, somewhere else.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Cause is an error without the request's URL, which may hold what nobody should read.
func Cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// Final says whether asking again would end the same.
func Final(err error) bool {
	if _, ok := errors.AsType[Refusal](err); ok {
		return true
	}
	if _, ok := errors.AsType[Denied](err); ok {
		return true
	}
	e, ok := errors.AsType[*promv1.Error](err)
	return ok && (e.Type == promv1.ErrBadData || e.Type == promv1.ErrExec)
}

// How often a question is asked: so many attempts, with a pause before the second that doubles
// after. Who asks to be left alone for longer than patience is.
const (
	attempts   = 3
	firstPause = 250 * time.Millisecond
	patience   = 10 * time.Second
)

// Retry asks again on trouble on the way, up to three times, and answers the last answer.
func Retry[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	wait := firstPause
	for n := 1; ; n++ {
		out, err := ask()
		busy, ok := errors.AsType[Busy](err)
		if err == nil || ok && time.Duration(busy) > patience || Final(err) || n == attempts || pause.For(ctx, wait) != nil {
			return out, err
		}
		wait *= 2
	}
}

// Refusal is an answer that asking again does not change.
type Refusal string

// Error says what was answered.
func (r Refusal) Error() string { return string(r) }

// Denied is a Refusal of who asks: the server wants to know who that is, or lets it ask nothing.
type Denied string

// Error says what was answered.
func (d Denied) Error() string { return string(d) }

// Busy is an answer that asks to be left alone for so long.
type Busy time.Duration

// Error says for how long.
func (b Busy) Error() string {
	return fmt.Sprintf(
		"it answered %d %s, and asks to be left alone for %s", http.StatusTooManyRequests, http.StatusText(http.StatusTooManyRequests),
		time.Duration(b),
	)
}

// capped refuses what is no answer of a Prometheus API, and bounds the rest.
type capped struct {
	next http.RoundTripper
	most int
}

// RoundTrip asks the next transport. VictoriaMetrics answers as of 30 seconds ago, or from what it
// has answered before, unless it is told not to.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(path.Base(r.URL.Path), "query") {
		r = r.Clone(r.Context())
		q := r.URL.Query()
		q.Set("nocache", "1")
		r.URL.RawQuery = q.Encode()
	}
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := refused(res); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	body := &cappedBody{res.Body, c.most, c.most}
	if res.Body = body; res.StatusCode/100 != 2 {
		return res, nil
	}
	data, err := io.ReadAll(body)
	_ = body.Close()
	if err == nil {
		err = partial(data)
	}
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(data))
	return res, nil
}

// partial says so when an answer says that it is not all there is: VictoriaMetrics by isPartial,
// Thanos, Mimir and Prometheus by warnings. Those about the query itself are no such warnings.
func partial(data []byte) error {
	var said struct {
		IsPartial bool     `json:"isPartial"`
		Warnings  []string `json:"warnings"`
	}
	if json.Unmarshal(data, &said) != nil { // which the API's client words
		return nil //nolint:nilerr // as above
	}
	for _, w := range said.Warnings {
		if !strings.HasPrefix(w, "PromQL ") {
			return fmt.Errorf("its answer is partial: %s", terminal.OneLine(w, 120))
		}
	}
	if said.IsPartial {
		return errors.New("its answer is partial (isPartial)")
	}
	return nil
}

// refused says what is wrong with an answer that asking again does not change. It lets pass what
// the API's client reads itself (errors in JSON, a refused method) and what may go by (too many
// requests, a timeout, trouble inside the server).
func refused(res *http.Response) error {
	kind := res.Header.Get("Content-Type")
	switch code := res.StatusCode; {
	case code == http.StatusSwitchingProtocols: // its body is the connection, which does not end
		return Refusal("it answered 101 " + http.StatusText(code) + ", which nobody asked for")
	case code/100 == 2 && !strings.HasPrefix(kind, "application/json"):
		return Refusal(fmt.Sprintf("it answered %q, not JSON: is this the address of a Prometheus API?", terminal.OneLine(kind, 60)))
	case code/100 == 3:
		return Refusal("it answered " + http.StatusText(code) + ", and redirects are not followed: write the address that it leads to")
	case code == http.StatusTooManyRequests && busy(res.Header) > 0:
		return Busy(busy(res.Header))
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return Denied(fmt.Sprintf(
			"it answered %d %s, expected token, basicAuth, header or tls beside its URL, with what it asks of this worker",
			code, http.StatusText(code),
		))
	case code == http.StatusNotFound:
		return Refusal(fmt.Sprintf("it answered %d %s: is this the address of a Prometheus API?", code, http.StatusText(code)))
	}
	return nil
}

// busy is how long an answer asks not to be asked again; 0 if it does not say.
func busy(h http.Header) time.Duration {
	s, err := strconv.ParseUint(h.Get("Retry-After"), 10, 20)
	if err != nil {
		return 0
	}
	return time.Duration(s) * time.Second
}

// cappedBody ends with an error when more is answered than is accepted.
type cappedBody struct {
	io.ReadCloser
	left, most int
}

// Read refuses more than is left.
func (b *cappedBody) Read(p []byte) (int, error) {
	// One byte more than is accepted tells an end from a cut.
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, Refusal(fmt.Sprintf("it answered more than %d MiB", b.most>>20))
	}
	return n, err
}
