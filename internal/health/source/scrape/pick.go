package scrape

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/promql"
)

// asked is what is kept of pages. Nothing else of them is.
type asked struct {
	picks      map[string]pick     // by expression
	named      map[string][]string // expressions by the name of the metric
	declared   map[string]bool     // under which names the kind of one of these can be declared
	histograms bool                // some check is about one
	breakdowns []breakdown         // of events among which checks pick the bad ones
}

// add readies an expression.
func (q *asked) add(expr string) error {
	name, matchers, err := promql.ParseSelector(expr)
	if err != nil {
		return fmt.Errorf("selector %q: %w", expr, err)
	}
	if q.picks == nil {
		*q = asked{
			picks: map[string]pick{}, named: map[string][]string{}, declared: map[string]bool{},
			histograms: q.histograms, breakdowns: q.breakdowns,
		}
	}
	if _, there := q.picks[expr]; !there {
		q.picks[expr] = pick{name: name, matchers: matchers}
		q.named[name] = append(q.named[name], expr)
	}
	for _, base := range bases(name) {
		q.declared[base] = true
	}
	return nil
}

// bases are the names under which the kind of a series can be declared.
func bases(name string) []string {
	out := []string{name}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			out = append(out, base)
		}
	}
	return out
}

// pick selects series of a page.
type pick struct {
	name     string
	matchers []*labels.Matcher
}

// metric is one series of a page.
type metric struct {
	value float64
	at    time.Time // as the page says; zero where it does not
}

// fit is how a series of the metric fits a pick.
type fit int

const (
	// misfit is a series that lacks labels that are asked for.
	misfit fit = iota
	// known has all of them, with other values.
	known
	// selected is what is asked for.
	selected
)

func (p pick) fit(all labels.Labels) fit {
	out := selected
	for _, match := range p.matchers {
		switch has := all.Get(match.Name); {
		case match.Matches(has):
		case has == "":
			return misfit
		default:
			out = known
		}
	}
	return out
}

// found is what a page shows of an expression.
type found struct {
	named  bool // some series has the metric's name
	known  bool // one has all labels that are asked for, too, with whatever values
	series int
	first  metric
	sum    float64
	newest time.Time
	wrong  string // that it cannot be counted
}

func (f *found) add(m metric, how fit) {
	f.named = true
	f.known = f.known || how != misfit
	if how != selected {
		return
	}
	if f.series++; f.series == 1 {
		f.first = m
	}
	if bad := (source.Reading{Value: m.value}).Counted(); bad.Verdict != "" && f.wrong == "" {
		f.wrong = bad.Why
	}
	f.sum += m.value
	f.newest = source.Later(f.newest, m.at)
}

// of is what the page shows of an expression.
func (pg page) of(expr string) found {
	if f := pg.found[expr]; f != nil {
		return *f
	}
	return found{}
}

// part says that a series is one of a histogram or a summary.
func (pg page) part(name string) bool {
	return slices.ContainsFunc(bases(name), func(base string) bool {
		return pg.kinds[base] == model.MetricTypeHistogram || pg.kinds[base] == model.MetricTypeSummary
	})
}

// notANumber says that the page declares the name itself a histogram or a summary, which is no
// number: its _count, _sum and _bucket are.
func (pg page) notANumber(name string) string {
	switch pg.kinds[name] {
	case model.MetricTypeHistogram, model.MetricTypeGaugeHistogram:
		return name + " is a histogram where a number is asked"
	case model.MetricTypeSummary:
		return name + " is a summary where a number is asked"
	default:
		return ""
	}
}

// counter reads the sum of a page's series as events counted since the process started; nil where
// the page has no such series. The word says what is wrong.
func (q asked) counter(expr string, pg page) (sum *float64, newest time.Time, wrong string) {
	if wrong := pg.notANumber(q.picks[expr].name); wrong != "" {
		return nil, newest, wrong
	}
	f := pg.of(expr)
	if f.wrong != "" || f.series == 0 {
		return nil, newest, f.wrong
	}
	return &f.sum, f.newest, ""
}

// gauge reads the one number that a page shows; nil where it has no such series.
func (q asked) gauge(expr string, pg page) (value *float64, newest time.Time, wrong string) {
	name := q.picks[expr].name
	if wrong := pg.notANumber(name); wrong != "" {
		return nil, newest, wrong
	}
	f := pg.of(expr)
	switch {
	case f.series == 0:
		return nil, newest, ""
	case f.series > 1:
		return nil, newest, fmt.Sprintf("the page shows %d series where one is asked: select one by its labels", f.series)
	case pg.part(name):
		return nil, newest, name + " is part of a histogram or a summary where a plain number is asked"
	}
	if bad := (source.Reading{Value: f.first.value}).Usable(); bad.Verdict != "" {
		return nil, newest, bad.Why
	}
	return &f.first.value, f.first.at, ""
}
