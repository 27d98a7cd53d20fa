package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/spec"
)

// errNoAnswer is the cause of a limit's end.
type errNoAnswer time.Duration

func (e errNoAnswer) Error() string { return "no answer within " + spec.Duration(e).String() }

// within bounds a question. The end of the bound is errNoAnswer.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, errNoAnswer(limit))
}

// trouble is an error without the request's URL, or the limit that it comes from.
func trouble(ctx context.Context, err error) error {
	if late, ok := errors.AsType[errNoAnswer](context.Cause(ctx)); ok {
		return late
	}
	return promapi.Cause(err)
}

// jsonRequest is a request for JSON.
type jsonRequest struct {
	method, url string
	body        []byte
	client      *dial.Client
	limit       time.Duration // of one attempt
	most        int64         // bytes of an answer
	// written is told when the answer was, by the clock of who wrote it; zero where nobody says. It
	// may be nil.
	written *time.Time
}

// ask sends a request, and tries again on trouble on the way. It answers a body of JSON from an
// answer with status 200. Its error holds no URL; it may repeat what the other side says, and so
// the token.
func ask(ctx context.Context, a jsonRequest) ([]byte, error) {
	return promapi.Retry(ctx, func() ([]byte, error) { return askOnce(ctx, a) })
}

func askOnce(ctx context.Context, a jsonRequest) ([]byte, error) {
	ctx, cancel := within(ctx, a.limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, a.method, a.url, bytes.NewReader(a.body))
	if err != nil {
		return nil, promapi.Refusal("its URL cannot be asked")
	}
	req.Header.Set("User-Agent", "sluice")
	req.Header.Set("Accept", "application/json")
	if a.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.client.Do(req)
	if err != nil {
		return nil, trouble(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := unusable(res, a.client); err != nil {
		return nil, err
	}
	if a.written != nil {
		*a.written, _ = promapi.DateOf(res.Header)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, a.most+1))
	switch {
	case err != nil:
		return nil, trouble(ctx, err)
	case int64(len(data)) > a.most:
		return nil, promapi.Refusal(fmt.Sprintf("it answered more than %d KiB", a.most>>10))
	}
	return data, nil
}

// unusable says what is wrong with an answer, before its body is read. One that is a refusal does
// not change by asking again.
func unusable(res *http.Response, client *dial.Client) error {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	code := res.StatusCode
	answered := strings.TrimSpace(fmt.Sprintf("it answered %d %s", code, http.StatusText(code)))
	switch {
	case code/100 == 3:
		return promapi.Refusal(answered + ", and redirects are not followed: write the address that it leads to")
	case code/100 == 5, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return errors.New(answered)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return promapi.Denied(answered)
	case code != http.StatusOK:
		return promapi.Refusal(answered)
	case kind != "application/json" && !strings.HasSuffix(kind, "+json"):
		return promapi.Refusal(fmt.Sprintf("it answered %q, not JSON", said(res.Header.Get("Content-Type"), 60, client)))
	}
	return nil
}
