package health

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// alertmanager speaks Alertmanager's API v2 as its OpenAPI says, for alerts that a test decides.
type alertmanager struct {
	t      *testing.T
	alerts []map[string]any
}

func (a *alertmanager) add(fingerprint, state string, began time.Time, labels map[string]string) {
	a.alerts = append(a.alerts, map[string]any{
		"annotations": map[string]string{"summary": "s"}, "endsAt": began.Add(time.Hour), "fingerprint": fingerprint,
		"receivers": []any{map[string]string{"name": "default"}}, "startsAt": began, "updatedAt": began,
		"status": map[string]any{"inhibitedBy": []string{}, "silencedBy": []string{}, "mutedBy": []string{}, "state": state},
		"labels": labels, "generatorURL": "http://prometheus/graph",
	})
}

func (a *alertmanager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path != "/am/api/v2/alerts" || r.Method != http.MethodGet {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": 404, "message": "path " + r.URL.Path + " was not found"})
		return
	}
	q := r.URL.Query()
	show := map[string]bool{}
	for name, state := range map[string]string{"active": "active", "silenced": "suppressed", "inhibited": "suppressed", "unprocessed": "unprocessed"} {
		on, err := strconv.ParseBool(q.Get(name))
		if q.Has(name) && err != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(map[string]any{"code": 601, "message": name + " in query must be of type boolean"})
			return
		}
		show[state] = !q.Has(name) || on
		q.Del(name)
	}
	filters := q["filter"]
	q.Del("filter")
	assert.Empty(a.t, q, "parameters that the API does not have")
	out := []any{}
	for _, one := range a.alerts {
		if show[one["status"].(map[string]any)["state"].(string)] && a.matches(one["labels"].(map[string]string), filters) {
			out = append(out, one)
		}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// matches reads filters as PromQL does, which is how Alertmanager writes them, too.
func (a *alertmanager) matches(labels map[string]string, filters []string) bool {
	for _, f := range filters {
		ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector("{__name__=\"\"," + f + "}")
		require.NoError(a.t, err, f)
		for _, m := range ms {
			if !m.Matches(labels[m.Name]) {
				return false
			}
		}
	}
	return true
}

func alertsSpec(a Alerts) spec.Health {
	return externalSpec(spec.Check{Name: "alerts", Form: spec.Choose("alerts", a)})
}

func TestAlerts(t *testing.T) {
	am := &alertmanager{t: t}
	s := httptest.NewServer(am)
	t.Cleanup(s.Close)
	b := newFarm(t, 2).binding(1)
	ask := Alerts{Alertmanager: s.URL + "/am/", Match: []string{"severity=critical", `release=~"$release|"`}}
	look := func() Result {
		m, err := Open(alertsSpec(ask), b, Deps{Sources: sources, Forms: forms})
		require.NoError(t, err)
		r, err := m.Look(t.Context(), b.Since.Add(time.Minute))
		require.NoError(t, err)
		return r.Results[0]
	}
	baseline := func() Baseline {
		m, err := Open(alertsSpec(ask), b, Deps{Sources: sources, Forms: forms})
		require.NoError(t, err)
		before, err := m.Baseline(t.Context(), b.Since)
		require.NoError(t, err)
		return before
	}
	critical := map[string]string{"alertname": "Down", "severity": "critical", "instance": "a\x1b[31m"}

	b.Before = baseline()
	require.Empty(t, b.Before.Alerts["alerts"])
	am.add("01", "active", b.Since.Add(time.Second), map[string]string{"alertname": "Slow", "severity": "warning"})
	am.add("02", "suppressed", b.Since.Add(time.Second), critical)
	am.add("03", "active", b.Since.Add(time.Second), map[string]string{"alertname": "Down", "severity": "critical", "release": "1.9.0"})
	res := look()
	require.Equal(t, Pass, res.Verdict, res.Sentence)
	require.Equal(t, "no alert fires", res.Sentence)
	require.Equal(t, []string{`alerts {severity="critical",release=~"2\\.0\\.0|"}`}, res.Queries)

	// One that fired before is not the change's doing, and nothing to pass by.
	am.add("04", "active", b.Since.Add(-time.Hour), critical)
	b.Before = baseline()
	require.Equal(t, map[string]time.Time{"04": b.Since.Add(-time.Hour)}, b.Before.Alerts["alerts"].Began)
	res = look()
	require.Equal(t, Unexercised, res.Verdict)
	require.Equal(t, "1 alert firing since before the stage: no harm of the change, and no health either while it lasts: "+
		"Down{instance=a [31m,severity=critical} since 11:00:00 UTC", res.Sentence)
	ask.IgnoreOlder = true
	require.Equal(t, Pass, look().Verdict)

	// It ends and begins again, or another one begins.
	am.alerts[3]["startsAt"] = b.Since.Add(time.Second)
	res = look()
	require.Equal(t, Fail, res.Verdict, res.Sentence)
	require.Equal(t, "1 alert began with the stage: Down{instance=a [31m,severity=critical} since 12:00:01 UTC", res.Sentence)
	am.alerts = nil
	am.add("05", "unprocessed", b.Since.Add(time.Second), critical)
	require.Equal(t, Fail, look().Verdict)
	require.False(t, look().Pending)

	// Who watches the watchers?
	am.alerts, ask.Watchdog = nil, []string{"alertname=Watchdog"}
	res = look()
	require.Equal(t, NoData, res.Verdict)
	require.Contains(t, res.Sentence, `the watchdog {alertname="Watchdog"} does not fire`)
	am.add("06", "suppressed", b.Since.Add(-time.Hour), map[string]string{"alertname": "Watchdog"})
	require.Equal(t, Pass, look().Verdict)
}

// What fired before is told by the very alerts that did, and only where that is not known by
// clocks.
func TestJudgeAlerts(t *testing.T) {
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return since.Add(time.Duration(seconds) * time.Second) }
	fired := func(seconds int) Firing { return Firing{Began: map[string]time.Time{"x": at(seconds)}} }
	for name, tc := range map[string]struct {
		began         int
		before        Firing
		measured      int // seconds before the stage was applied; 0 when nothing was
		want, ignored Verdict
	}{
		"after the stage":                        {1, Firing{}, 60, Fail, Fail},
		"while it was applied":                   {-30, Firing{}, 60, Fail, Fail},
		"just before it was measured":            {-89, Firing{}, 60, Fail, Fail},
		"long before, but not seen":              {-91, Firing{}, 60, Unexercised, Unexercised},
		"before":                                 {-300, fired(-300), 60, Unexercised, Pass},
		"before, and a second replica says when": {-305, fired(-300), 60, Unexercised, Pass},
		"before, its clock ahead":                {500, fired(500), 60, Unexercised, Pass},
		"before, and anew":                       {1, fired(-300), 60, Fail, Fail},
		"not measured, after":                    {0, Firing{Missing: "down"}, 60, Fail, Fail},
		"not measured, before":                   {-1, Firing{Missing: "down"}, 60, Unexercised, Unexercised},
		"not measured, long before":              {-9999, Firing{Missing: "down"}, 60, Unexercised, Unexercised},
		"too many to know all, one known":        {-300, Firing{Missing: "many", Began: fired(-300).Began}, 60, Unexercised, Pass},
		"never measured, after":                  {1, Firing{}, 0, Fail, Fail},
		"never measured, before":                 {-1, Firing{}, 0, Unexercised, Unexercised},
	} {
		t.Run(name, func(t *testing.T) {
			s := alertBaseline{since: since, before: tc.before, doubt: 30 * time.Second}
			if tc.measured > 0 {
				s.baseline = at(-tc.measured)
			}
			firing := []alert{{fingerprint: "x", labels: map[string]string{"alertname": "Down"}, began: at(tc.began)}}
			for ignore, want := range map[bool]Verdict{false: tc.want, true: tc.ignored} {
				s.ignoreOlder = ignore
				require.Equal(t, want, judgeAlerts(spec.Check{}, Result{}, firing, s).Verdict, "ignoreOlder: %v", ignore)
				require.Equal(t, Pass, judgeAlerts(spec.Check{}, Result{}, nil, s).Verdict)
			}
		})
	}
	// An alert is as old as it is by the clock of who says so.
	for ahead, want := range map[time.Duration]Verdict{0: Fail, 10 * time.Minute: Unexercised} {
		a := alert{fingerprint: "x", labels: map[string]string{"alertname": "Down"}, began: at(60), ahead: ahead}
		require.Equal(t, want, judgeAlerts(spec.Check{}, Result{}, []alert{a}, alertBaseline{since: since}).Verdict)
	}
	// Before anything is changed, what fires is harm that is there already.
	firing := []alert{{fingerprint: "x", labels: map[string]string{"alertname": "Down"}, began: since}}
	res := judgeAlerts(spec.Check{}, Result{}, firing, alertBaseline{})
	require.Equal(t, Fail, res.Verdict)
	require.Equal(t, "1 alert firing before the change: Down{} since 12:00:00 UTC", res.Sentence)
	require.Equal(t, Pass, judgeAlerts(spec.Check{}, Result{}, firing, alertBaseline{ignoreOlder: true}).Verdict)
}

