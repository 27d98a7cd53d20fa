package health

import (
	"context"
	"errors"
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

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// probeSpec needs no source.
func probeSpec(p Probe, tolerate int) spec.Health {
	if p.Timeout == 0 {
		p.Timeout = seconds(5)
	}
	return externalSpec(spec.Check{Name: "healthz", Form: spec.Choose("probe", p), Tolerate: tolerate})
}

func externalSpec(checks ...spec.Check) spec.Health {
	return spec.Health{
		Every: seconds(5), Window: seconds(60), StaleAfter: seconds(30),
		Without: []string{spec.CheckTraffic, spec.CheckAlive}, Checks: checks,
	}
}

// serving is a binding whose targets are all the same server.
func serving(t *testing.T, n int, h http.Handler) Binding {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	f := newFarm(t, n+1)
	for i := range f.targets {
		f.targets[i].Address = s.Listener.Addr().String()
	}
	return f.binding(n)
}

func lookAt(t *testing.T, h spec.Health, b Binding, looks int) Result {
	t.Helper()
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Driver: newFarm(t, 1)})
	require.NoError(t, err)
	var r Report
	for i := range looks {
		r, err = m.LookAll(t.Context(), b.Since.Add(time.Duration(i+1)*time.Minute))
		require.NoError(t, err)
	}
	return r.Results[0]
}

func TestProbeHTTP(t *testing.T) {
	answer := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = io.WriteString(w, body) }
	}
	broken := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "so far")
	}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		probe   Probe
		want    Verdict
		says    string
	}{
		"any 2xx":                 {answer(204, ""), Probe{}, Pass, "all 2 exposed targets answer as they should"},
		"503":                     {answer(503, ""), Probe{}, Fail, "2 of 2 exposed targets: t0 answered 503; t1 answered 503"},
		"another status":          {answer(200, ""), Probe{Status: 204}, Fail, "answered 200 instead of 204"},
		"asked for":               {answer(404, ""), Probe{Status: 404}, Pass, ""},
		"a redirect":              {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/fine", http.StatusFound) }, Probe{}, Fail, "answered 302, and redirects are not followed"},
		"a redirect asked for":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/fine", http.StatusFound) }, Probe{Status: 302}, Pass, ""},
		"contains":                {answer(200, "state: ok\n"), Probe{Contains: "ok"}, Pass, ""},
		"does not contain":        {answer(200, "state: bad\n"), Probe{Contains: "ok\x1b[31m"}, Fail, `t0 answered 200 without "ok [31m"`},
		"contains too late":       {answer(200, strings.Repeat("x", maxProbed)+"ok"), Probe{Contains: "ok"}, Fail, "in the first 64 KiB"},
		"contains at the edge":    {answer(200, strings.Repeat("x", maxProbed-2)+"ok"), Probe{Contains: "ok"}, Pass, ""},
		"breaks off":              {broken, Probe{Contains: "ok"}, Fail, "its body broke off"},
		"breaks off after it":     {broken, Probe{Contains: "so far"}, Pass, ""},
		"no answer":               {hang, Probe{Timeout: spec.Duration(50 * time.Millisecond)}, Fail, "t0 does not answer (no answer within 50ms)"},
		"a body that never comes": {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); hang(w, r) }, Probe{Contains: "ok", Timeout: spec.Duration(50 * time.Millisecond)}, Fail, "no answer within 50ms"},
		"HEAD": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(map[bool]int{true: 200, false: 405}[r.Method == http.MethodHead])
		}, Probe{Method: "HEAD"}, Pass, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.probe.HTTP = "http://{{address}}/healthz"
			res := lookAt(t, probeSpec(tc.probe, 0), serving(t, 2, tc.handler), 1)
			require.Equal(t, tc.want, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, tc.says)
			require.NotContains(t, res.Sentence, "\x1b")
			require.InDelta(t, 2, res.Samples, 0)
		})
	}
}

// A target that nobody listens at is asked twice, which a lost packet survives.
func TestProbeSilence(t *testing.T) {
	var asked atomic.Int32
	lost := func(n int32) func(context.Context, string, string) (net.Conn, error) {
		asked.Store(0)
		return func(context.Context, string, string) (net.Conn, error) {
			if asked.Add(1) <= n {
				return nil, errors.New("connection refused")
			}
			here, _ := net.Pipe()
			return here, nil
		}
	}
	h := probeSpec(Probe{TCP: "{{address}}"}, 0)
	b := newFarm(t, 2).binding(1)
	look := func(n int32) Result {
		m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Dial: lost(n)})
		require.NoError(t, err)
		r, err := m.Look(t.Context(), b.Since.Add(time.Minute))
		require.NoError(t, err)
		return r.Results[0]
	}
	require.Equal(t, Pass, look(0).Verdict)
	require.EqualValues(t, 1, asked.Load())
	require.Equal(t, Pass, look(1).Verdict)
	res := look(2)
	require.Equal(t, Fail, res.Verdict)
	require.Equal(t, "1 of 1 exposed targets: t0 does not answer (connection refused)", res.Sentence)
	require.Equal(t, []string{"connect to {{address}}"}, res.Queries)
}

