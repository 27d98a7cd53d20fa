package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// pastServer is a Prometheus API over what six edges counted in eight hours: ten requests a second
// each, of which one in fifty fails, by chance.
type pastServer struct {
	begin  time.Time
	counts map[string][2][]float64 // by address: failed and all requests until each second
}

const recordedFor = 8 * time.Hour

// record draws counters; factor says how many times as many requests of an edge fail in a second.
func record(seed uint64, factor func(edge string, second int) float64) *pastServer {
	r := &pastServer{begin: time.Now().Truncate(time.Second).Add(-recordedFor), counts: map[string][2][]float64{}}
	src := rand.NewPCG(seed, 1)
	for n := range 6 {
		edge := fmt.Sprintf("edge%d:80", n+1)
		var c [2][]float64
		bad, all := 0.0, 0.0
		for s := range int(recordedFor.Seconds()) + 1 {
			c[0], c[1] = append(c[0], bad), append(c[1], all)
			failed := distuv.Poisson{Lambda: 0.2 * factor(edge, s), Src: src}.Rand()
			bad, all = bad+failed, all+failed+distuv.Poisson{Lambda: 9.8, Src: src}.Rand()
		}
		r.counts[edge] = c
	}
	return r
}

var windowOf = regexp.MustCompile(`\[(\w+)\]`)

// increase is what the edges of a query counted in its window.
func (r *pastServer) increase(query string, at float64) (sum float64, known bool) {
	window, err := time.ParseDuration(windowOf.FindStringSubmatch(query)[1])
	if err != nil {
		panic(err)
	}
	kind := 1
	if strings.Contains(query, "code=") {
		kind = 0
	}
	to := int(at - float64(r.begin.Unix()))
	from := max(0, to-int(window.Seconds()))
	for edge, c := range r.counts {
		if strings.Contains(query, edge) && from < to && to < len(c[kind]) {
			sum, known = sum+c[kind][to]-c[kind][from], true
		}
	}
	return sum, known
}

