package health_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// story is what targets show over time, and what no look at it may take for evidence. Times count
// from the apply, by a clock that is right.
type story struct {
	name string
	// shows is what a target shows; targets 0 and 1 are exposed.
	shows func(target int, at time.Duration) shown
	// source and worker are how far their clocks are ahead.
	source, worker time.Duration
	warmup         time.Duration
	// sampled is how often a source that samples by itself does; 5s if it does not say.
	sampled time.Duration
	// late is how long it takes until a source shows a sample, and twice says that one that samples
	// by itself has every sample two times.
	late  time.Duration
	twice bool
	looks []time.Duration
	// checks are whom it is about; all of the suite's if it names none. "traffic" is asked only
	// where it is named.
	checks []string
	// never are verdicts that no look gives, and last is what the last one gives.
	never []health.Verdict
	last  []health.Verdict
}

// shown is a target's page.
type shown struct {
	bad, total, queue float64
	gone              bool
}

// rate is how much a target does per second from a time on.
type rate struct {
	from       time.Duration
	total, bad float64
	queue      float64
	// restart begins the counters at zero.
	restart, gone bool
}

// storyBegins is long before the apply.
const storyBegins = -6 * time.Minute

// all is a fleet of which every target goes through the same.
func all(rates ...rate) func(int, time.Duration) shown {
	return func(_ int, at time.Duration) shown { return at1(rates, at) }
}

// at1 is what a target shows that goes through some rates.
func at1(rates []rate, at time.Duration) shown {
	s := shown{bad: 100, total: 1_000_000}
	for i, r := range rates {
		if r.from > at {
			break
		}
		until := at
		if i+1 < len(rates) {
			until = min(at, rates[i+1].from)
		}
		if r.restart {
			s.bad, s.total = 0, 0
		}
		span := (until - r.from).Seconds()
		s.bad, s.total = s.bad+span*r.bad, s.total+span*r.total
		s.queue, s.gone = r.queue, r.gone
	}
	return s
}

func sec(n ...int) []time.Duration {
	var out []time.Duration
	for _, v := range n {
		out = append(out, time.Duration(v)*time.Second)
	}
	return out
}

