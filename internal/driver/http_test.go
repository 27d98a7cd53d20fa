package driver_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// place is a target for tests of the http driver.
type place struct {
	mu      sync.Mutex
	mode    string
	release string
	fence   int64
	last    *http.Request
	body    string
}

func (p *place) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	p.last, p.body = r, string(data)
	mode := p.mode
	p.mu.Unlock()
	if troubled(w, r, mode) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method == http.MethodGet {
		p.get(w)
		return
	}
	p.put(w, r, data)
}

// troubled answers in place of a target in a mode in which the target itself does not come to it.
func troubled(w http.ResponseWriter, r *http.Request, mode string) bool {
	if status, err := strconv.Atoi(mode); err == nil {
		http.Error(w, "as asked \033[31m"+r.Header.Get("Authorization"), status)
		return true
	}
	ordered := r.Method == http.MethodPut
	text, says := strings.CutPrefix(mode, "say:")
	switch {
	case mode == "slow":
		<-r.Context().Done()
	case mode == "fail":
		http.Error(w, "disk on fire", http.StatusServiceUnavailable)
	case mode == "full" && ordered:
		http.Error(w, "no space left on device", http.StatusInsufficientStorage)
	case mode == "hangup", mode == "half" && ordered:
		panic(http.ErrAbortHandler)
	case mode == "cut" && !ordered:
		cutShort(w, `{"release":"1","alive":true}`)
	case says && !ordered:
		_, _ = io.WriteString(w, text)
	default:
		return false
	}
	return true
}

func (p *place) get(w http.ResponseWriter) {
	detail := ""
	if p.mode == "dead" {
		detail = "it \033[31mcrashed"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"release": p.release, "fence": p.fence, "alive": p.mode != "dead", "detail": detail})
}

