package health

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// concrete answers the checks with queries in the place of histograms: of a check of
// slow requests, Total counts all requests and Bad those within the bound.
func concrete(h spec.Health) []spec.Check {
	checks := slices.Clone(h.Checks)
	for i := range checks {
		c := &checks[i]
		if c.Slow == nil {
			continue
		}
		c.Total = spec.HistogramSeries(c.Slow.Histogram, "_count")
		c.Bad = bucket(spec.HistogramSeries(c.Slow.Histogram, "_bucket"), float64(c.Slow.Over))
		if h.Prometheus != "" {
			c.Total, c.Bad = increase(c.Total), increase(c.Bad)
		}
	}
	return checks
}

// native is a check of slow requests that asks native histograms. Within which part of
// them a bound lies is an estimate, unless it is a bound of theirs, too; of none at all
// no part is known, which is none.
func native(c spec.Check) spec.Check {
	whole := increase(spec.HistogramSeries(c.Slow.Histogram, ""))
	c.Total = "histogram_count(" + whole + ")"
	c.Bad = fmt.Sprintf("(histogram_fraction(-Inf, %s, %s) * %s > 0) or vector(0)", strconv.FormatFloat(float64(c.Slow.Over), 'g', -1, 64), whole, c.Total)
	return c
}

func increase(selector string) string { return "sum(increase(" + selector + "[$window]))" }

// bucket selects one bucket, however its bound is written.
func bucket(selector string, bound float64) string {
	plain := strconv.FormatFloat(bound, 'f', -1, 64)
	forms := []string{plain, strconv.FormatFloat(bound, 'g', -1, 64), strconv.FormatFloat(bound, 'e', -1, 64)}
	if !strings.Contains(plain, ".") {
		forms = append(forms, plain+".0")
	}
	for i, f := range forms {
		forms[i] = regexp.QuoteMeta(f)
	}
	slices.Sort(forms)
	match := "le=~" + strconv.Quote(strings.Join(slices.Compact(forms), "|"))
	name, matchers, found := strings.Cut(selector, "{")
	if !found {
		return name + "{" + match + "}"
	}
	if strings.TrimSpace(matchers) == "}" {
		return name + "{" + match + "}"
	}
	return name + "{" + match + "," + matchers
}

// notABound says why there is no bucket with a bound, naming those next to it.
func notABound(r reading, bound float64, has []float64) reading {
	at, found := slices.BinarySearch(has, bound)
	switch over := humanize.Plain(bound); {
	case len(has) == 0 || found:
		r.why = "no series of the bucket: is " + over + " s one of the histogram's bounds?"
		return r
	case at == 0:
		r.why = fmt.Sprintf("%s s is none of the histogram's bounds; the smallest is %s s", over, humanize.Plain(has[0]))
	case at == len(has):
		r.why = fmt.Sprintf("%s s is none of the histogram's bounds; the largest is %s s", over, humanize.Plain(has[at-1]))
	default:
		r.why = fmt.Sprintf("%s s is none of the histogram's bounds; the nearest are %s s and %s s", over, humanize.Plain(has[at-1]), humanize.Plain(has[at]))
	}
	r.impossible = true
	return r
}

func (p *prometheus) bounds(ctx context.Context, histogram string, w window) []float64 {
	query, err := p.fill("count by (le) ("+spec.HistogramSeries(histogram, "_bucket")+")", exposed, w)
	if err != nil {
		return nil
	}
	vector, _ := p.given(ctx, query, w.at).value.(model.Vector)
	var out []float64
	for _, s := range vector {
		if le, err := strconv.ParseFloat(string(s.Metric[model.BucketLabel]), 64); err == nil && !math.IsInf(le, 0) {
			out = append(out, le)
		}
	}
	slices.Sort(out)
	return out
}

// bounds of metrics pages are those of the newest page that was read.
func (s *scrape) bounds(_ context.Context, histogram string, _ window) []float64 {
	name, _, _ := strings.Cut(spec.HistogramSeries(histogram, "_bucket"), "{")
	return s.buckets[name]
}

func (nothing) bounds(context.Context, string, window) []float64 { return nil }

// bucketsOf are the bounds of a page's histograms, by the name of their series.
func bucketsOf(series []metric) map[string][]float64 {
	out := map[string][]float64{}
	for _, m := range series {
		name := string(m.labels[model.MetricNameLabel])
		le, err := strconv.ParseFloat(string(m.labels[model.BucketLabel]), 64)
		if err == nil && !math.IsInf(le, 0) && !slices.Contains(out[name], le) {
			out[name] = append(out[name], le)
		}
	}
	for _, bounds := range out {
		slices.Sort(bounds)
	}
	return out
}