// A service that fails now and then is none that answers nobody: of 200 such targets, one answers
// wrong in nearly every look. A wrong answer is asked for again, and one that stays is a breach.
func TestProbeAsksAgainForAWrongAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		fails func(n int32) bool
		want  Verdict
		asked int32
	}{
		"now and then": {func(n int32) bool { return n%2 == 1 }, Pass, 40},
		"always":       {func(int32) bool { return true }, Fail, 40},
		"never":        {func(int32) bool { return false }, Pass, 20},
	} {
		var asked sync.Map
		var all atomic.Int32
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			all.Add(1)
			n, _ := asked.LoadOrStore(r.URL.Path, new(atomic.Int32))
			if tc.fails(n.(*atomic.Int32).Add(1)) {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		res := lookAt(t, probeSpec(Probe{HTTP: "http://{{address}}/{{id}}"}, 0), serving(t, 20, h), 1)
		require.Equal(t, tc.want, res.Verdict, name)
		require.Equal(t, tc.asked, all.Load(), name)
	}
}

func TestProbeTCP(t *testing.T) {
	b := serving(t, 1, http.NotFoundHandler())
	h := probeSpec(Probe{TCP: "{{address}}"}, 0)
	require.Equal(t, Pass, lookAt(t, h, b, 1).Verdict)
	b.Exposed[0].Address += "/with/a/path"
	require.Equal(t, Pass, lookAt(t, h, b, 1).Verdict)
}

// What is wrong must be so in more looks in a row than are tolerated; a look just after another is
// the same one.
func TestProbeTolerates(t *testing.T) {
	down := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	b := serving(t, 1, down)
	h := probeSpec(Probe{HTTP: "http://{{address}}"}, 2)
	for n, want := range map[int]Verdict{1: Unexercised, 2: Unexercised, 3: Fail} {
		res := lookAt(t, h, b, n)
		require.Equal(t, want, res.Verdict, n)
		require.Equal(t, want == Unexercised, res.Pending)
		require.Contains(t, res.Sentence, "t0 answered 500")
	}
}

func TestJudgeProbe(t *testing.T) {
	wrong, silent := failure{id: "a", why: "answered 503"}, failure{id: "b", why: "does not answer", silent: true}
	for name, tc := range map[string]struct {
		p    probing
		want Verdict
		says string
	}{
		"all well":               {probing{asked: 3, of: 3}, Pass, "all 3 exposed targets answer as they should"},
		"a sample":               {probing{asked: 200, of: 12000}, Pass, "all 200 asked of 12,000 exposed targets answer"},
		"wrong":                  {probing{asked: 3, of: 3, flaws: []failure{wrong}}, Fail, "1 of 3 exposed targets: a answered 503"},
		"wrong is not silent":    {probing{asked: 3, of: 3, flaws: []failure{wrong}, silent: 2}, Fail, ""},
		"silent":                 {probing{asked: 3, of: 3, flaws: []failure{silent}}, Fail, ""},
		"silent, tolerated":      {probing{asked: 3, of: 3, flaws: []failure{silent}, silent: 1}, Pass, "up to 1 may be silent"},
		"more than tolerated":    {probing{asked: 3, of: 3, flaws: []failure{silent, silent}, silent: 1}, Fail, ""},
		"all silent, tolerated":  {probing{asked: 1, of: 3, flaws: []failure{silent}, silent: 5}, NoData, ""},
		"silent beside a wrong":  {probing{asked: 3, of: 3, flaws: []failure{silent, wrong}, silent: 5}, Fail, "a answered 503; b does not answer"},
		"many are named shortly": {probing{asked: 9, of: 9, flaws: []failure{wrong, wrong, wrong, wrong, wrong, wrong, wrong}}, Fail, "; and 2 more"},
	} {
		t.Run(name, func(t *testing.T) {
			res := judgeProbe(spec.Check{Name: "p"}, Result{Check: "p"}, tc.p)
			require.Equal(t, tc.want, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, tc.says)
		})
	}
}

// A look asks a sample, the gate all; and a fleet that is down is not asked forever.
func TestProbeOfAHugeFleet(t *testing.T) { synctest.Test(t, testProbeOfAHugeFleet) }

