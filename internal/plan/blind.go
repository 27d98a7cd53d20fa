package plan

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// latencies are words in queries of how long answers take; times that nobody waits for are none.
var (
	latencies = regexp.MustCompile(`(?i)latency|duration|quantile|elapsed|response_?time|total_?time|_(milli|micro)?seconds|_ms\b`)
	otherTime = regexp.MustCompile(`(?i)(cpu|start_time|uptime|timestamp|gc|last)_[a-z_]*seconds|time\(\)`)
)

// failing are words in queries of how many requests fail.
var failing = regexp.MustCompile(`(?i)error|fail|5\.\.|5xx|4\.\.|success|availab|reject|exception|drop`)

// seeing is what the checks of a spec look at, those that decide.
type seeing struct {
	spec.Health
	kinds spec.Kinds
}

func (h seeing) any(sees func(spec.Check) bool) bool {
	return slices.ContainsFunc(h.Checks, func(c spec.Check) bool { return !c.Advisory && sees(c) })
}

// addressed is what a check itself connects to, not through the source; nil where it does not.
func (h seeing) addressed(c spec.Check) []spec.AddressUse {
	a, ok := h.kinds.Form(c).(spec.Addressed)
	if !ok {
		return nil
	}
	return a.AddressUses()
}

// opaque says for which checks nobody here knows what they look at; empty where there are none.
func (h seeing) opaque() string {
	var names []string
	for _, f := range h.kinds.Forms {
		if f.New().Traits().Opaque && h.any(func(c spec.Check) bool { return c.Form.Name == f.Name }) {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; what checks with " + strings.Join(names, " and ") + " look at is not known"
}

// Blind says what a release may do to so many targets without any check of the spec seeing it, a
// line each. Checks that only advise count for nothing. What some forms look at is not known
// (spec.FormTraits.Opaque), which the lines then say. The last line always holds.
func Blind(s spec.Spec, kinds spec.Kinds, targets int) []string {
	h := seeing{s.Health, kinds}
	unknown := h.opaque()
	out := append(h.errors(unknown), h.latency(unknown)...)
	out = append(out, h.answers()...)
	if slices.Contains(h.Without, spec.CheckTraffic) {
		out = append(out, "requests that stay away: without has traffic")
	} else {
		out = append(out, fmt.Sprintf("requests that stay away for less than about %s", spec.Duration(silence(s.Health, kinds.Past(s.Health)))))
	}
	if slices.Contains(h.Without, spec.CheckAlive) {
		out = append(out, "targets that are not alive, or run something else: without has alive")
	}
	if h.Warmup > 0 {
		out = append(out, fmt.Sprintf("what is over within %s of an apply: the warmup", h.Warmup))
	}
	if past := shortPast(s, kinds); past != "" {
		out = append(out, past)
	}
	if source := kinds.Source(s.Health); source != nil {
		if n := source.Traits().Sample; n > 0 && n < targets {
			out = append(out, fmt.Sprintf("what only some targets show: of each side at most %d are read (sample), of %d in the fleet", n, targets))
		}
	}
	if n := len(s.Stages); n > 0 {
		out = append(out, fmt.Sprintf("anything that begins later than %s after the last stage was applied: then nobody looks any more",
			watched(s.Stages[n-1], s.Guard)))
	}
	return out
}

// watched is how long the last stage is looked at: its bake, and then the guard.
func watched(last spec.Stage, guard spec.Duration) string {
	longest := (last.Bake + guard).String()
	if last.Adaptive != nil {
		return (last.Adaptive.Min + guard).String() + " to " + longest
	}
	return longest
}

// errors is which failed requests no check counts: all of them, those of one target, or those below
// a limit.
func (h seeing) errors(unknown string) []string {
	counts := func(c spec.Check) bool { return c.Bad != "" || failing.MatchString(c.Value) }
	each := func(c spec.Check) bool { return c.Each != "" && counts(c) }
	if !h.any(counts) {
		return []string{"requests that fail: no check has bad and total" + unknown}
	}
	var out []string
	if !h.any(each) {
		out = append(out, "one target with errors among many: no check of errors has each: target")
	}
	if n, all := h.forgiven(each); n > 0 && all {
		out = append(out, fmt.Sprintf("errors of up to %d targets: outliers forgives them", n))
	}
	if compared := h.any(func(c spec.Check) bool { return counts(c) && (c.Against != "" || c.Objective != nil) }); !compared {
		if limit, ok := h.lowest(); ok && limit > 0 {
			out = append(out, fmt.Sprintf("more failed requests than before, up to %s of all: no check of errors has against",
				humanize.Percent(limit)))
		}
	}
	return out
}

// forgiven is the smallest number of outliers that checks forgive, and whether all of them do.
func (h seeing) forgiven(each func(spec.Check) bool) (least int, all bool) {
	all = true
	for _, c := range h.Checks {
		if c.Advisory || !each(c) {
			continue
		}
		if all = all && c.Outliers > 0; least == 0 || c.Outliers < least {
			least = c.Outliers
		}
	}
	return least, all
}

// lowest is the lowest limit on the share of failed requests.
func (h seeing) lowest() (limit float64, ok bool) {
	for _, c := range h.Checks {
		if !c.Advisory && c.Bad != "" && c.Max != nil && (!ok || float64(*c.Max) < limit) {
			limit, ok = float64(*c.Max), true
		}
	}
	return limit, ok
}

// latency is which slow answers no check sees: all of them, or those of one target, which a mean or
// a quantile of all hides.
func (h seeing) latency(unknown string) []string {
	slow := func(c spec.Check) bool { return c.Slow != nil }
	value := func(c spec.Check) bool { return latencies.MatchString(otherTime.ReplaceAllString(c.Value, "")) }
	switch {
	case h.any(slow), h.any(func(c spec.Check) bool { return value(c) && c.Each != "" }):
		return nil
	case h.any(value):
		return []string{"one slow target among many: no latency has each: target, and no check counts slow requests (slow)"}
	}
	return []string{"answers that are right and slow: no check has slow, or a value that is a latency" + unknown}
}

// answers is which hosts that answer nobody no check asks: a connection alone says little.
func (h seeing) answers() []string {
	if !h.any(func(c spec.Check) bool { return len(h.addressed(c)) > 0 }) {
		return []string{"a program that is alive and answers nobody: no check has a probe"}
	}
	overHTTP := func(u spec.AddressUse) bool { return !u.TCP && u.Template != "" }
	if !h.any(func(c spec.Check) bool { return slices.ContainsFunc(h.addressed(c), overHTTP) }) {
		return []string{"a program that takes connections and answers nobody: no check asks over HTTP"}
	}
	return nil
}

// silenceLooks is how many looks in a row must miss requests.
const silenceLooks = 3

// silence is for how long requests must be missing to be missed: a source that is asked about its
// past cannot tell less from a scrape that failed, or from a restart.
func silence(h spec.Health, past bool) time.Duration {
	looks := silenceLooks * h.Every.Std()
	if past {
		return max(looks, min(2*h.StaleAfter.Std(), h.Window.Std()))
	}
	return looks
}

// shortPast says that a comparison rests on less of the past than shows whether errors come in
// bursts: with less, chance rolled back more often than it may (docs/judge.md, "How long a past").
func shortPast(s spec.Spec, kinds spec.Kinds) string {
	h, rate := s.Health, float64(s.Health.FalseRollbackRate)
	need := time.Hour
	if rate >= 0.05 {
		need = 30 * time.Minute
	}
	for _, c := range h.Checks {
		if c.Advisory || !c.Budgeted() || !c.Counts() {
			continue
		}
		var past time.Duration
		source := kinds.Source(h)
		switch {
		case source == nil:
			continue
		case !source.Traits().Past:
			past = source.Traits().Measure.Std()
		case c.Against == spec.AgainstBefore:
			past, _ = health.SelfPast(shortestBake(s), h.Every.Std())
		default:
			past, _ = health.LongPast(shortestBake(s), h.Every.Std())
		}
		if past < need {
			return fmt.Sprintf("whether bad events always came in bursts: %s rests on %s of past, and %s tell; "+
				"where they did, more healthy releases than %s go back",
				c.Name, spec.Duration(past), spec.Duration(need), humanize.Percent(rate))
		}
	}
	return ""
}

// shortestBake is that of the stage that looks at the least of the past.
func shortestBake(s spec.Spec) time.Duration {
	if len(s.Stages) == 0 {
		return 0
	}
	return slices.MinFunc(s.Stages, func(a, b spec.Stage) int { return cmp.Compare(a.Bake, b.Bake) }).Bake.Std()
}
