package prometheus

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// opened is a source that asks a server about one target of each arm.
func opened(t *testing.T, h http.HandlerFunc, since time.Time) source.Source {
	t.Helper()
	return openedOf(t, h, source.Scope{Since: since})
}

// openedOf is opened with more that is known of the stage.
func openedOf(t *testing.T, h http.HandlerFunc, scope source.Scope) source.Source {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	of := func(id string) []fleet.Target { return []fleet.Target{{ID: id, Address: id + ":80"}} }
	scope.Exposed, scope.Cohort, scope.Control = of("web"), of("web"), of("other")
	p, err := source.Registry{{Name: "prometheus", Open: Open}}.Open(spec.Health{
		Source: spec.Choose("prometheus", s.URL), Identify: spec.Identify{Label: "instance", Value: "{{address}}"},
		Every: spec.Duration(5 * time.Second), Window: spec.Duration(time.Minute), StaleAfter: spec.Duration(10 * time.Second),
	}, scope, source.Deps{})
	require.NoError(t, err)
	p.Refresh(t.Context(), time.Now(), scope.Since)
	return p
}

// A server may move the times that it is asked about to whole steps, and leave out what it has not
// taken in yet: the same looks come out.
func TestPastOfServersWithHabits(t *testing.T) {
	const total = "sum(increase(x{$exposed}[$window]))"
	at := time.Unix(1_772_366_463, 217e6) // no whole step
	past := func(aligned bool) []float64 {
		p := opened(t, func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			number := func(field string) float64 {
				f, err := strconv.ParseFloat(r.Form.Get(field), 64)
				require.NoError(t, err)
				return f
			}
			start, end, step := number("start"), number("end"), number("step")
			if aligned { // as VictoriaMetrics does
				start, end = float64(int64(start/step))*step, float64(int64(end/step))*step
			}
			long := 60.0
			if strings.Contains(r.Form.Get("query"), "[55s]") {
				long = 55
			}
			var points []string
			for ts := start; ts <= end+1e-9; ts += step {
				points = append(points, fmt.Sprintf(`[%.3f,"%g"]`, ts, 10*long))
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]}}`, strings.Join(points, ","))
		}, time.Time{})
		out, r := source.HistoryOf(p).Past(t.Context(), total, source.Exposed, at, 6, 5*time.Second)
		require.Empty(t, r.Verdict, r.Why)
		return out
	}
	require.Equal(t, []float64{50, 50, 50, 50, 50, 50}, past(false))
	require.Equal(t, past(false), past(true))
}

// world answers instant queries by what they hold: the first that fits.
type world [][2]string

func (o world) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	w.Header().Set("Content-Type", "application/json")
	result := "[]"
	for _, one := range o {
		if strings.Contains(r.Form.Get("query"), one[0]) {
			result = one[1]
			break
		}
	}
	_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":%s}}`, result)
}

// What the exposed targets showed before the stage they must still show.
func TestWhatVanished(t *testing.T) {
	since := time.Now().Add(-30 * time.Second)
	w := source.Window{From: since, At: since.Add(30 * time.Second)}
	one := func(v string) string { return `[{"metric":{"instance":"web:80"},"value":[1,"` + v + `"]}]` }
	now := one(fmt.Sprint(w.At.Unix()))
	const bad = `sum(increase(x{code=~"5..",$exposed}[$window]))`
	count := func(o world, a source.Arm, l source.OnEmpty) source.Reading {
		return opened(t, o.ServeHTTP, since).Count(context.WithoutCancel(t.Context()), bad, a, w, l)
	}
	for name, tc := range map[string]struct {
		is   world
		says string // of why it is unknown; empty where it is known
		want float64
	}{
		"no error yet": {world{{`timestamp(x{code!=""`, now}, {"count by (instance) (x", one("2")}}, "", 0},
		"none on these targets": {
			world{{`timestamp(x{code!="",instance!=""}`, now}}, "none of the targets that are asked about has series such as", 0,
		},
		"the series of a target are gone": {
			world{{"> 0", one("400")}, {"timestamp", now}, {"[30s]", one("3")}}, "1 of the exposed targets show no series such as x", 0,
		},
		"too little came before to tell": {world{{"> 0", one("4")}, {" unless ", "[]"}, {"timestamp", now}, {"[30s]", one("3")}}, "", 3},
		"many errors were usual, and none": {
			world{{`timestamp(x{code!=""`, now}, {`code=~"5..",instance=~"web:80"}[1m]`, one("40")}, {`instance=~"other:80"}[30s]`, one("20")}},
			"no series of such events any more, of which about 20 were expected", 0,
		},
		"many were there before, and the others have none now": {
			world{{`timestamp(x{code!=""`, now}, {`code=~"5..",instance=~"web:80"}[1m]`, one("40")}, {`instance=~"other:80"}[30s]`, one("1")}}, "", 0,
		},
		"series are born with events": {world{{" unless ", one("7")}, {"timestamp", now}, {"[30s]", one("3")}}, "", 10},
	} {
		r := count(tc.is, source.Exposed, source.EmptyIsZero)
		if tc.says != "" {
			require.Contains(t, r.Why, tc.says, name)
			require.NotEmpty(t, r.Verdict, name)
			continue
		}
		require.Empty(t, r.Verdict, "%s: %s", name, r.Why)
		require.InDelta(t, tc.want, r.Value, 0, name)
	}
}

