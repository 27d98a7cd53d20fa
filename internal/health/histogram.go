package health

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

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