func (r *pastServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if strings.HasSuffix(req.URL.Path, "/query") {
		r.now(w, req.FormValue("query"))
		return
	}
	if !strings.HasSuffix(req.URL.Path, "query_range") {
		http.NotFound(w, req)
		return
	}
	number := func(name string) float64 {
		v, err := strconv.ParseFloat(req.FormValue(name), 64)
		if err != nil {
			panic(err)
		}
		return v
	}
	start, end, step := number("start"), number("end"), number("step")
	if (end-start)/step > 11000 {
		http.Error(w, `{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries"}`, http.StatusBadRequest)
		return
	}
	var values [][2]any
	for at := start; at <= end+1e-6; at += step {
		if v, ok := r.increase(req.FormValue("query"), at); ok {
			values = append(values, [2]any{at, fmt.Sprint(v)})
		}
	}
	series := []any{}
	if len(values) > 0 {
		series = append(series, map[string]any{"metric": map[string]string{}, "values": values})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": series}})
}

// now answers what an instant query asks for of an edge: that it is up, or its counters.
func (r *pastServer) now(w http.ResponseWriter, query string) {
	w.Header().Set("Content-Type", "application/json")
	var result []any
	for edge, c := range r.counts {
		sample := func(name, code string, v float64) {
			result = append(result, map[string]any{
				"metric": map[string]string{"__name__": name, "instance": edge, "code": code}, "value": []any{0, fmt.Sprint(v)},
			})
		}
		last := len(c[1]) - 1
		if strings.Contains(query, "offset 5m") {
			last -= 300
		}
		switch {
		case query == "up":
			sample("up", "", 1)
		case strings.HasPrefix(query, "{") && strings.Contains(query, edge):
			sample("requests_total", "500", c[0][last])
			sample("requests_total", "200", c[1][last]-c[0][last])
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": result}})
}

// compared writes a spec that compares errors with the others, and its fleet.
func compared(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	fleet := "targets:\n"
	for n := range 6 {
		fleet += fmt.Sprintf("  - {id: edge%[1]d, address: \"edge%[1]d:80\"}\n", n+1)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fleet.yaml"), []byte(fleet), 0o600))
	spec := filepath.Join(dir, "rollout.yaml")
	require.NoError(t, os.WriteFile(spec, []byte(`unit: edge
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: canary, count: 1, bake: 10m}
  - {name: all, reach: 100%, bake: 10m}
health:
  `+source+`
  every: 15s
  checks:
    - name: errors
      bad: sum(increase(requests_total{code="500",$exposed}[$window]))
      total: sum(increase(requests_total{$exposed}[$window]))
      against: control
`), 0o600))
	return spec
}

func serve(t *testing.T, r *pastServer) string {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return "prometheus: " + server.URL + "\n  identify: {label: instance, value: \"{{address}}\"}"
}

// span is the whole of what was recorded.
func (r *pastServer) span() []string {
	return []string{"--from", r.begin.Format(time.RFC3339), "--to", r.begin.Add(recordedFor).Format(time.RFC3339)}
}

func backtested(t *testing.T, r *pastServer, spec string, more ...string) tested {
	t.Helper()
	got := sluice(t, "", append(append([]string{"backtest", spec, "--output", "json"}, r.span()...), more...)...)
	require.Equal(t, exitOK, got.code, got.errOut)
	var out tested
	require.NoError(t, json.Unmarshal([]byte(got.out), &out))
	require.Len(t, out.Checks, 2)
	return out
}

func TestBacktestOfAHealthyPast(t *testing.T) {
	t.Parallel()
	r := record(1, func(string, int) float64 { return 1 })
	spec := compared(t, serve(t, r))
	for _, c := range backtested(t, r, spec).Checks {
		require.Equal(t, 47, c.Bakes, "%+v", c)
		require.Zero(t, c.Failed, "%+v", c)
		require.GreaterOrEqual(t, c.Passed, 46, "%+v", c) // one in a hundred is held
		require.Len(t, c.Worst, 1)
	}
	out := backtested(t, r, spec, "--rate", "5%", "--every", "2m")
	require.InDelta(t, 0.05, out.Rate, 1e-12)
	for _, c := range out.Checks {
		require.Greater(t, c.Rate, 0.02)
		require.Equal(t, 231, c.Bakes)
		require.InDelta(t, 47, c.Apart, 2)
		require.LessOrEqual(t, c.Failed, 12, "%+v", c)
	}
}

// What hits the edges of one arm only shows, at the time at which it did; what hits all of them
// does not.
func TestBacktestOfIncidents(t *testing.T) {
	t.Parallel()
	planned := sluice(t, "", "plan", compared(t, serve(t, record(2, func(string, int) float64 { return 1 }))), "--no-predict", "--output", "json")
	canary := ""
	for n := range 6 {
		if id := fmt.Sprintf("edge%d", n+1); strings.Contains(strings.Split(planned.out, `"all"`)[0], id) {
			canary = id + ":80"
		}
	}
	require.NotEmpty(t, canary, planned.out)
	incident := func(s int) bool { return s >= 4*3600 && s < 4*3600+900 }
	r := record(2, func(edge string, s int) float64 {
		if edge == canary && incident(s) {
			return 6
		}
		return 1
	})
	c := backtested(t, r, compared(t, serve(t, r))).Checks[0]
	require.Positive(t, c.Failed, "%+v", c)
	require.LessOrEqual(t, c.Failed, 2, "%+v", c)
	for _, w := range c.Worst {
		require.WithinRange(t, w.At, r.begin.Add(4*time.Hour-10*time.Minute), r.begin.Add(4*time.Hour+15*time.Minute))
		require.Contains(t, w.Evidence, "times the usual")
	}
	r = record(3, func(_ string, s int) float64 {
		if incident(s) {
			return 6
		}
		return 1
	})
	require.Zero(t, backtested(t, r, compared(t, serve(t, r))).Checks[0].Failed, "a shared incident")
}

func TestBacktestRefuses(t *testing.T) {
	t.Parallel()
	r := record(1, func(string, int) float64 { return 1 })
	spec := compared(t, serve(t, r))
	page := compared(t, "scrape: {}")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	plain := strings.NewReplacer("sum(increase(", "", "[$window]))", "", ",$exposed", "", "{$exposed}", "").Replace(string(text))
	require.NoError(t, os.WriteFile(page, []byte(plain), 0o600))
	for says, args := range map[string][]string{
		"backtest needs a source that can be asked about the past": {page},
		"is not a rate":             {spec, "--rate", "0"},
		"is not a duration above 0": {spec, "--every", "0s"},
		"is not before":             {spec, "--from", "1h", "--to", "2h"},
	} {
		got := sluice(t, "", append([]string{"backtest"}, args...)...)
		require.Equal(t, exitInvalid, got.code, says)
		require.Contains(t, got.errOut, says)
		require.Empty(t, got.out)
	}
}

func TestPlanPredicts(t *testing.T) {
	t.Parallel()
	r := record(1, func(string, int) float64 { return 1 })
	spec := compared(t, serve(t, r))
	got := sluice(t, "", "plan", spec, "--output", "json")
	require.Equal(t, exitOK, got.code, got.errOut)
	var out planned
	require.NoError(t, json.Unmarshal([]byte(got.out), &out))
	require.Len(t, out.Forecasts, 2)
	f := out.Forecasts[0]
	require.InDelta(t, 10, f.Exposed, 0.5)
	require.InDelta(t, 50, f.Control, 1)
	require.InDelta(t, 0.02, f.Base, 0.002)
	require.InDelta(t, 1.6, f.Smallest, 0.3) // by where looks begin, their counts scatter more or less
	require.Less(t, f.Five, f.Twice)
	require.Contains(t, sluice(t, "", "plan", spec).out, "what the checks can see")
	require.NotContains(t, sluice(t, "", "plan", spec, "--no-predict").out, "what the checks can see")
}

// Where the past says that the usual bake shows no harm, init writes one that plan does not warn
// of; a bake that was given stays.
func TestInitBakesLongEnough(t *testing.T) {
	t.Parallel()
	r := record(1, func(string, int) float64 { return 0.05 })
	dir := filepath.Dir(compared(t, serve(t, r)))
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	for bake, warns := range map[string]bool{"": false, "10m": true} {
		out := filepath.Join(dir, "drafted"+bake+".yaml")
		args := []string{"init", "--unit", "edge", "--fleet", filepath.Join(dir, "fleet.yaml"), "--prometheus", server.URL, "--out", out}
		if bake != "" {
			args = append(args, "--bake", bake)
		}
		got := sluice(t, "", args...)
		require.Equal(t, exitOK, got.code, got.errOut)
		text, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, !warns, strings.Contains(string(text), "# a shorter bake does not show harm"), string(text))
		require.Equal(t, warns, strings.Contains(sluice(t, "", "plan", out).out, "or expose more"))
	}
}

// A plan needs no source: it says why there is no prediction, and is as good as ever.
func TestPlanWithoutASource(t *testing.T) {
	gone := compared(t, "prometheus: http://"+nowhere(t)+"\n  identify: {label: instance, value: \"{{address}}\"}")
	got := sluice(t, "", "plan", gone)
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.errOut, "no prediction of what the checks can see: errors: no usable answer from")
	require.Equal(t, sluice(t, "", "plan", gone, "--no-predict").out, got.out)
}
