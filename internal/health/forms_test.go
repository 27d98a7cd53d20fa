package health

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

var applied = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)

// external is a meter with one check and no source, over n targets at an address.
func external(t *testing.T, c spec.Check, n int, address string) *Meter {
	t.Helper()
	c.Name = "it"
	h := spec.Health{Every: spec.Duration(time.Second), Window: spec.Duration(time.Minute), Checks: []spec.Check{c}, Without: []string{spec.CheckAlive, spec.CheckTraffic}}
	b := Binding{Unit: "edge", Release: "2.0.0", Previous: "1.0.0", Stage: "canary", Since: applied}
	for i := range n {
		b.Exposed = append(b.Exposed, fleet.Target{ID: fmt.Sprintf("t%d", i), Address: address, Labels: map[string]string{"n": fmt.Sprint(i)}})
	}
	b.Cohort = b.Exposed
	m, err := Open(h, b, Deps{})
	require.NoError(t, err)
	return m
}

// one looks a minute after the apply, and answers the only check's result.
func one(t *testing.T, m *Meter) Result {
	t.Helper()
	r, err := m.Look(t.Context(), applied.Add(time.Minute))
	require.NoError(t, err)
	require.Len(t, r.Results, 1)
	return r.Results[0]
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// asking are all forms that ask no source, against a URL.
func asking(url string) map[string]spec.Check {
	return map[string]spec.Check{
		"probe":   {Probe: &spec.Probe{HTTP: url, Timeout: spec.Duration(time.Second)}},
		"alerts":  {Alerts: &spec.Alerts{Alertmanager: url, Match: []string{"severity=page"}}},
		"webhook": {Webhook: &spec.WebhookJudge{URL: url, Timeout: spec.Duration(time.Second)}},
	}
}

// Whatever goes wrong with whoever is asked, no form passes.
func TestNoFormPassesOnTrouble(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) },
		"429": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTooManyRequests) },
		"404": func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		},
		"dropped": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "[")
		},
	} {
		url := serve(t, handler)
		for form, c := range asking(url) {
			res := one(t, external(t, c, 1, "x"))
			require.NotEqual(t, Pass, res.Verdict, "%s of %s: %s", form, name, res.Sentence)
			require.NotEmpty(t, res.Sentence)
			require.NotContains(t, res.Sentence, url+"/", form)
		}
	}
	for name, body := range map[string]string{
		"nothing": "", "html": "<html>", "null": "null", "a number": "3", "empty object": "{}", "another list": `[{"x":1}]`, "nonsense": `{"verdict":"FINE"}`, "half": `[{"labels":`, "lower case": `{"verdict":"pass"}`,
		"no state": `[{"labels":{"a":"b"},"startsAt":"2026-03-04T10:00:30Z"}]`, "huge": `["` + strings.Repeat("x", maxAnswer) + `"]`,
	} {
		for _, kind := range []string{"application/json", "text/html"} {
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				_, _ = io.WriteString(w, body)
			})
			for form, c := range asking(url) {
				if form == "probe" {
					continue // any 200 is as it should be
				}
				res := one(t, external(t, c, 1, "x"))
				require.Equal(t, NoData, res.Verdict, "%s of %s: %s", form, name, res.Sentence)
			}
		}
	}
}

func TestProbe(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/t1":
			http.Error(w, "boom\x1b[31m", http.StatusServiceUnavailable)
		case "/t2":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, "all is well")
		}
	})
	check := func(p spec.Probe) spec.Check {
		p.HTTP, p.Timeout = url+"/{{id}}", spec.Duration(5*time.Second)
		return spec.Check{Probe: &p}
	}
	for _, tc := range []struct {
		probe spec.Probe
		n     int
		want  Verdict
		says  string
	}{
		{spec.Probe{}, 1, Pass, "all 1 exposed targets answer as they should"},
		{spec.Probe{}, 3, Fail, "1 of 3 exposed targets: t1 answered 503 Service Unavailable"},
		{spec.Probe{Contains: "well"}, 1, Pass, "all 1 exposed targets answer as they should"},
		{spec.Probe{Contains: "well"}, 3, Fail, `2 of 3 exposed targets: t1 answered 503 Service Unavailable; t2 answered without "well"`},
		{spec.Probe{Status: 503}, 2, Fail, "1 of 2 exposed targets: t0 answered 200, expected 503"},
	} {
		res := one(t, external(t, check(tc.probe), tc.n, "x"))
		require.Equal(t, tc.says, res.Sentence)
		require.Equal(t, tc.want, res.Verdict)
	}
}

