package driver

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// answer is a target's response, with the request it belongs to.
type answer struct {
	request *http.Request
	status  int
	body    []byte
	header  http.Header
	token   secret.Secret
}

// ErrAnswer is matched by an error of a target that has answered something else than it should.
var ErrAnswer = errors.New("an answer that is none")

// answered is an error that matches ErrAnswer.
type answered struct{ error }

func (answered) Is(target error) bool { return target == ErrAnswer }

func (a answered) Unwrap() error { return a.error }

// failure tells what came back, without the token even if the target repeats it.
func (a answer) failure(why string) error {
	body := terminal.OneLine(a.token.Redact(string(a.body)), maxQuoted/4)
	if body == "" {
		body = "no body"
	}
	return answered{fmt.Errorf("%s %s: status %d, %s: %s", a.request.Method, a.request.URL, a.status, a.token.Redact(why), body)}
}

// call is one request to a target.
type call struct {
	method, unit string
	// below is a path behind the driver's URL; empty for that itself.
	below string
	// query is what follows it; empty for none.
	query string
	// order is what is ordered; nil for a question, and where there is a body.
	order *Order
	// body is what is sent in place of an order, with its size in bytes.
	body io.Reader
	size int64
	// signatures are those of the bundle that is the body.
	signatures [][]byte
	// timeout bounds the request; zero is the driver's own.
	timeout time.Duration
}

// do sends one request.
func (h httpDriver) do(ctx context.Context, t fleet.Target, c call) (answer, error) {
	_, where, err := tmpl.FillURL(h.settings.URL, tmpl.ForTarget(t.ID, t.Address, t.Labels).With(tmpl.Unit, c.unit))
	if err != nil {
		return answer{}, refused(fmt.Errorf("driver.%s.url: %w", h.name, err))
	}
	if c.below != "" {
		where = where.JoinPath(c.below)
	}
	if c.query != "" {
		where.RawQuery = c.query
	}
	var a answer
	if h.settings.Token != "" {
		if a.token, err = secret.Resolve(h.settings.Token); err != nil {
			return answer{}, fmt.Errorf("driver.%s.token: %w", h.name, err)
		}
	}
	via, err := dial.With(h.via, h.settings.TLS)
	if err != nil {
		return answer{}, fmt.Errorf("driver.%s.%w", h.name, err)
	}
	timeout := cmp.Or(c.timeout, h.settings.Timeout.Std())
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if a.request, err = newRequest(limited, where, t, c, a.token); err == nil {
		var resp *http.Response
		if resp, err = via.RoundTrip(a.request); err == nil {
			a.status, a.header = resp.StatusCode, resp.Header
			a.body, err = readBounded(resp)
		}
	}
	switch {
	case err == nil:
		return a, nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case limited.Err() != nil:
		err = fmt.Errorf("no answer within %s", spec.Duration(timeout))
	default:
		err = h.trouble(a, err)
	}
	err = fmt.Errorf("%s %s: %w", c.method, where, err)
	if _, ok := errors.AsType[*dial.RefusedError](err); ok {
		return answer{}, refused(err)
	}
	return answer{}, err
}

// trouble words why there is no answer. What is not HTTP is repeated in the error, however long and
// with whatever it holds.
func (h httpDriver) trouble(a answer, err error) error {
	if _, ok := errors.AsType[*dial.RefusedError](err); ok {
		return err
	}
	if text := dial.Certificate(err, "driver."+h.name+".tls", h.settings.TLS); text != "" {
		return errors.New(terminal.OneLine(a.token.Redact(text), maxQuoted/4))
	}
	if text := err.Error(); a.token.Shows(text) || len(text) > maxQuoted {
		return errors.New(terminal.OneLine(a.token.Redact(text), maxQuoted/4))
	}
	return err
}

// Values of headers that every request has, shared by all: a transport changes none.
var (
	userAgent = []string{"sluice"}
	isJSON    = []string{"application/json"}
	isBundle  = []string{bundle.MediaType}
	isBack    = []string{"true"}
)

func newRequest(ctx context.Context, where *url.URL, t fleet.Target, c call, token secret.Secret) (*http.Request, error) {
	body := c.body
	if c.order != nil {
		data, err := json.Marshal(struct {
			Release string `json:"release"`
		}{c.order.Release})
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, "", body) // the URL has been parsed
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = where, where.Host
	req.Header["User-Agent"], req.Header["Accept"] = userAgent, isJSON
	switch {
	case c.order != nil:
		req.Header["Content-Type"] = isJSON
		req.Header[FenceHeader] = []string{strconv.FormatInt(c.order.Fence, 10)}
		if c.order.Back {
			req.Header[BackHeader] = isBack
		}
	case c.body != nil:
		req.Header["Content-Type"], req.ContentLength = isBundle, c.size
		for _, one := range c.signatures {
			req.Header.Add(signature.Header, base64.StdEncoding.EncodeToString(one))
		}
	}
	req.Header[TargetHeader] = []string{url.PathEscape(t.ID)}
	return req, token.Bearer(req.Header)
}

// readBounded reads the body of an answer. That of a 101 is the connection itself, which no timeout
// of the request ends.
func readBounded(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, errors.New("it answered 101 Switching Protocols, which nobody asked for")
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxAnswer {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return data, nil
}

// parseState reads a state strictly: release and alive must be there, and nothing may follow. A
// token that it repeats is taken out.
func parseState(data []byte, token secret.Secret) (State, self, error) {
	var wire struct {
		Release *string `json:"release"`
		Fence   int64   `json:"fence"`
		Alive   *bool   `json:"alive"`
		Detail  string  `json:"detail"`
		ID      string  `json:"id"`
		Unit    string  `json:"unit"`
		State   any     `json:"state"` // of agents; others may mean anything by it
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return State{}, self{}, fmt.Errorf("not the JSON of a state (%w)", err)
	}
	switch {
	case wire.Release == nil:
		return State{}, self{}, errors.New(`the state has no "release"`)
	case wire.Alive == nil:
		return State{}, self{}, errors.New(`the state has no "alive"`)
	case wire.Fence < 0:
		return State{}, self{}, fmt.Errorf("the fence %d is negative", wire.Fence)
	case token.Shows(*wire.Release):
		return State{}, self{}, errors.New("the release that it names holds the token")
	}
	if err := checkRelease(*wire.Release); err != nil {
		return State{}, self{}, err
	}
	detail := terminal.OneLine(token.Redact(wire.Detail), maxQuoted/4)
	return State{Release: *wire.Release, Fence: wire.Fence, Alive: *wire.Alive, Detail: detail, Refused: wire.State == "refused"},
		self{token.Redact(wire.ID), token.Redact(wire.Unit)}, nil
}
