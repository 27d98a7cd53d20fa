package dial_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/dial"
)

func TestBlame(t *testing.T) {
	op := func(what string, err error) error {
		return fmt.Errorf("GET http://x: %w", &net.OpError{Op: what, Net: "tcp", Err: err})
	}
	sys := func(call string, err error) error { return op("dial", os.NewSyscallError(call, err)) }
	for name, tc := range map[string]struct {
		err  error
		want dial.Whose
	}{
		"none":                {nil, dial.Theirs},
		"refused":             {sys("connect", syscall.ECONNREFUSED), dial.Theirs},
		"reset":               {op("read", syscall.ECONNRESET), dial.Theirs},
		"broke off":           {fmt.Errorf("x: %w", io.ErrUnexpectedEOF), dial.Theirs},
		"timed out":           {sys("connect", syscall.ETIMEDOUT), dial.Theirs},
		"late":                {context.DeadlineExceeded, dial.Theirs},
		"no route":            {sys("connect", syscall.ENETUNREACH), dial.Theirs},
		"no way to the host":  {sys("connect", syscall.EHOSTUNREACH), dial.Theirs},
		"no such name":        {op("dial", &net.DNSError{Name: "x", IsNotFound: true}), dial.Theirs},
		"no descriptors":      {sys("socket", syscall.EMFILE), dial.Own},
		"none on the machine": {sys("socket", syscall.ENFILE), dial.Own},
		"no ports":            {sys("connect", syscall.EADDRNOTAVAIL), dial.Own},
		"no memory":           {sys("socket", syscall.ENOMEM), dial.Own},
		"no buffers":          {sys("socket", syscall.ENOBUFS), dial.Own},
		"no processes":        {&os.PathError{Op: "fork/exec", Path: "/bin/x", Err: syscall.EAGAIN}, dial.Own},
		"proxy":               {op("proxyconnect", syscall.ECONNREFUSED), dial.Own},
		"proxy's password":    {errors.New("Proxy Authentication Required"), dial.Own},
		"said so":             {fmt.Errorf("x: %w", dial.ErrOwn), dial.Own},
		"resolver":            {op("dial", &net.DNSError{Name: "x", IsTemporary: true}), dial.Resolver},
		"resolver's silence":  {op("dial", &net.DNSError{Name: "x", IsTimeout: true}), dial.Resolver},
	} {
		require.Equal(t, tc.want, dial.Blame(tc.err), name)
	}
}

// The errors are as they really come.
func TestBlameOfRealErrors(t *testing.T) {
	get := func(tr *http.Transport, where string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, where, nil)
		require.NoError(t, err)
		res, err := tr.RoundTrip(req)
		if err == nil {
			_ = res.Body.Close()
		}
		return err
	}
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)

	dead := dial.Guard{}.Transport()
	dead.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://127.0.0.1:1") }
	require.Equal(t, dial.Own, dial.Blame(get(dead, srv.URL)))

	asks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	t.Cleanup(asks.Close)
	closed := dial.Guard{}.Transport()
	closed.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(asks.URL) }
	require.Equal(t, dial.Own, dial.Blame(get(closed, "https://target.example")))

	none := dial.Guard{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", "127.0.0.1:1")
	}}}.Transport()
	require.Equal(t, dial.Resolver, dial.Blame(get(none, "http://target.example")))

	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was))
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was) })
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: was.Max}))
	full := get(dial.Guard{}.Transport(), srv.URL)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was))
	require.Equal(t, dial.Own, dial.Blame(full), "%v", full)
}