func stories() []story {
	const pass, fail, stale, none, idle = health.Pass, health.Fail, health.Stale, health.NoData, health.Unexercised
	good := func(from time.Duration) rate { return rate{from: from, total: 20, bad: 0.1, queue: 3} }
	bad := func(from time.Duration) rate { return rate{from: from, total: 20, bad: 8, queue: 9} }
	gone := func(from time.Duration) rate { return rate{from: from, gone: true} }
	anew := func(r rate) rate { r.restart = true; return r }
	still := func(from time.Duration) rate { return rate{from: from, queue: 3} }
	is := func(vs ...health.Verdict) []health.Verdict { return vs }
	ratios, traffic := []string{"errors", "each errors"}, []string{spec.CheckTraffic}
	half := func(then rate) func(int, time.Duration) shown { // the control goes on
		return func(target int, at time.Duration) shown {
			if target < 2 {
				return at1([]rate{good(storyBegins), then}, at)
			}
			return at1([]rate{good(storyBegins)}, at)
		}
	}
	var crashes []rate
	for at := time.Duration(0); at < 2*time.Minute; at += 30 * time.Second {
		crashes = append(crashes, anew(bad(at)))
	}
	return []story{
		{name: "health", shows: all(good(storyBegins)), looks: sec(20, 40, 60), never: is(fail), last: is(pass)},
		{name: "harm", shows: all(good(storyBegins), bad(0)), looks: sec(20, 40, 60), never: is(pass), last: is(fail)},
		{name: "harm before, health after", shows: all(bad(storyBegins), good(0)), looks: sec(16, 31, 46, 61), never: is(fail), last: is(pass)},
		{name: "health before, silence after", shows: all(good(storyBegins), still(0)), looks: sec(16, 31, 46, 61), checks: ratios, never: is(pass, fail), last: is(idle)},
		{name: "harm before, silence after", shows: all(bad(storyBegins), still(0)), looks: sec(16, 31, 46, 61), checks: ratios, never: is(pass, fail), last: is(idle)},
		{name: "health before, gone after", shows: all(good(storyBegins), gone(0)), looks: sec(16, 25, 46, 61), never: is(pass, fail), last: is(stale, none)},
		{name: "harm before, gone after", shows: all(bad(storyBegins), gone(0)), looks: sec(16, 25, 46, 61), never: is(pass, fail), last: is(stale, none)},
		{name: "health, then gone", shows: all(good(storyBegins), gone(30*time.Second)), looks: sec(20, 31, 45, 100), never: is(fail), last: is(stale, none)},
		{
			name:  "a gap",
			shows: all(good(storyBegins), gone(30*time.Second), good(200*time.Second)), looks: sec(20, 31, 100, 205, 220, 235), never: is(fail), last: is(pass),
		},
		{name: "nobody looked", shows: all(good(storyBegins), bad(25*time.Second)), looks: sec(20, 300, 315), checks: ratios, last: is(fail)},
		{name: "one is gone after", shows: func(target int, at time.Duration) shown {
			if target == 1 {
				return at1([]rate{good(storyBegins), gone(0)}, at)
			}
			return at1([]rate{good(storyBegins)}, at)
		}, looks: sec(16, 31, 46, 61), checks: []string{"each errors", "each queue"}, never: is(pass, fail), last: is(stale, none)},
		{name: "one of many is harmed", shows: func(target int, at time.Duration) shown {
			if target == 1 {
				return at1([]rate{good(storyBegins), {total: 10, bad: 5, queue: 9}}, at)
			}
			return at1([]rate{good(storyBegins), {total: 200, bad: 0.1, queue: 3}}, at)
		}, looks: sec(31, 61, 91, 121), checks: []string{"each errors", "each queue"}, never: is(pass), last: is(fail)},

		{name: "the apply restarts, health after", shows: all(bad(storyBegins), anew(good(0))), looks: sec(16, 31, 46, 61), never: is(fail), last: is(pass)},
		{name: "the apply restarts, silence after", shows: all(bad(storyBegins), anew(still(0))), looks: sec(16, 31, 46, 61), checks: ratios, never: is(pass, fail), last: is(idle)},
		{name: "the apply restarts, harm after", shows: all(good(storyBegins), anew(bad(0))), looks: sec(16, 31, 46, 61), never: is(pass), last: is(fail)},
		{name: "a late restart, silence after", shows: all(still(storyBegins), anew(still(21*time.Second))), looks: sec(16, 31, 46, 61), checks: ratios, never: is(pass, fail), last: is(idle)},
		{name: "a late restart, health after", shows: all(good(storyBegins), anew(good(23*time.Second))), looks: sec(16, 31, 46, 61), never: is(fail), last: is(pass)},
		{name: "crashes again and again", shows: all(append([]rate{good(storyBegins)}, crashes...)...), looks: sec(16, 31, 46, 61, 76, 91), never: is(pass), last: is(fail)},

		{name: "a restart late, and traffic", shows: half(anew(good(24 * time.Second))), looks: sec(16, 25, 31, 46, 61, 76), checks: traffic, never: is(fail), last: is(pass)},
		{name: "a restart between two samples, and traffic", sampled: 15 * time.Second, shows: half(anew(good(24 * time.Second))), looks: sec(16, 31, 46, 61, 76, 91), checks: traffic, never: is(fail), last: is(pass)},
		{name: "a restart, and no traffic any more", shows: half(anew(still(11 * time.Second))), looks: sec(16, 31, 46, 61, 76), checks: traffic, last: is(fail)},
		{name: "no traffic any more", shows: half(still(0)), looks: sec(16, 31, 46, 61, 76), checks: traffic, last: is(fail)},

		{name: "harm while it warms up", warmup: time.Minute, shows: all(good(storyBegins), bad(0), good(time.Minute)), looks: sec(50, 76, 91, 106), never: is(fail), last: is(pass)},
		{name: "health while it warms up", warmup: time.Minute, shows: all(good(storyBegins), still(time.Minute)), looks: sec(50, 76, 91, 106), checks: ratios, never: is(pass, fail), last: is(idle)},

		{name: "health, for long", shows: all(good(storyBegins)), looks: sec(16, 31, 46, 61, 76), never: is(fail), last: is(pass)},
		{name: "harm, for long", shows: all(good(storyBegins), bad(0)), looks: sec(16, 31, 46, 61, 76), never: is(pass), last: is(fail)},
		{name: "harm before, health for long", shows: all(bad(storyBegins), good(0)), looks: sec(16, 31, 46, 61, 76), never: is(fail), last: is(pass)},
		{name: "shown late, health", late: 20 * time.Second, shows: all(good(storyBegins)), looks: sec(31, 46, 61), never: is(fail), last: is(pass)},
		{name: "shown late, harm", late: 20 * time.Second, shows: all(good(storyBegins), bad(0)), looks: sec(31, 46, 61), last: is(fail)},
		{name: "shown late, harm before", late: 20 * time.Second, shows: all(bad(storyBegins), good(0)), looks: sec(16, 31, 46, 61), never: is(fail), last: is(pass)},
		{name: "shown too late", late: 40 * time.Second, shows: all(good(storyBegins)), looks: sec(16, 31, 46, 61), never: is(pass, fail), last: is(stale)},
		{name: "every sample twice, health", twice: true, shows: all(good(storyBegins)), looks: sec(20, 40, 60), never: is(fail), last: is(pass)},
		{name: "every sample twice, harm", twice: true, shows: all(good(storyBegins), bad(0)), looks: sec(20, 40, 60), never: is(pass), last: is(fail)},

		{name: "the source is ahead, harm before", source: 3 * time.Minute, shows: all(bad(storyBegins), good(0)), looks: sec(20, 40, 100, 200, 300), never: is(pass, fail), last: is(stale)},
		{name: "the source is ahead, health before", source: 3 * time.Minute, shows: all(good(storyBegins), bad(0)), looks: sec(20, 40, 100, 200, 300), never: is(pass, fail), last: is(stale)},
		{name: "the source is far ahead", source: 20 * time.Minute, shows: all(good(storyBegins), bad(0)), looks: sec(20, 40, 100), never: is(pass, fail), last: is(stale, none)},
		{name: "the source is behind, health before", source: -3 * time.Minute, shows: all(good(storyBegins), bad(0)), looks: sec(20, 40, 100, 200), never: is(pass, fail), last: is(stale)},
		{name: "the source is behind, harm before", source: -3 * time.Minute, shows: all(bad(storyBegins), good(0)), looks: sec(20, 40, 100, 200), never: is(pass, fail), last: is(stale)},
		{name: "the worker is behind, harm before", worker: -2 * time.Minute, shows: all(bad(storyBegins), good(0)), looks: sec(20, 40, 100), never: is(pass, fail), last: is(idle)},
		{name: "the worker is behind, health before", worker: -2 * time.Minute, shows: all(good(storyBegins), bad(0)), looks: sec(20, 40, 100), never: is(pass, fail), last: is(idle)},
		{name: "the worker is ahead, harm before", worker: 3 * time.Minute, shows: all(bad(storyBegins), good(0)), looks: sec(5, 20, 35, 50), never: is(fail), last: is(pass, stale)},
		{name: "the worker is ahead, health before", worker: 3 * time.Minute, shows: all(good(storyBegins), bad(0)), looks: sec(5, 20, 35, 50), never: is(pass), last: is(fail, stale)},
	}
}