// A target that may be silent is no reason for want of a verdict if the server reads nothing at all
// of it; one that is read and lacks its series is.
func TestWhatVanishedOfASilentTarget(t *testing.T) {
	since := time.Now().Add(-30 * time.Second)
	w := source.Window{From: since, At: since.Add(30 * time.Second)}
	one := func(v string) string { return `[{"metric":{"instance":"web:80"},"value":[1,"` + v + `"]}]` }
	for name, tc := range map[string]struct {
		silent int
		up     string
		known  bool
	}{
		"silent":              {1, one("0"), true},
		"silent, and may not": {0, one("0"), false},
		"read all the same":   {1, one("1"), false},
		"nobody knows":        {1, "[]", false},
	} {
		server := world{
			{"> 0", one("400")},
			{"max by (instance) (up", tc.up},
			{"up{", "[]"},
			{"timestamp", one(fmt.Sprint(w.At.Unix()))},
			{"sum(increase(x", one("3")},
		}
		r := openedOf(t, server.ServeHTTP, source.Scope{Since: since, Silent: tc.silent}).
			Count(t.Context(), "sum(increase(x{$exposed}[$window]))", source.Exposed, w, source.EmptyIsUnknown)
		require.Equal(t, tc.known, r.Verdict == "", "%s: %s", name, r.Why)
	}
}

// A ratio without a numerator, on targets that go on counting, is not just unknown.
func TestGone(t *testing.T) {
	since := time.Now().Add(-30 * time.Second)
	w := source.Window{From: since, At: since.Add(30 * time.Second)}
	const ok = `sum(rate(x{code!~"5..",$exposed}[$window])) / sum(rate(x{$exposed}[$window]))`
	one := func(v string) string { return `[{"metric":{"instance":"web:80"},"value":[1,"` + v + `"]}]` }
	before := [2]string{"[1m])) / sum", one("0.99")}
	gauge := func(o world) source.Reading { return opened(t, o.ServeHTTP, since).Gauge(t.Context(), ok, w) }
	goes := [2]string{`sum(increase(x{instance=~"web:80"}[30s]))`, one("900")}
	r := gauge(world{before, goes})
	require.Contains(t, r.Gone, `no series of x{code!~"5..",instance=~"web:80"} is left`)
	require.Empty(t, gauge(world{before}).Gone, "nothing goes on")
	require.Empty(t, gauge(world{goes}).Gone, "there was nothing before")
	require.Empty(t, gauge(world{before, goes, {"timestamp", one("1")}}).Gone, "its series are there")
}

// Whichever question of a look is answered in part only, nothing is known.
func TestAnyPartialAnswerIsNone(t *testing.T) {
	since := time.Now().Add(-30 * time.Second)
	w := source.Window{From: since, At: since.Add(30 * time.Second)}
	one := func(v string) string { return `[{"metric":{"instance":"web:80"},"value":[1,"` + v + `"]}]` }
	now := one(fmt.Sprint(w.At.Unix()))
	errors := world{
		{"> 0", one("400")},
		{"count by (instance) (", one("2")},
		{" unless ", "[]"},
		{`timestamp(x{code!=""`, now},
		{"up{", one("1")},
		{"count by (instance, ", one("2")},
		{"timestamp(x{instance", now},
		{"5..", "[]"},
		{"increase(x{", one("900")},
	}
	const bad, total = `sum(increase(x{code=~"5..",$exposed}[$window]))`, `sum by (instance) (increase(x{$exposed}[$window]))`
	ask := map[string]func(t *testing.T, p source.Source) source.Reading{
		"no bad event": func(t *testing.T, p source.Source) source.Reading {
			t.Helper()
			return p.Count(t.Context(), bad, source.Exposed, w, source.EmptyIsZero)
		},
		"of each": func(t *testing.T, p source.Source) source.Reading {
			t.Helper()
			return source.PerTargetOf(p).Counts(t.Context(), total, w, source.EmptyIsUnknown).Reading
		},
	}
	for name, which := range map[string][]string{
		"no bad event": {"", "> 0", "count by (instance) (x", `timestamp(x{code!=""`, "[1m]", `other:80`},
		"of each":      {"", "up{", "count by (instance, ", "timestamp(", " unless "},
	} {
		for _, partly := range which {
			t.Run(name+", "+partly, func(t *testing.T) {
				t.Parallel() // since an answer is asked for again
				asked := false
				r := ask[name](t, opened(t, func(rw http.ResponseWriter, r *http.Request) {
					_ = r.ParseForm()
					if q := r.Form.Get("query"); partly != "" && strings.Contains(q, partly) {
						asked = true
						rw.Header().Set("Content-Type", "application/json")
						_, _ = fmt.Fprint(rw, `{"status":"success","warnings":["a store is away"],"data":{"resultType":"vector","result":[]}}`)
						return
					}
					errors.ServeHTTP(rw, r)
				}, since))
				require.Equal(t, partly != "", asked)
				if partly == "" {
					require.Empty(t, r.Verdict, r.Why)
					return
				}
				require.NotEmpty(t, r.Verdict)
				require.Contains(t, r.Why, "its answer is partial: a store is away")
			})
		}
	}
}