func testProbeOfAHugeFleet(t *testing.T) {
	var asked atomic.Int32
	dial := func(ok bool) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) {
			asked.Add(1)
			here, _ := net.Pipe()
			if !ok {
				return nil, errors.New("refused")
			}
			return here, nil
		}
	}
	f := newFarm(t, 3000)
	b := f.binding(3000)
	m, err := Open(probeSpec(Probe{TCP: "{{address}}"}, 0), b, Deps{Sources: sources, Forms: forms, Dial: dial(true)})
	require.NoError(t, err)
	r, err := m.Look(t.Context(), b.Since.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, "all 200 asked of 3,000 exposed targets answer as they should", r.Results[0].Sentence)
	require.EqualValues(t, 200, asked.Swap(0))
	_, err = m.LookAll(t.Context(), b.Since.Add(2*time.Minute))
	require.NoError(t, err)
	require.EqualValues(t, 3000, asked.Swap(0))

	m, err = Open(probeSpec(Probe{TCP: "{{address}}"}, 0), b, Deps{Sources: sources, Forms: forms, Dial: dial(false)})
	require.NoError(t, err)
	r, err = m.LookAll(t.Context(), b.Since.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, Fail, r.Verdict())
	require.Less(t, asked.Load(), int32(2*(enoughFlaws+askParallel+1)))
	require.Contains(t, r.Results[0].Sentence, "asked of 3,000 exposed targets")
}

// What cannot be filled is known before anything is changed.
func TestProbeNeedsItsLabels(t *testing.T) {
	f := newFarm(t, 2)
	for where, want := range map[string]string{
		"http://{{label.ip}}/":    `check "healthz": target t0: probe.http: target "t0" has no label "ip"`,
		"http://{{label.name}}/":  "cannot be part of a host name",
		"http://h/{{label.path}}": "would leave its place",
	} {
		f.targets[0].Labels = map[string]string{"name": "evil@elsewhere", "path": ".."}
		_, err := Open(probeSpec(Probe{HTTP: where}, 0), f.binding(1), Deps{Sources: sources, Forms: forms})
		require.ErrorContains(t, err, want)
	}
	_, err := Open(probeSpec(Probe{TCP: "{{label.name}}:1"}, 0), f.binding(1), Deps{Sources: sources, Forms: forms})
	require.ErrorContains(t, err, "cannot be part of a host name")
	odd := fleet.Target{ID: "a", Address: "h:1/p", Labels: map[string]string{"x": "a/b&c"}}
	where, err := probed(Probe{HTTP: "http://{{address}}/a/{{label.x}}?y={{label.x}}"}, odd)
	require.NoError(t, err)
	require.Equal(t, "http://h:1/p/a/a%2Fb&c?y=a%2Fb%26c", where)
}

func TestNoSourceIsNeededOnlyByExternalChecks(t *testing.T) {
	f := newFarm(t, 2)
	h := externalSpec(spec.Check{Name: "p", Form: spec.Choose("probe", Probe{TCP: "{{address}}", Timeout: seconds(1)})})
	_, err := Open(h, f.binding(1), Deps{Sources: sources, Forms: forms})
	require.NoError(t, err)
	h.Without = []string{spec.CheckAlive}
	_, err = Open(h, f.binding(1), Deps{Sources: sources, Forms: forms})
	require.ErrorContains(t, err, "exactly one source", "traffic has to be counted somewhere")
	h = externalSpec(h.Checks[0], ratioOf(0.1))
	_, err = Open(h, f.binding(1), Deps{Sources: sources, Forms: forms})
	require.ErrorContains(t, err, "exactly one source")
}

// Checks without a source have a baseline, too, and keep their state.
func TestSourcelessEvaluator(t *testing.T) {
	b := serving(t, 1, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	h := probeSpec(Probe{HTTP: "http://{{address}}"}, 1)
	open := func() *Evaluator {
		m, err := Open(h, b, Deps{Sources: sources, Forms: forms})
		require.NoError(t, err)
		return m
	}
	before, err := open().Baseline(t.Context(), b.Since)
	require.NoError(t, err)
	require.Empty(t, before.Traffic)
	m := open()
	r, err := m.Look(t.Context(), b.Since.Add(time.Second))
	require.NoError(t, err)
	require.Contains(t, r.Results[0].Sentence, "warming up", "evidence counts from one look after the stage")
	_, err = m.Look(t.Context(), b.Since.Add(10*time.Second))
	require.NoError(t, err)
	again := open()
	require.NoError(t, again.Restore(m.State()))
	r, err = again.Look(t.Context(), b.Since.Add(20*time.Second))
	require.NoError(t, err)
	require.Equal(t, Fail, r.Verdict(), fmt.Sprint(r))
}