// Whatever clocks, gaps and restarts do, what was before the apply is no evidence of what is after
// it.
func TestSourcesConformInTime(t *testing.T) {
	t.Parallel()
	all := stories()
	for name, newRig := range suiteRigs {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newNetwork(t, false))
			look := r.tell(t, r, all)
			for i, s := range all {
				t.Run(s.name, func(t *testing.T) {
					var state health.State
					for n, at := range s.looks {
						m := look(t, i, n)
						require.NoError(t, m.Restore(state))
						report, err := m.Look(t.Context(), applied.Add(at+s.worker))
						require.NoError(t, err)
						state = m.State()
						presentable(t, report)
						s.judge(t, n, report)
					}
				})
			}
		})
	}
}

// judge holds a report against what may come of the story.
func (s story) judge(t *testing.T, look int, report health.Report) {
	t.Helper()
	asked := 0
	for _, res := range report.Results {
		if s.checks != nil && !slices.Contains(s.checks, res.Check) {
			continue
		}
		asked++
		require.NotContains(t, s.never, res.Verdict, "%s at %s: %s", res.Check, s.looks[look], res.Sentence)
		if look == len(s.looks)-1 {
			require.Contains(t, s.last, res.Verdict, "%s at %s: %s", res.Check, s.looks[look], res.Sentence)
		}
	}
	require.Positive(t, asked)
}

// health is what a rig asks in the story.
func (s story) health(h spec.Health) spec.Health {
	h.Warmup = spec.Duration(s.warmup)
	if slices.Contains(s.checks, spec.CheckTraffic) {
		h.Without = []string{spec.CheckAlive}
	}
	return h
}