// cutShort answers 200 with text, and drops the connection before all was sent.
func cutShort(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Length", strconv.Itoa(len(text)+10))
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (p *place) put(w http.ResponseWriter, r *http.Request, data []byte) {
	var body struct{ Release string }
	fence, err := strconv.ParseInt(r.Header.Get("Sluice-Fence"), 10, 64)
	switch {
	case err != nil || json.Unmarshal(data, &body) != nil:
		http.Error(w, "not an order", http.StatusBadRequest)
	case p.mode == "refuse":
		http.Error(w, "line one\nnot for me", http.StatusUnprocessableEntity)
	case fence < p.fence:
		http.Error(w, "too old", http.StatusConflict)
	default:
		p.release, p.fence = body.Release, fence
		switch p.mode {
		case "crash":
			panic(http.ErrAbortHandler)
		case "cut":
			cutShort(w, "applied")
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func httpRig(t *testing.T) rig {
	places := map[string]*place{}
	make1 := func(timeout time.Duration) driver.Driver {
		d := open(t, "http", driver.HTTP{
			URL: "http://{{address}}/{{label.place}}/{{unit}}", Timeout: spec.Duration(timeout),
		})
		return d
	}
	return rig{
		driver: make1(20 * time.Second),
		quick:  make1(200 * time.Millisecond),
		target: func(id string) fleet.Target {
			if places[id] == nil {
				places[id] = &place{}
			}
			server := httptest.NewServer(places[id])
			t.Cleanup(server.Close)
			return fleet.Target{ID: id, Address: strings.TrimPrefix(server.URL, "http://"), Labels: map[string]string{"place": "x"}}
		},
		mode: func(id, mode string) {
			places[id].mu.Lock()
			defer places[id].mu.Unlock()
			places[id].mode = mode
		},
		crashed: "it ?[31mcrashed",
		garbage: garbage(),
	}
}

// garbage are modes in which what answers is no target.
func garbage() []string {
	return []string{
		"404", "204", "301", "hangup", "say:", "say:<html>", "say:[]", "say:null", "say:{}", `say:{"release":"1"}`, `say:{"alive":true}`,
		`say:{"release":null,"alive":true}`, `say:{"release":1,"alive":true}`, `say:{"release":"1","alive":"yes"}`,
		`say:{"release":"1","alive":true,"fence":-1}`, `say:{"release":"1","alive":true,"fence":1.5}`,
		`say:{"release":"1","alive":true} trailing`, `say:{"release":"two words","alive":true}`, `say:{"release":"a\u001b[31m","alive":true}`,
		`say:{"release":"` + strings.Repeat("x", 300) + `","alive":true}`,
		"say:" + strings.Repeat(" ", 65<<10) + `{"release":"1","alive":true}`,
	}
}

func httpTarget(t *testing.T, p *place) (fleet.Target, string) {
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	return fleet.Target{ID: "a", Address: address, Labels: map[string]string{"region": "eu"}}, address
}

func newHTTP(t *testing.T, h driver.HTTP) driver.Driver { return open(t, "http", h) }

// open makes a driver as a spec asks for it.
func open(t *testing.T, name string, settings any) driver.Driver {
	t.Helper()
	d, err := catalog.New().Drivers.New(spec.Driver{Choice: spec.Choose(name, settings)}, nil)
	require.NoError(t, err)
	return d
}

func TestHTTPStatuses(t *testing.T) {
	p := &place{}
	where, _ := httpTarget(t, p)
	d := newHTTP(t, driver.HTTP{})
	for status, want := range map[int]error{
		200: nil, 204: nil, 202: errAgain, 301: driver.ErrRefused, 307: driver.ErrRefused, 400: driver.ErrRefused, 401: driver.ErrRefused,
		403: driver.ErrRefused, 404: driver.ErrRefused, 408: errAgain, 409: driver.ErrFenced, 410: driver.ErrRefused,
		422: driver.ErrRefused, 425: errAgain, 429: errAgain, 500: errAgain, 502: errAgain, 503: errAgain, 504: errAgain,
	} {
		p.mode = strconv.Itoa(status)
		requireKind(t, want, d.Apply(t.Context(), where, order("2", 3)), status)
	}
	p.mode = "hangup"
	requireKind(t, errAgain, d.Apply(t.Context(), where, order("2", 3)), "hangup")
}

// errAgain stands for an error that is neither a refusal nor a fence.
var errAgain = errors.New("again")

func requireKind(t *testing.T, want, err error, about any) {
	t.Helper()
	switch {
	case want == nil:
		require.NoError(t, err, about)
	case errors.Is(want, errAgain):
		require.Error(t, err, about)
		require.NotErrorIs(t, err, driver.ErrRefused, about)
		require.NotErrorIs(t, err, driver.ErrFenced, about)
	default:
		require.ErrorIs(t, err, want, about)
	}
	if err != nil {
		require.NotContains(t, err.Error(), "\033", about)
	}
}

func TestHTTPRequest(t *testing.T) {
	t.Setenv("SLUICE_TEST_TOKEN", "planted-token")
	p := &place{}
	where, address := httpTarget(t, p)
	d := newHTTP(t, driver.HTTP{Token: "${env:SLUICE_TEST_TOKEN}"})
	require.NoError(t, d.Apply(t.Context(), where, driver.Order{Unit: "a/b c", Release: "1;\"x", Fence: 13}))
	require.Equal(t, http.MethodPut, p.last.Method)
	require.Equal(t, "/sluice/v1/units/a%2Fb%20c", p.last.URL.EscapedPath())
	require.Equal(t, "13", p.last.Header.Get(driver.FenceHeader))
	require.Equal(t, "Bearer planted-token", p.last.Header.Get("Authorization"))
	require.JSONEq(t, `{"release":"1;\"x"}`, p.body)
	require.Empty(t, p.last.Header.Values(driver.BackHeader))
	require.NoError(t, d.Apply(t.Context(), where, driver.Order{Unit: "a/b c", Release: "1", Fence: 14, Back: true}))
	require.Equal(t, "true", p.last.Header.Get(driver.BackHeader))

	p.mode = "500" // repeats the Authorization header
	err := d.Apply(t.Context(), where, order("2", 13))
	require.EqualError(t, err, "PUT http://"+address+"/sluice/v1/units/proxy: status 500, expected status 200 or 204: as asked ?[31mBearer [redacted]")
	_, err = d.Observe(t.Context(), where, "proxy")
	require.ErrorContains(t, err, "[redacted]")
	require.NotContains(t, err.Error(), "planted-token")
}

// However a target repeats the token that it was sent, nobody reads it.
func TestHTTPTokenIsNeverRepeated(t *testing.T) {
	const token = `planted"<token>+/=`
	t.Setenv("SLUICE_TEST_TOKEN", token)
	quoted, err := json.Marshal(token)
	require.NoError(t, err)
	for name, answer := range map[string]string{
		"no status line":  token + " " + token + "\r\n\r\n",
		"no status":       "HTTP/1.1 " + token + "\r\n\r\n",
		"a broken header": "HTTP/1.1 200 OK\r\n" + token + "\r\n\r\n",
		"a broken length": "HTTP/1.1 200 OK\r\nContent-Length: " + token + "\r\n\r\n",
		"an encoding":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + token + "\r\n\r\n",
		"the detail":      ok(`{"release":"1","alive":false,"detail":` + string(quoted) + `}`),
		"the release":     ok(`{"release":` + string(quoted) + `,"alive":true}`),
		"no release":      ok(`{"release":"x ` + string(quoted[1:]) + `,"alive":true}`),
		"JSON":            "HTTP/1.1 401 No\r\nContent-Length: " + strconv.Itoa(len(quoted)) + "\r\n\r\n" + string(quoted),
		"a redirect":      "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/" + url.QueryEscape(token) + "\r\nContent-Length: 0\r\n\r\n",
		"long nonsense":   "HTTP/1.1 " + strings.Repeat("x", 20_000) + token + "\r\n\r\n",
		"a bad redirect":  "HTTP/1.1 302 Found\r\nLocation: http://[" + token + "\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			where := fleet.Target{ID: "a", Address: says(t, answer)}
			d := newHTTP(t, driver.HTTP{Token: "${env:SLUICE_TEST_TOKEN}", Timeout: spec.Duration(5 * time.Second)})
			state, observed := d.Observe(t.Context(), where, "proxy")
			applied := d.Apply(t.Context(), where, order("2", 1))
			if name != "the detail" {
				require.Error(t, observed)
			}
			shown := fmt.Sprintf("%+v %v %v", state, observed, applied)
			t.Log(shown)
			require.NotContains(t, shown, "planted")
			require.Less(t, len(shown), 3000)
		})
	}
}

func ok(body string) string {
	return "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// says is the address of a server that reads a request and answers these bytes.
func says(t *testing.T, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestHTTPTokenMissing(t *testing.T) {
	p := &place{}
	where, _ := httpTarget(t, p)
	t.Setenv("SLUICE_TEST_TOKEN", "")
	d := newHTTP(t, driver.HTTP{Token: "${env:SLUICE_TEST_TOKEN}"})
	require.ErrorContains(t, d.Apply(t.Context(), where, order("2", 1)), "driver.http.token: environment variable SLUICE_TEST_TOKEN is not set")
	require.Nil(t, p.last, "nothing was sent without the token")

	t.Setenv("SLUICE_TEST_TOKEN", "planted\r\nX-Evil: 1")
	err := d.Apply(t.Context(), where, order("2", 1))
	require.ErrorContains(t, err, "more than one line")
	require.NotContains(t, err.Error(), "planted")
	require.Nil(t, p.last)
}

// No value reaches another path, query or host than its own.
func TestHTTPValuesStayInPlace(t *testing.T) {
	p := &place{}
	where, address := httpTarget(t, p)
	for _, tc := range []struct{ url, label, unit, want, err string }{
		{url: "http://{{address}}/x/{{label.region}}", label: "a?b#c/../d", want: "/x/a%3Fb%23c%2F..%2Fd"},
		{url: "http://{{address}}/x?r={{label.region}}", label: "a&b=c/#", want: "/x?r=a%26b%3Dc%2F%23"},
		{url: "http://{{address}}/x/{{unit}}", unit: "..", err: "would leave its place"},
		{url: "http://{{address}}/x/{{unit}}", unit: "", err: "the value is empty"},
		{url: "http://{{address}}/x/{{unit}}", unit: "a\nb", err: "control character"},
		{url: "http://{{label.region}}/x", label: "evil/", err: "cannot be part of a host name"},
		{url: "http://{{label.region}}/x", label: address, want: "/x"},
	} {
		p.last = nil
		at := where
		at.Labels = map[string]string{"region": tc.label}
		err := newHTTP(t, driver.HTTP{URL: tc.url}).Apply(t.Context(), at, driver.Order{Unit: tc.unit, Release: "1", Fence: 1})
		if tc.err != "" {
			require.ErrorContains(t, err, tc.err, "%+v", tc)
			require.ErrorIs(t, err, driver.ErrRefused)
			require.Nil(t, p.last)
			continue
		}
		require.NoError(t, err, "%+v", tc)
		require.Equal(t, tc.want, p.last.URL.RequestURI())
	}
	for _, bad := range []string{"", "user@host", "host?x", "host#x", "a b", "host\n", "/only/path", ":80", "host:port:80"} {
		at := where
		at.Address = bad
		_, err := newHTTP(t, driver.HTTP{}).Observe(t.Context(), at, "proxy")
		require.Error(t, err, bad)
		require.ErrorIs(t, err, driver.ErrRefused, bad)
	}
	at := where
	at.Address = address + "/t/eu-01"
	_, err := newHTTP(t, driver.HTTP{}).Observe(t.Context(), at, "proxy")
	require.NoError(t, err)
	require.Equal(t, "/t/eu-01/sluice/v1/units/proxy", p.last.URL.Path)
}

// The body of a 101 is the connection, which the target keeps open: the request ends all the same.
func TestHTTPSwitchingProtocols(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
			}
		}
	}()
	d := newHTTP(t, driver.HTTP{URL: "http://{{address}}/", Timeout: spec.Duration(time.Minute)})
	_, err = d.Observe(t.Context(), fleet.Target{ID: "a", Address: l.Addr().String()}, "edge")
	require.ErrorContains(t, err, "it answered 101 Switching Protocols")
	err = d.Apply(t.Context(), fleet.Target{ID: "a", Address: l.Addr().String()}, driver.Order{Unit: "edge", Release: "2"})
	require.ErrorContains(t, err, "it answered 101 Switching Protocols")
	require.NotErrorIs(t, err, driver.ErrRefused)
}

func TestNewRefuses(t *testing.T) {
	ok := []string{"true"}
	for want, d := range map[string]spec.Choice{
		"driver: none is set, expected one of http, exec and agent":                          {},
		"driver: \"no-such-driver\" is not known here, expected one of http, exec and agent": {Name: "no-such-driver"},
		"driver: unknown field \"port\" in http":                                             spec.Choose("http", map[string]int{"port": 1}),
		"driver: http.url: {{release}} is not known here":                                    spec.Choose("http", driver.HTTP{URL: "http://{{address}}/{{release}}"}),
		"driver: http.url: is not a URL":                                                     spec.Choose("http", driver.HTTP{URL: "ftp://{{address}}/"}),
		"driver: http.url: has a user or a password":                                         spec.Choose("http", driver.HTTP{URL: "http://{{label.region}}@{{address}}/x"}),
		"driver: http.token: is not a reference to a secret":                                 spec.Choose("http", driver.HTTP{Token: "inline-secret"}),
		"driver: exec.observe: is required":                                                  spec.Choose("exec", driver.Exec{Apply: ok}),
		"driver: exec.apply: is required":                                                    spec.Choose("exec", driver.Exec{Observe: ok}),
		"driver: exec.observe[1]: {{release}} is not known here":                             spec.Choose("exec", driver.Exec{Observe: []string{"x", "{{release}}"}, Apply: ok}),
		"driver: exec.apply[1]: {{relaese}} is not known here":                               spec.Choose("exec", driver.Exec{Observe: ok, Apply: []string{"x", "{{relaese}}"}}),
		"driver: exec.apply[0]: \"{{label.x}}\" is not a program":                            spec.Choose("exec", driver.Exec{Observe: ok, Apply: []string{"{{label.x}}"}}),
		"driver: exec.validate[0]: \"\" is not a program":                                    spec.Choose("exec", driver.Exec{Observe: ok, Apply: ok, Validate: []string{""}}),
		"driver: exec.validate[1]: \"{{release\" has {{ without }}":                          spec.Choose("exec", driver.Exec{Observe: ok, Apply: ok, Validate: []string{"x", "{{release"}}),
		"driver: exec.apply[1]: holds a NUL byte":                                            spec.Choose("exec", driver.Exec{Observe: ok, Apply: []string{"x", "a\x00"}}),
	} {
		_, err := catalog.New().Drivers.New(spec.Driver{Choice: d}, nil)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "inline-secret")
	}
}

// An address at which a cloud keeps credentials is never asked, and asking again is in vain.
func TestHTTPRefusesMetadataAddresses(t *testing.T) {
	d := newHTTP(t, driver.HTTP{})
	where := fleet.Target{ID: "a", Address: "169.254.169.254:80"}
	_, err := d.Observe(t.Context(), where, "proxy")
	require.ErrorIs(t, err, driver.ErrRefused)
	require.ErrorContains(t, err, "--allow-link-local")
	require.ErrorIs(t, d.Apply(t.Context(), where, order("2", 1)), driver.ErrRefused)
}
