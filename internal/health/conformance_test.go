package health_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// rig is one source with servers that a case makes answer as it likes. A new source joins the suite
// with one function that makes its rig.
type rig struct {
	// health are the four questions of suiteChecks in the source's language, and binding is about
	// four targets, two of them exposed.
	health  spec.Health
	binding health.Binding
	net     *network
	// answers are what the source's servers may say; of those in suiteAnswers it has each, or says
	// in cannot why there is no such thing.
	answers map[string]answer
	cannot  map[string]string
	// tell makes the source show stories, and answers a meter for the n-th look at the i-th of
	// them.
	tell func(t *testing.T, r rig, all []story) func(t *testing.T, i, n int) *health.Evaluator
}

// answer is what a source's server says, and what is to come of it.
type answer struct {
	handler http.Handler
	// want are the verdicts by check, NODATA unless it says another, and says is in the sentence of
	// the check "queue".
	want map[string]health.Verdict
	says string
}

// Names of the suite's checks: a ratio and a value, of all targets and of each.
var suiteChecks = []string{"errors", "queue", "each errors", "each queue"}

// suiteAnswers is what every source must know how to take.
var suiteAnswers = []string{
	"sound", "empty", "NaN", "+Inf", "-Inf", "negative", "several series", "native histogram", "classic histogram",
	"scalar", "string", "matrix", "stale", "HTML", "truncated", "warnings", "partial", "null",
}

var suiteRigs = map[string]func(*testing.T, *network) rig{"prometheus": prometheusRig, "scrape": scrapeRig}

// applied is when the suite's stage was applied: of late, since a real server keeps no samples of
// long ago.
var applied = time.Now().Add(-time.Hour).Truncate(time.Second)

// network is where a rig's servers listen: real connections, or pipes, on which time may be a
// test's.
type network struct {
	handler atomic.Pointer[http.Handler]
	server  *httptest.Server
	client  *http.Transport
}

func newNetwork(t *testing.T, pipes bool) *network {
	t.Helper()
	n := &network{client: &http.Transport{}}
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*n.handler.Load()).ServeHTTP(w, r)
	}))
	n.server.Config.ErrorLog = nil
	if pipes {
		l := &pipe{conns: make(chan net.Conn), closed: make(chan struct{})}
		n.server.Listener, n.client.DialContext = l, l.dial
	}
	n.server.Start()
	t.Cleanup(n.client.CloseIdleConnections)
	t.Cleanup(n.server.Close)
	return n
}

func (n *network) answer(h http.Handler) { n.handler.Store(&h) }

// RoundTrip sends every request to the server, whatever host it is for.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("For", r.URL.Host)
	r.URL.Host = n.server.Listener.Addr().String()
	return n.client.RoundTrip(r)
}

// pipe is a listener without a network.
type pipe struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipe) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fourTargets are two exposed and two of the control.
func fourTargets() health.Binding {
	var ts []fleet.Target
	for i := range 4 {
		ts = append(ts, fleet.Target{ID: fmt.Sprint("t", i), Address: fmt.Sprintf("t%d:80", i)})
	}
	before := health.Baseline{From: applied.Add(-2 * time.Minute), At: applied.Add(-time.Minute), Exposed: 2400, Control: 2400}
	return health.Binding{Before: before, Scope: source.Scope{
		Unit: "edge", Release: "2.0.0", Stage: "canary", Since: applied,
		Exposed: ts[:2], Cohort: ts[:2], Control: ts[2:],
	}}
}

func (r rig) open(t *testing.T) *health.Evaluator {
	t.Helper()
	m, err := health.Open(r.health, r.binding, health.Deps{Sources: sources, Forms: forms, Transport: r.net})
	require.NoError(t, err)
	return m
}

// look looks twice, as a source without a past needs, and answers the second report.
func (r rig) look(t *testing.T) health.Report {
	t.Helper()
	m := r.open(t)
	var report health.Report
	for _, at := range []time.Duration{30 * time.Second, 45 * time.Second} {
		var err error
		report, err = m.Look(t.Context(), applied.Add(at))
		require.NoError(t, err)
	}
	return report
}

// lookIn is look at a server that answers so, where time is the test's: what may go by is asked
// again after seconds.
func lookIn(t *testing.T, newRig func(*testing.T, *network) rig, h http.Handler) (report health.Report) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newNetwork(t, true))
		r.net.answer(h)
		report = r.look(t)
		presentable(t, report)
	})
	return report
}

