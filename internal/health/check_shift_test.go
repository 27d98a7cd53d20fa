package health

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/spec"
)

func shiftOf(s Shift) spec.Check {
	return spec.Check{Name: "latency", Weight: 1, Form: spec.Choose("shift", s)}
}

// slower is the latency of one canary beside three others, at a time: from the change on so many
// times what it was; none where that is 0.
func slower(times float64) http.RoundTripper {
	value := func(i int, at float64) float64 {
		v := float64(10+i) * (1 + 0.03*float64((int(at)/15*7+3*i)%11-5)/5)
		if i == 0 && at > float64(looked.Unix()) {
			v *= times
		}
		return v
	}
	past := pastOf(func(query string) map[string]func(at, window float64) float64 {
		out := map[string]func(at, window float64) float64{}
		for i := range 4 {
			if strings.Contains(query, fmt.Sprintf(`10\\.0\\.0\\.%d:80`, i)) {
				out[fmt.Sprintf(`"instance":"10.0.0.%d:80"`, i)] = func(at, _ float64) float64 { return value(i, at) }
			}
		}
		return out
	})
	return transport(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if form.Get("step") != "" {
			return past.RoundTrip(r)
		}
		at, _ := time.Parse(time.RFC3339Nano, form.Get("time"))
		if at.IsZero() {
			var seconds float64
			_, _ = fmt.Sscan(form.Get("time"), &seconds)
			at = time.Unix(int64(seconds), 0)
		}
		return shops(func(i int) float64 {
			if i > 3 || i == 0 && times == 0 {
				return -1
			}
			return value(i, float64(at.Unix()))
		}).RoundTrip(r)
	})
}

// canaryBinding has one exposed target and so many others.
func canaryBinding(control int) Binding {
	b := promBinding(1+control, 1)
	b.Since, b.Bake = looked, 5*time.Minute
	return b
}

// baked measures what was before the stage and looks so often after it, each time as another worker
// would.
func baked(t *testing.T, s Shift, b Binding, times float64, looks int) Result {
	t.Helper()
	h := promSpec(shiftOf(s))
	h.StaleAfter = seconds(7200)
	deps := Deps{Sources: sources, Forms: forms, Transport: slower(times)}
	since := b.Since
	b.Since = time.Time{}
	m, err := Open(h, b, deps)
	require.NoError(t, err)
	first, err := m.Look(t.Context(), looked)
	require.NoError(t, err)
	if times > 0 {
		require.Equal(t, Pass, first.Results[0].Verdict, first.Results[0].Sentence)
	}
	m, err = Open(h, b, deps)
	require.NoError(t, err)
	before, err := m.Measure(t.Context(), looked)
	require.NoError(t, err)
	raw, err := json.Marshal(before)
	require.NoError(t, err)
	require.Less(t, len(raw), 10_000)
	b.Since, b.Before = since, Baseline{}
	require.NoError(t, json.Unmarshal(raw, &b.Before))
	var kept State
	var res Result
	for n := range looks {
		m, err := Open(h, b, deps)
		require.NoError(t, err)
		if res, kept = lookOnFrom(t, m, kept, looked.Add(time.Duration(15*(n+1))*time.Second)); res.Verdict == Fail {
			break
		}
	}
	return res
}

func TestShift(t *testing.T) {
	control := Shift{Value: "latency{$cohort}", Against: spec.AgainstControl, Rise: num(0.5)}
	before := Shift{Value: "latency{$cohort}", Against: spec.AgainstBefore, Season: []string{"day", "week"}, Rise: num(0.5), Drop: num(0.5)}
	again := canaryBinding(3)
	again.Recovering = true
	for name, tc := range map[string]struct {
		shift   Shift
		binding Binding
		times   float64
		verdict Verdict
		words   string
	}{
		"as it was":                    {control, canaryBinding(3), 1, Pass, "by control and the time before"},
		"three times":                  {control, canaryBinding(3), 3, Fail, "(the nearest control target 1"},
		"less, which is no rise":       {control, canaryBinding(3), 0.1, Pass, "lower"},
		"one control target":           {control, canaryBinding(1), 3, Fail, "% higher (the nearest control target 11"},
		"last stage":                   {control, canaryBinding(0), 3, Fail, "the weaker comparison"},
		"gone":                         {control, canaryBinding(3), 0, NoData, ""},
		"before, as it was":            {before, canaryBinding(3), 1, Pass, "by the time before"},
		"before, less":                 {before, canaryBinding(3), 0.1, Fail, "by the time before: 90% lower"},
		"after a rollback, a bit more": {control, again, 1.1, Pass, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.times == 0 {
				tc.binding.Before = Baseline{}
			}
			res := baked(t, tc.shift, tc.binding, tc.times, 20)
			require.Equal(t, tc.verdict, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, tc.words)
		})
	}
}

func TestShiftSettings(t *testing.T) {
	k := kinds
	k.Drivers = []spec.Kind[spec.Settings]{{Name: "http", New: func() spec.Settings { return new(driver.HTTP) }}}
	k.Forms = []spec.Kind[spec.FormSettings]{{Name: "shift", New: ShiftForm().New}}
	parse := func(source, check string) (*spec.Document, error) {
		return spec.Parse("f.yaml", fmt.Appendf(nil, `unit: edge
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages: [{name: canary, count: 1, bake: 5m}, {name: all, reach: 100%%, bake: 5m}]
health:
  %s
  without: [alive, traffic]
  checks: [{name: latency, %s}]
`, source, check), k)
	}
	const prom = "prometheus: http://p:9090"
	for check, want := range map[string]string{
		`shift: {}`:                                                                "health.checks[0].shift.value: is required",
		`shift: {value: "x{$cohort}"}`:                                             "has no limit, expected drop or rise",
		`shift: {value: "x", rise: 1%}`:                                            "asks about all targets of the fleet",
		`shift: {value: "sum(x{$cohort})", rise: 1%}`:                              "instance",
		`shift: {value: "x{$cohort}", rise: 2000%}`:                                "such a check would hardly ever fail",
		`shift: {value: "x{$cohort}", drop: 100%}`:                                 "nothing falls by more than all of it",
		`shift: {value: "x{$cohort}", rise: 1%, against: befor}`:                   "did you mean before?",
		`shift: {value: "x{$cohort}", rise: 1%, season: [day]}`:                    "needs against: before beside it",
		`shift: {value: "x{$cohort}", rise: 1%, against: before, season: [month]}`: "expected day or week",
		`shift: {value: "x{$cohort}", rise: 1%}, max: 3`:                           "max: has no effect in a check with shift",
		`shift: {value: "x{$cohort}", rise: 1%}, weight: 0`:                        "weight: is 0",
	} {
		_, err := parse(prom, check)
		require.ErrorContains(t, err, want, check)
	}
	_, err := parse("scrape: {}", `shift: {value: x, rise: 1%}`)
	require.ErrorContains(t, err, "needs a source that can be asked about the past, such as prometheus")
	doc, err := parse(prom, `shift: {value: "x{$cohort}", rise: 20%}, weight: 3`)
	require.NoError(t, err)
	c := doc.Spec.Health.Checks[0]
	require.True(t, c.Budgeted())
	require.False(t, c.External())
	require.True(t, c.PerTarget())
	require.InDelta(t, 0.0005, doc.Spec.Health.Budget("latency", 2), 1e-9)
	require.JSONEq(t, `{"value":"x{$cohort}","against":"control","rise":0.2}`, string(c.Form.Settings))
}
