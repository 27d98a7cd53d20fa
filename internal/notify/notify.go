// Package notify tells a receiver outside what happens to a rollout.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/spec"
)

// Event is the body of a notification.
type Event struct {
	// Event is one of spec.NotifyEvents.
	Event   string `json:"event"`
	Unit    string `json:"unit"`
	Release string `json:"release"`
	Stage   string `json:"stage,omitempty"`
	// Why is the rollout's own word on it.
	Why string `json:"why"`
	// By is who started the rollout.
	By         string    `json:"by"`
	WorkflowID string    `json:"workflowId"`
	RunID      string    `json:"runId"`
	At         time.Time `json:"at"`
	// Targets is the size of the fleet, Exposed how many run the release.
	Targets int `json:"targets"`
	Exposed int `json:"exposed"`
	// NotReverted are targets that are not known to be back, at most 20.
	NotReverted []string `json:"notReverted,omitempty"`
	// Text is one line for a chat.
	Text string `json:"text"`
}

// maxQuoted bounds what an error repeats, in bytes.
const maxQuoted = 500

// timeout bounds one attempt.
const timeout = 10 * time.Second

// ErrRefused is matched by an error that sending again cannot mend.
var ErrRefused = errors.New("notification refused")

// Send posts an event once. The URL and the token are in no error.
func Send(ctx context.Context, n spec.Notify, e Event, via http.RoundTripper) error {
	to, err := resolve(n)
	if err != nil {
		return err
	}
	e.At = e.At.UTC().Truncate(time.Second) // not every receiver reads fractions
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.Reveal(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: notify.webhook is not a URL", ErrRefused)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sluice")
	client := n.Client(via)
	res, err := client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the URL
		}
		return fmt.Errorf("notify %s: %s", req.URL.Hostname(), redact(client.Redact(err.Error()), to, req.URL))
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	return answered(req.URL.Hostname(), res.StatusCode)
}

// redact takes out of a text what is secret of a URL or beside it: a receiver that speaks no HTTP
// is quoted in the error.
func redact(text string, to secret.Secret, u *url.URL) string {
	text = to.Redact(text)
	password, _ := u.User.Password()
	for _, part := range []string{u.RequestURI(), u.Path, u.RawQuery, password, u.User.Username()} {
		if len(part) > 1 { // a path of "/" is no secret
			text = secret.New(part).Redact(text)
		}
	}
	return strings.ToValidUTF8(text[:min(len(text), maxQuoted)], "")
}

// answered says what a status means.
func answered(host string, status int) error {
	err := fmt.Errorf("notify %s: it answered %d %s", host, status, http.StatusText(status))
	switch {
	case status/100 == 2:
		return nil
	case status/100 == 3:
		return fmt.Errorf("%w: %w, and redirects are not followed", ErrRefused, err)
	case status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// resolve looks up where to. A missing secret may be there later.
func resolve(n spec.Notify) (secret.Secret, error) {
	if secret.Check(n.Webhook) != nil {
		return secret.New(n.Webhook), nil //nolint:nilerr // no reference, but the URL itself
	}
	to, err := secret.Resolve(n.Webhook)
	if err != nil {
		return to, fmt.Errorf("notify.webhook: %w", err)
	}
	return to, nil
}
