package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// alertBaseline is what alerts are judged by.
type alertBaseline struct {
	// ignoreOlder says that alerts which fired before do not hold the check.
	ignoreOlder bool
	// since is when the stage was applied, zero when nothing has been; baseline is when before was
	// measured, zero when it was not.
	since, baseline time.Time
	before          Firing
	// doubt is how far clocks may disagree.
	doubt  time.Duration
	streak int
}

// age tells whose an alert is.
type age int

const (
	fresh  age = iota // it began with the stage
	older             // it fired before already, and has not ended since
	unsure            // it says that it began before, but was not seen then
)

// age decides by what fired before the stage, which no clock can get wrong. Only where that is not
// known do the clocks of two machines decide.
func (s alertBaseline) age(a alert) age {
	if s.since.IsZero() {
		return older
	}
	if began, ok := s.before.Began[a.fingerprint]; ok && !a.began.After(began) {
		return older
	}
	first := s.since
	if !s.baseline.IsZero() && s.before.Missing == "" {
		first = s.baseline.Add(-s.doubt)
	}
	if a.began.Add(-a.ahead).Before(first) {
		return unsure
	}
	return fresh
}

// judgeAlerts is the verdict on alerts that fire. It is pure.
func judgeAlerts(c spec.Check, res Result, firing []alert, s alertBaseline) Judged {
	var of [3][]string
	for _, a := range firing {
		is := s.age(a)
		of[is] = append(of[is], fmt.Sprintf("%s since %s", alertName(a.labels), a.began.UTC().Format("15:04:05 MST")))
	}
	for _, words := range of {
		slices.Sort(words)
	}
	res.Samples = float64(len(firing))
	list := func(words []string) string { return source.Cut(named(words), 1000) }
	harm := ""
	switch {
	case len(of[fresh]) > 0:
		harm = fmt.Sprintf("%s began with the stage: %s", alertsOf(len(of[fresh])), list(of[fresh]))
	case len(of[unsure]) > 0:
		res.Sentence = fmt.Sprintf(
			"%s firing since before the stage by its own clock, but not seen then: %s", alertsOf(len(of[unsure])), list(of[unsure]),
		)
		if why := s.before.Missing; why != "" {
			res.Sentence += "; what fired before is not known: " + source.Cut(why, 200)
		}
	case len(of[older]) == 0:
		res.Sentence = "no alert fires"
		return tolerate(c, res, false, 0)
	case s.ignoreOlder:
		res.Sentence = fmt.Sprintf(
			"no alert began with the stage; %s firing since before (ignoreOlder): %s", alertsOf(len(of[older])), list(of[older]),
		)
		return tolerate(c, res, false, 0)
	case s.since.IsZero():
		harm = fmt.Sprintf("%s firing before the change: %s", alertsOf(len(of[older])), list(of[older]))
	default:
		res.Sentence = fmt.Sprintf(
			"%s firing since before the stage: no harm of the change, and no health either while it lasts: %s", alertsOf(len(of[older])),
			list(of[older]),
		)
	}
	if res.Verdict = Unexercised; harm != "" {
		res.Sentence = harm
		return tolerate(c, res, true, s.streak)
	}
	return Judged{Result: res}
}

// alertsOf counts them.
func alertsOf(n int) string {
	if n == 1 {
		return "1 alert"
	}
	return humanize.Integer(float64(n)) + " alerts"
}

// alertName names an alert by its labels, its name first.
func alertName(labels map[string]string) string {
	const few = 6
	var words []string
	for name, value := range labels {
		if name != "alertname" {
			words = append(words, fmt.Sprintf("%s=%s", name, source.Cut(value, 60)))
		}
	}
	slices.Sort(words)
	if len(words) > few {
		words = append(words[:few], "…")
	}
	return source.Cut(labels["alertname"], 100) + "{" + source.Cut(strings.Join(words, ","), 200) + "}"
}
