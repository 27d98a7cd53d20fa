package plan

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// latencies are words in queries of how long answers take.
var latencies = regexp.MustCompile(`(?i)latency|duration|quantile|elapsed|response_?time|_(milli|micro)?seconds|_ms\b`)

// Blind says what a release may do to so many targets without any check of the spec seeing
// it, a line each. Checks that only advise count for nothing; what alerts and webhooks look
// at is not known. The last line always holds.
func Blind(s spec.Spec, kinds spec.Kinds, targets int) []string {
	h := s.Health
	has := func(sees func(spec.Check) bool) bool {
		return slices.ContainsFunc(h.Checks, func(c spec.Check) bool { return !c.Advisory && sees(c) })
	}
	var out []string
	if !has(func(c spec.Check) bool { return c.Each != "" }) {
		out = append(out, "one target with errors among many: no check has each: target")
	}
	if !has(func(c spec.Check) bool { return c.Slow != nil || latencies.MatchString(c.Value) }) {
		out = append(out, "answers that are right and slow: no check has slow, or a value that is a latency")
	}
	if !has(func(c spec.Check) bool { return c.Form.Name == "probe" }) {
		out = append(out, "a program that is alive and answers nobody: no check has a probe")
	}
	if slices.Contains(h.Without, spec.CheckTraffic) {
		out = append(out, "requests that stay away: without has traffic")
	} else {
		out = append(out, fmt.Sprintf("requests that stay away for less than about %s", spec.Duration(silence(h, kinds.Past(h)))))
	}
	if past := shortPast(s, kinds); past != "" {
		out = append(out, past)
	}
	if source := kinds.Source(h); source != nil {
		if n := source.Traits().Sample; n > 0 && n < targets {
			out = append(out, fmt.Sprintf("what only some targets show: of each side at most %d are read (sample), of %d in the fleet", n, targets))
		}
	}
	if n := len(s.Stages); n > 0 {
		out = append(out, fmt.Sprintf("anything that begins later than %s after the last stage was applied: then nobody looks any more", s.Stages[n-1].Bake))
	}
	return out
}

// silenceLooks is how many looks in a row must miss requests.
const silenceLooks = 3

// silence is for how long requests must be missing to be missed: a source that is asked about
// its past cannot tell less from a scrape that failed, or from a restart.
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
		if c.Advisory || !c.Budgeted() || c.Means() {
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
			past, _ = health.PastSpan(shortestBake(s), h.Every.Std())
		default:
			past, _ = health.LongPast(shortestBake(s), h.Every.Std())
		}
		if past < need {
			return fmt.Sprintf("whether bad events always came in bursts: %s rests on %s of past, and %s tell; where they did, more healthy releases than %s go back",
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
