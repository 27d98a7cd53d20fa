package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/terminal"
)

// ErrTrouble is matched by errors that trying again later may mend: nobody answers, a connection
// breaks off, the registry has trouble of its own.
var ErrTrouble = errors.New("the registry has trouble")

// worded is an error with words of its own that says of which kind it is.
type worded struct {
	words string
	is    error
}

// Error is the words.
func (w *worded) Error() string { return w.words }

// Unwrap is what kind of error it is.
func (w *worded) Unwrap() error { return w.is }

// query is that of a URL in a text: where a registry sends to storage, it has a signature in it.
var query = regexp.MustCompile(`\?[^\s"]+`)

// mostWords bounds how much of a registry's own words is repeated, in bytes.
const mostWords = 300

// explain words an error of a request: which registry, what it was asked, and what to do. It
// repeats no secret.
func (s *remoteSide) explain(what string, err error) error {
	if err == nil || errors.Is(err, bundle.ErrInvalid) {
		return err
	}
	text, kind := words(err)
	text = terminal.OneLine(query.ReplaceAllString(s.sent.redact(text), ""), mostWords)
	text = fmt.Sprintf("registry %s, %s: %s", s.at.Registry, what, text)
	if errors.Is(kind, errUnknown) {
		text += fmt.Sprintf(". Log in with docker login %s, or give --registry-user and --registry-password; "+
			"is the repository %s right, and may you use it?", s.at.Registry, s.at.Repository)
	}
	if errors.Is(kind, errAbsent) {
		text += fmt.Sprintf(". Is the repository %s right, and was it pushed there?", s.at.Repository)
	}
	return &worded{words: text, is: kind}
}

var (
	errUnknown = errors.New("not allowed")
	errAbsent  = errors.New("not there")
)

// words says what an error means, and of which kind it is, if of any.
func words(err error) (string, error) {
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		return answered(answer)
	}
	wrong, isURL := errors.AsType[*url.Error](err)
	_, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return "it does not have it", errAbsent
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return "it wants to know who asks", errUnknown
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time; try again", ErrTrouble
	case errors.Is(err, context.Canceled):
		return "stopped", context.Canceled
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "it speaks plain HTTP, where HTTPS is expected; --plain-http allows that", bundle.ErrInvalid
	case strings.Contains(err.Error(), "certificate"):
		return fmt.Sprintf("%v; SSL_CERT_FILE names a CA of your own", inner(wrong, err)), bundle.ErrInvalid
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection broke off half-way; try again", ErrTrouble
	case isURL || isNet:
		return fmt.Sprintf("%v; is it up, and can it be reached from here?", inner(wrong, err)), ErrTrouble
	}
	return err.Error(), bundle.ErrInvalid
}

// inner is the cause of a request that failed, without its URL.
func inner(wrong *url.Error, err error) error {
	if wrong != nil {
		return wrong.Err
	}
	return err
}

// answered words an answer that says no.
func answered(a *errcode.ErrorResponse) (string, error) {
	text := fmt.Sprintf("it answers %d", a.StatusCode)
	if len(a.Errors) > 0 {
		text += " (" + a.Errors[0].Code + " " + a.Errors[0].Message + ")"
	} else if status := http.StatusText(a.StatusCode); status != "" {
		text += " (" + strings.ToLower(status) + ")"
	}
	switch code := a.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return text, errUnknown
	case code == http.StatusNotFound:
		return text, errAbsent
	case code == http.StatusTooManyRequests || code >= http.StatusInternalServerError:
		return text + "; try again later", ErrTrouble
	}
	return text, bundle.ErrInvalid
}
