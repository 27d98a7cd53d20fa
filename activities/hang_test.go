package activities

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// hanging accepts connections and never answers, as a process that was stopped does.
func hanging(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// overSockets has targets asked for real: all answer but those that at answers another address for.
func (f *fixture) overSockets(t *testing.T, every, timeout time.Duration, at func(i int) string) HealthInput {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"release":"2.0.0","alive":true}`)
	}))
	t.Cleanup(srv.Close)
	p := f.plan
	for i := range p.Order {
		if p.Order[i].Address = at(i); p.Order[i].Address == "" {
			p.Order[i].Address = srv.Listener.Addr().String()
		}
	}
	p.Spec.Health.Every = spec.Duration(every)
	f.acts.remember(f.all.Plan, p)
	x := &driver.HTTP{Timeout: spec.Duration(timeout)}
	x.SetDefaults()
	f.acts.newDriver = func(spec.Spec) (driver.Driver, error) { return x.Driver(f.acts.sources), nil }
	return HealthInput{StageRef: StageRef{Plan: f.all.Plan}, Previous: "1.0.0", Since: time.Now()}
}

// Targets that accept and never answer are harm after three looks at their pace and one time-out,
// however many hang; and the look at whether that is cured keeps its own bound.
func TestTargetsThatHang(t *testing.T) {
	f := newFixtureWith(t, 150, spec.Health{Without: []string{spec.CheckTraffic}})
	dead := hanging(t)
	in := f.overSockets(t, time.Second, 2*time.Second, func(i int) string {
		if i%5 == 0 {
			return dead
		}
		return ""
	})
	began := time.Now()
	out := do[StageReport](t, f, f.acts.Watch, WatchInput{HealthInput: in, Until: began.Add(time.Minute)})
	require.Equal(t, health.Fail, out.Report.Verdict(), "%+v", out.Report)
	require.Contains(t, out.Report.Results[0].Sentence, "30 of 150 exposed targets")
	require.Less(t, time.Since(began), (3*1+2+2)*time.Second)

	began = time.Now()
	out = do[StageReport](t, f, f.acts.Recover, RecoverInput{HealthInput: in, Until: began.Add(3 * time.Second)})
	require.NotEqual(t, health.Pass, out.Report.Verdict())
	require.Less(t, time.Since(began), 4*time.Second)
}
