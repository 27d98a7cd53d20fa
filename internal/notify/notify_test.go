package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/spec"
)

func TestSend(t *testing.T) {
	var got Event
	var header http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	t.Setenv("HOOK", s.URL+"/services/hunter2")
	t.Setenv("HOOK_TOKEN", "hunter3")
	want := Event{
		Event: "locked", Unit: "edge", Release: "2", Why: "a \"reason\"",
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), NotReverted: []string{"t1"},
	}
	for _, to := range []string{s.URL, "${env:HOOK}"} {
		got = Event{}
		sent := want
		sent.At = sent.At.Add(678 * time.Millisecond) // times are in seconds
		require.NoError(t, Send(t.Context(), spec.Notify{Webhook: to, Access: dial.Access{Token: "${env:HOOK_TOKEN}"}}, sent, dial.Guard{}.Transport()))
		require.Equal(t, want, got)
		require.Equal(t, "Bearer hunter3", header.Get("Authorization"))
		require.Equal(t, "application/json", header.Get("Content-Type"))
	}
}

// What cannot be mended is not sent again, what may go by is; no error repeats a secret, whatever
// the receiver does.
func TestTrouble(t *testing.T) {
	for status, final := range map[int]bool{301: true, 400: true, 401: true, 404: true, 408: false, 429: false, 500: false, 503: false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://169.254.169.254/"+r.Header.Get("Authorization"))
			http.Error(w, r.URL.Path+r.Header.Get("Authorization"), status)
		}))
		t.Setenv("HOOK", s.URL+"/hunter2")
		t.Setenv("HOOK_TOKEN", "hunter3")
		err := Send(t.Context(), spec.Notify{Webhook: "${env:HOOK}", Access: dial.Access{Token: "${env:HOOK_TOKEN}"}}, Event{}, dial.Guard{}.Transport())
		require.Error(t, err)
		if final {
			require.ErrorIs(t, err, ErrRefused, status)
		} else {
			require.NotErrorIs(t, err, ErrRefused, status)
		}
		require.NotContains(t, err.Error(), "hunter")
		s.Close()
	}
	for what, hook := range map[string]string{
		"nobody listens": "http://127.0.0.1:1/hunter2",
		"no URL":         "hunter2 hunter2",
		"no host":        "http:///hunter2",
		"metadata":       "http://169.254.169.254/hunter2",
	} {
		t.Setenv("HOOK", hook)
		err := Send(t.Context(), spec.Notify{Webhook: "${env:HOOK}"}, Event{}, dial.Guard{}.Transport())
		require.Error(t, err, what)
		require.NotContains(t, err.Error(), "hunter", what)
	}
	err := Send(t.Context(), spec.Notify{Webhook: "${env:NOT_SET_ANYWHERE}"}, Event{}, dial.Guard{}.Transport())
	require.ErrorContains(t, err, "NOT_SET_ANYWHERE is not set")
}

// A receiver that never answers is given up, and may be tried again.
func TestReceiverThatHangs(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that the client is gone
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	t.Setenv("HOOK", s.URL+"/hunter2")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := Send(ctx, spec.Notify{Webhook: "${env:HOOK}"}, Event{}, dial.Guard{}.Transport())
	require.ErrorContains(t, err, "deadline exceeded")
	require.NotErrorIs(t, err, ErrRefused)
	require.NotContains(t, err.Error(), "hunter")
}

// A receiver that speaks no HTTP is quoted, but for what is secret.
func TestReceiverThatRepeatsEverything(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = fmt.Fprintf(conn, "%s %s %s %s\r\n\r\n", r.URL.Path, r.URL.RequestURI(), r.Header.Get("Authorization"), r.URL.RawQuery)
			}
			_ = conn.Close()
		}
	}()
	t.Setenv("HOOK_TOKEN", "hunter3")
	for _, hook := range []string{"http://%s/services/hunter2?key=hunter4", "http://hunter5:hunter6@%s/hunter2%%20x"} {
		t.Setenv("HOOK", fmt.Sprintf(hook, l.Addr()))
		err = Send(t.Context(), spec.Notify{Webhook: "${env:HOOK}", Access: dial.Access{Token: "${env:HOOK_TOKEN}"}}, Event{}, dial.Guard{}.Transport())
		require.ErrorContains(t, err, "malformed")
		require.NotContains(t, err.Error(), "hunter")
	}
}
