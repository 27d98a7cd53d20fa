package health_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

func post(t *testing.T, url string, body any) {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	res, err := http.Post(url, "application/json", bytes.NewReader(data))
	require.NoError(t, err)
	said, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode, string(said))
}

func TestRealAlertmanager(t *testing.T) {
	if testing.Short() {
		t.Skip("short: starts a real Alertmanager")
	}
	dir := t.TempDir()
	url, stop := startProgram(t, "prometheus-alertmanager", dir, "route: {receiver: none}\nreceivers: [{name: none}]\n",
		"--storage.path="+dir, "--cluster.listen-address=")
	const release = `2.0.0+"b\.*"` // all that has to be escaped somewhere
	fire := func(name string, began, ends time.Time) {
		post(t, url+"/api/v2/alerts", []map[string]any{{
			"labels": map[string]string{"alertname": name, "severity": "critical", "release": release}, "startsAt": began, "endsAt": ends,
		}})
	}
	now := time.Now()
	later := now.Add(time.Hour)
	targets := []fleet.Target{{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1"}}
	b := health.Binding{Scope: source.Scope{
		Unit: "edge", Release: release, Stage: "canary", Since: now,
		Exposed: targets[:1], Cohort: targets[:1], Control: targets[1:],
	}}
	ask := health.Alerts{Alertmanager: url, Match: []string{
		"severity=critical", `release="$release"`, `release=~"$release"`, `release!~"x$release"`, `alertname!="Watchdog"`,
	}}
	open := func() *health.Evaluator {
		m, err := health.Open(spec.Health{
			Every: second, Window: 20 * second, StaleAfter: 5 * second, Without: []string{spec.CheckAlive, spec.CheckTraffic},
			Checks: []spec.Check{{Name: "alerts", Form: spec.Choose("alerts", ask)}},
		}, b, health.Deps{Sources: sources, Forms: forms})
		require.NoError(t, err)
		return m
	}
	look := func() health.Result {
		r, err := open().Look(t.Context(), now.Add(time.Minute))
		require.NoError(t, err)
		return r.Results[0]
	}
	verdict := func(want health.Verdict, says string) {
		t.Helper()
		res := look()
		require.Equal(t, want, res.Verdict, res.Sentence)
		require.Contains(t, res.Sentence, says)
	}
	measure := func() {
		var err error
		b.Before, err = open().Baseline(t.Context(), now)
		require.NoError(t, err)
	}
	measure()
	verdict(health.Pass, "no alert fires")

	fire("Old", now.Add(-time.Hour), later)
	measure()
	require.Len(t, b.Before.Alerts["alerts"].Began, 1)
	verdict(health.Unexercised, "1 alert firing since before the stage")
	ask.IgnoreOlder = true
	verdict(health.Pass, "1 alert firing since before (ignoreOlder): Old{")

	fire("New", now.Add(time.Second), later)
	verdict(health.Fail, "1 alert began with the stage: New{")
	post(t, url+"/api/v2/silences", map[string]any{
		"matchers": []map[string]any{{"name": "alertname", "value": "New", "isRegex": false}},
		"startsAt": now.Add(-time.Minute), "endsAt": later, "createdBy": "test", "comment": "test",
	})
	verdict(health.Pass, "1 alert firing since before (ignoreOlder): Old{")

	fire("Old", now.Add(-time.Hour), time.Now()) // resolved
	require.Eventually(t, func() bool { return look().Sentence == "no alert fires" }, 10*time.Second, 50*time.Millisecond)

	ask.Watchdog = []string{"alertname=Watchdog"}
	verdict(health.NoData, "the watchdog")
	fire("Watchdog", now.Add(-time.Hour), later)
	verdict(health.Pass, "no alert fires")

	stop()
	verdict(health.NoData, "no usable answer from 127.0.0.1:")
}