// named is a binding about targets of its own names.
func named(b health.Binding, name string) health.Binding {
	b.Exposed, b.Control = slices.Clone(b.Exposed), slices.Clone(b.Control)
	for i := range b.Exposed {
		b.Exposed[i].Address = name + b.Exposed[i].Address
	}
	for i := range b.Control {
		b.Control[i].Address = name + b.Control[i].Address
	}
	b.Cohort = b.Exposed
	return b
}

// tellPrometheus fills a real Prometheus with the past of every look, since it must not know what
// comes after: each look is about targets of other names.
func tellPrometheus(t *testing.T, r rig, all []story) func(*testing.T, int, int) *health.Evaluator {
	t.Helper()
	address := toldPrometheus(t, all)
	return func(t *testing.T, i, n int) *health.Evaluator {
		t.Helper()
		h := all[i].health(r.health)
		h.Source = spec.Choose("prometheus", address)
		m, err := health.Open(h, named(r.binding, fmt.Sprintf("s%d-%d-", i, n)), health.Deps{Sources: sources, Forms: forms})
		require.NoError(t, err)
		return m
	}
}

// toldPrometheus is a real Prometheus with that past.
func toldPrometheus(t *testing.T, all []story) (address string) {
	t.Helper()
	text := map[string]*strings.Builder{"requests_total": {}, "queue": {}}
	for i, s := range all {
		for n, until := range s.looks {
			for target := range 4 {
				instance := fmt.Sprintf("s%d-%d-t%d:80", i, n, target)
				every := cmp.Or(s.sampled, 5*time.Second)
				var stamps []time.Duration
				for at := storyBegins + every/3*2; at <= until-s.late; at += every {
					if stamps = append(stamps, at); s.twice {
						stamps = append(stamps, at+time.Second) // from a second replica, say
					}
				}
				for _, at := range stamps {
					now := s.shows(target, at)
					stamp := applied.Add(at + s.source).Unix()
					if now.gone {
						continue
					}
					_, _ = fmt.Fprintf(text["requests_total"], "requests_total{instance=%q,code=\"200\"} %f %d\n", instance, now.total-now.bad, stamp)
					_, _ = fmt.Fprintf(text["requests_total"], "requests_total{instance=%q,code=\"500\"} %f %d\n", instance, now.bad, stamp)
					_, _ = fmt.Fprintf(text["queue"], "queue{instance=%q} %f %d\n", instance, now.queue, stamp)
				}
			}
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "past.txt")
	past := "# TYPE requests counter\n" + text["requests_total"].String() +
		"# TYPE queue gauge\n" + text["queue"].String() + "# EOF\n"
	require.NoError(t, os.WriteFile(file, []byte(past), 0o600))
	address = startPrometheus(t, nil, func(data string) {
		out, err := exec.CommandContext(t.Context(), "promtool", "tsdb", "create-blocks-from", "openmetrics", file, data).CombinedOutput()
		require.NoError(t, err, string(out))
	})
	require.Eventually(t, func() bool {
		res, err := http.Get(address + "/-/ready")
		if err != nil {
			return false
		}
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}, time.Minute, 50*time.Millisecond)
	return address
}

// tellScrape shows on every page what there is at the time of the look. A page tells the time only
// where that is what the story is about.
func tellScrape(t *testing.T, r rig, all []story) func(*testing.T, int, int) *health.Evaluator {
	t.Helper()
	return func(t *testing.T, i, n int) *health.Evaluator {
		t.Helper()
		s := all[i]
		at := s.looks[n]
		r.net.answer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			var target int
			_, _ = fmt.Sscanf(req.Header.Get("For"), "t%d:80", &target)
			now := s.shows(target, at-s.late)
			if now.gone {
				http.Error(w, "gone", http.StatusServiceUnavailable)
				return
			}
			stamp := ""
			if s.late != 0 { // by a clock that is right
				w.Header().Set("Date", applied.Add(at).UTC().Format(http.TimeFormat))
			}
			if s.source != 0 || s.late != 0 {
				stamp = fmt.Sprintf(" %d", applied.Add(at-s.late+s.source).UnixMilli())
			}
			_, _ = fmt.Fprintf(w, "requests_total{code=\"200\"} %f%s\nrequests_total{code=\"500\"} %f%s\nqueue %f%s\n",
				now.total-now.bad, stamp, now.bad, stamp, now.queue, stamp)
		}))
		r := r
		r.health = s.health(r.health)
		return r.open(t)
	}
}