// presentable asserts what holds of every result, whatever a source says.
func presentable(t *testing.T, r health.Report) {
	t.Helper()
	require.GreaterOrEqual(t, len(r.Results), len(suiteChecks))
	for i, check := range suiteChecks {
		require.Equal(t, check, r.Results[i].Check)
	}
	for _, res := range r.Results {
		require.NotEmpty(t, res.Sentence)
		require.Less(t, len(res.Sentence), 700)
		require.NotContains(t, res.Sentence, "hunter2", "a URL may hold what nobody should read")
		require.LessOrEqual(t, len(res.Warnings), 5)
		for _, s := range append([]string{res.Sentence}, append(res.Warnings, res.Queries...)...) {
			require.False(t, strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) && c != '\n' }), "%q", s)
		}
	}
}

// Whatever a source answers, there is a verdict with a sentence, and none passes that does not rest
// on numbers.
func TestSourcesConformInAnswers(t *testing.T) {
	t.Parallel()
	for name, newRig := range suiteRigs {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newNetwork(t, false))
			for _, name := range suiteAnswers {
				_, has := r.answers[name]
				require.NotEqual(t, has, r.cannot[name] != "", "%s: answered, or said why not", name)
			}
			for name, a := range r.answers {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					report := lookIn(t, newRig, a.handler)
					for _, res := range report.Results {
						want := health.NoData
						if v, ok := a.want[res.Check]; ok {
							want = v
						}
						require.Equal(t, want, res.Verdict, "%s: %s", res.Check, res.Sentence)
					}
					require.Contains(t, report.Results[1].Sentence, a.says)
				})
			}
		})
	}
}

// Whatever happens on the way, it is NODATA with the reason, in bounded time and memory.
func TestSourcesConformInTrouble(t *testing.T) {
	t.Parallel()
	for name, newRig := range suiteRigs {
		t.Run(name, func(t *testing.T) {
			for name, tc := range troubles(t) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					for _, res := range lookIn(t, newRig, tc.handler).Results {
						require.Equal(t, health.NoData, res.Verdict, "%s: %s", res.Check, res.Sentence)
						require.Contains(t, strings.ToLower(res.Sentence), tc.says)
					}
				})
			}
			t.Run("connection refused", func(t *testing.T) {
				t.Parallel()
				r := newRig(t, newNetwork(t, false))
				r.net.server.Close()
				report := r.look(t)
				presentable(t, report)
				for _, res := range report.Results {
					require.Equal(t, health.NoData, res.Verdict)
					require.Contains(t, res.Sentence, "connection refused")
				}
			})
			for name, begin := range map[string]string{"never answers": "", "never ends": "{"} {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := newRig(t, newNetwork(t, true))
						over := make(chan struct{})
						t.Cleanup(func() { close(over) })
						r.net.answer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
							if begin != "" {
								typed("application/json", begin)(w, nil)
								_ = http.NewResponseController(w).Flush()
							}
							<-over
						}))
						began := time.Now()
						report := r.look(t)
						presentable(t, report)
						for _, res := range report.Results {
							require.Equal(t, health.NoData, res.Verdict, "%s: %s", res.Check, res.Sentence)
						}
						require.Less(t, time.Since(began), 2*time.Minute, "of two looks")
					})
				})
			}
		})
	}
}

// trouble is a server that answers every request so.
type trouble struct {
	handler http.HandlerFunc
	says    string // in small letters
}

func troubles(t *testing.T) map[string]trouble {
	t.Helper()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	status := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	return map[string]trouble{
		"500":    {status(500, "text/plain", "boom \x1b[31m"), "500"},
		"503":    {status(503, "application/json", `{"status":"error","errorType":"timeout","error":"query timed out\u001b[31m"}`), ""},
		"429":    {status(429, "text/plain", "slow down"), "429"},
		"401":    {status(401, "text/html", "<html>"), "401"},
		"404":    {status(404, "text/html", "<html>"), "404"},
		"204":    {status(204, "application/json", ""), ""},
		"empty":  {status(200, "application/json", "\n\n{"), ""},
		"binary": {status(200, "application/json", "\x00\x01\xff\xfe\x1b[2J"), ""},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "redirect"},
		"dropped halfway": {dropped, "eof"},
		"100 MB":          {endless(t, false), "mib"},
		"100 MB, zipped":  {endless(t, true), "mib"},
	}
}

// dropped promises more than it sends.
func dropped(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, "requests_total 1\n")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// endless answers 100 MB, and sees that most of it is never taken.
func endless(t *testing.T, zipped bool) http.HandlerFunc {
	t.Helper()
	block := []byte(strings.Repeat("# "+strings.Repeat("x", 1021)+"\n", 1024))
	var all bytes.Buffer
	if zipped {
		z := gzip.NewWriter(&all)
		_, _ = z.Write(block)
		require.NoError(t, z.Close())
		member := bytes.Clone(all.Bytes())
		for range 99 { // members of one stream
			all.Write(member)
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if zipped {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(all.Bytes())
			return
		}
		for n := range 100 {
			if _, err := w.Write(block); err != nil {
				return
			}
			if n > 50 {
				t.Errorf("%d MiB of an answer were taken", n)
				return
			}
		}
	}
}