// Silence counts when it lasts for three looks.
func TestProbeTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := external(t, spec.Check{Probe: &spec.Probe{TCP: "{{address}}", Timeout: spec.Duration(time.Second)}}, 2, l.Addr().String())
	require.Equal(t, Pass, one(t, m).Verdict)
	require.NoError(t, l.Close())
	for i, want := range []Verdict{Unexercised, Unexercised, Fail} {
		r, err := m.Look(t.Context(), applied.Add(time.Duration(i+2)*time.Minute))
		require.NoError(t, err)
		require.Equal(t, want, r.Results[0].Verdict, r.Results[0].Sentence)
		require.Contains(t, r.Results[0].Sentence, "does not answer")
	}
}

// The query is Alertmanager's API, and only what began after the stage is harm.
func TestAlerts(t *testing.T) {
	alert := func(name, since, state string) string {
		return fmt.Sprintf(`{"labels":{"alertname":%q,"severity":"page"},"startsAt":%q,"status":{"state":%q,"silencedBy":[],"inhibitedBy":[]},"annotations":{},"fingerprint":"f"}`, name, since, state)
	}
	for _, tc := range []struct {
		alerts []string
		ignore bool
		want   Verdict
		says   string
	}{
		{nil, false, Pass, "no alert fires"},
		{[]string{alert("Slow", "2026-03-04T10:00:30Z", "active")}, false, Fail, "1 alerts fire: Slow severity=page"},
		{[]string{alert("Slow", "2026-03-04T10:00:30Z", "suppressed")}, false, Pass, "no alert fires"},
		{[]string{alert("Old", "2026-03-04T09:00:00Z", "active")}, false, Unexercised, "1 alerts fired already before the stage, so nothing is shown by their firing: Old severity=page"},
		{[]string{alert("Old", "2026-03-04T09:00:00Z", "active")}, true, Pass, "no alert has begun since the stage; 1 fired before: Old severity=page"},
		{[]string{alert("Near", "2026-03-04T09:59:30Z", "active")}, true, Fail, "1 alerts fire: Near severity=page"},
		{[]string{alert("Old", "2026-03-04T09:00:00Z", "active"), alert("Slow", "2026-03-04T10:00:00Z", "unprocessed")}, false, Fail, "1 alerts fire: Slow severity=page"},
	} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			if r.URL.Path != "/am/api/v2/alerts" || q.Get("active") != "true" || q.Get("silenced") != "false" || len(q["filter"]) != 2 || q["filter"][1] != `a=~"x|y"` {
				http.Error(w, r.URL.String(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "["+strings.Join(tc.alerts, ",")+"]")
		})
		res := one(t, external(t, spec.Check{Alerts: &spec.Alerts{
			Alertmanager: url + "/am/", Match: []string{"severity=page", `a=~"x|y"`}, IgnoreOlder: tc.ignore,
		}}, 1, "x"))
		require.Equal(t, tc.says, res.Sentence)
		require.Equal(t, tc.want, res.Verdict)
	}
}

func TestWebhookJudge(t *testing.T) {
	t.Setenv("JUDGE_TOKEN", "hunter2")
	var asked question
	for answer, want := range map[string]Result{
		`{"verdict":"PASS","why":"12 orders a minute"}`:                {Verdict: Pass, Sentence: "12 orders a minute"},
		`{"verdict":"FAIL","why":"hunter2 \u001b[31mwas"}`:             {Verdict: Fail, Sentence: "[redacted]  [31mwas"},
		`{"verdict":"UNEXERCISED"}`:                                    {Verdict: Unexercised, Sentence: "the judge gave no reason"},
		`{"verdict":"hunter2"}`:                                        {Verdict: NoData, Sentence: `it answered the verdict "[redacted]", expected PASS, FAIL, NODATA, STALE or UNEXERCISED`},
		`{"verdict":"STALE","why":"` + strings.Repeat("x", 500) + `"}`: {Verdict: Stale, Sentence: strings.Repeat("x", 297) + "…"},
	} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer hunter2" || json.NewDecoder(r.Body).Decode(&asked) != nil {
				http.Error(w, "no", http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer)
		})
		res := one(t, external(t, spec.Check{Webhook: &spec.WebhookJudge{URL: url, Token: "${env:JUDGE_TOKEN}", Timeout: spec.Duration(5 * time.Second)}}, 300, "x"))
		require.Equal(t, want.Verdict, res.Verdict, answer)
		require.Equal(t, want.Sentence, res.Sentence, answer)
		require.Equal(t, 300, asked.Exposed)
		require.Len(t, asked.Targets, matcherSample)
		require.Equal(t, "2.0.0", asked.Release)
		require.Equal(t, applied, asked.Since)
	}
}