// A baseline is small, and says what it does not hold.
func TestAlertsBaseline(t *testing.T) {
	am := &alertmanager{t: t}
	s := httptest.NewServer(am)
	t.Cleanup(s.Close)
	b := newFarm(t, 2).binding(1)
	h := alertsSpec(Alerts{Alertmanager: s.URL + "/am", Match: []string{"severity=critical"}})
	measure := func() Firing {
		m, err := Open(h, b, Deps{Sources: sources, Forms: forms})
		require.NoError(t, err)
		var before Baseline
		m.checks[0].Check.(measurer).measure(t.Context(), source.Window{}, &before)
		return before.Alerts["alerts"]
	}
	for i := range maxFiring + 1 {
		am.add(fmt.Sprintf("%016x", i), "active", b.Since, map[string]string{"severity": "critical"})
	}
	got := measure()
	require.Len(t, got.Began, maxFiring)
	require.Equal(t, "101 alerts fired, more than are kept", got.Missing)
	s.Close()
	require.Contains(t, measure().Missing, "no usable answer from 127.0.0.1:")
	require.True(t, Baseline{Alerts: map[string]Firing{"a": measure()}}.lacks())
}

func TestAlertsNeedMatchers(t *testing.T) {
	b := newFarm(t, 2).binding(1)
	_, err := Open(alertsSpec(Alerts{Alertmanager: "http://am"}), b, Deps{Sources: sources, Forms: forms})
	require.ErrorContains(t, err, `check "alerts": alerts.match: is empty`)
	_, err = Open(alertsSpec(Alerts{Alertmanager: "http://am", Match: []string{"a"}}), b, Deps{Sources: sources, Forms: forms})
	require.ErrorContains(t, err, "is not a matcher")
}
