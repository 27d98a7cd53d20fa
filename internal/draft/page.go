// Package draft writes a first spec: it recognizes on a target's metrics page what counts requests,
// errors and latency, and writes checks of them, with a comment for each and for what it did not
// find.
//
// Recognizing and writing are pure; Look reads pages and asks a Prometheus.
package draft

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// Page is what one target shows. The zero value shows nothing. It is not safe for concurrent use.
type Page struct {
	kinds  map[string]model.MetricType // as declared
	series map[string][]series         // by name
	native []string                    // names of native histograms, of which nothing else is kept
}

// series is one line of a page: labels without the name, and its number.
type series struct {
	labels map[string]string
	value  float64
	native bool // a native histogram, which has no number
}

var errFormat = errors.New("it is no metrics page in Prometheus' text format")

// ReadPage reads a page in Prometheus' text format, or in OpenMetrics'.
func ReadPage(data []byte, contentType string) (Page, error) {
	var p Page
	parser, err := textparse.New(data, contentType, nil, textparse.ParserOptions{FallbackContentType: "text/plain"})
	switch parser.(type) {
	case *textparse.PromParser, *textparse.OpenMetricsParser:
	default:
		return p, errors.Join(errFormat, err)
	}
	for {
		entry, err := parser.Next()
		switch {
		case errors.Is(err, io.EOF):
			return p, nil
		case err != nil:
			return p, fmt.Errorf("%w: %w", errFormat, err)
		case entry == textparse.EntryType:
			name, kind := parser.Type()
			p.declare(string(name), kind)
		case entry == textparse.EntrySeries:
			_, _, value := parser.Series()
			var all labels.Labels
			parser.Labels(&all)
			p.add(all.Map(), value)
		}
	}
}

func (p *Page) declare(name string, kind model.MetricType) {
	if p.kinds == nil {
		p.kinds = map[string]model.MetricType{}
	}
	p.kinds[name] = kind
}

var plainName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// add takes a series; its name is one of the labels, and is taken off them.
func (p *Page) add(all map[string]string, value float64) {
	if p.series == nil {
		p.series = map[string][]series{}
	}
	name := all[model.MetricNameLabel]
	if !plainName.MatchString(name) || math.IsNaN(value) || math.IsInf(value, 0) { // which no selector names as it is, or no check counts
		return
	}
	delete(all, model.MetricNameLabel)
	p.series[name] = append(p.series[name], series{labels: all, value: value})
}

// without is the page without labels that every series of the target has: they tell nothing apart.
func (p Page) without(names ...string) Page {
	for _, all := range p.series {
		for _, s := range all {
			for _, n := range names {
				delete(s.labels, n)
			}
		}
	}
	return p
}

// names are those of all series, sorted.
func (p Page) names() []string { return slices.Sorted(maps.Keys(p.series)) }

// kind is how a series may be read.
type kind int

const (
	other   kind = iota
	counter      // grows by one for each event
	bucket       // of a classic histogram
	gauge        // goes up and down
)

// kind tells by the declaration, and without one by the name.
func (p Page) kind(name string) kind {
	for _, suffix := range []string{"_bucket", "_count", "_sum", "_total", "_created"} {
		base, ok := strings.CutSuffix(name, suffix)
		if !ok {
			continue
		}
		declared := p.kinds[base]
		parts := declared == model.MetricTypeHistogram || declared == model.MetricTypeSummary
		undeclared := declared == "" && p.kinds[name] == "" && len(p.series[base+"_sum"]) > 0
		switch {
		case suffix == "_bucket" && (parts || undeclared && p.hasBounds(name)):
			return bucket
		case suffix == "_count" && (parts || undeclared), suffix == "_total" && declared == model.MetricTypeCounter:
			return counter
		case parts, undeclared && suffix == "_sum":
			return other
		}
	}
	switch p.kinds[name] {
	case model.MetricTypeCounter:
		return counter
	case model.MetricTypeGauge:
		return gauge
	case "", model.MetricTypeUnknown:
		if strings.HasSuffix(name, "_total") {
			return counter
		}
	}
	return other
}

func (p Page) hasBounds(name string) bool {
	return len(p.series[name]) > 0 && p.series[name][0].labels[model.BucketLabel] != ""
}

// values are those of a label over some series, sorted.
func values(all []series, label string) []string {
	seen := map[string]bool{}
	for _, s := range all {
		if v := s.labels[label]; v != "" {
			seen[v] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// labelNames are those that some of the series have, sorted.
func labelNames(all []series) []string {
	seen := map[string]bool{}
	for _, s := range all {
		for n := range s.labels {
			seen[n] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// sum adds up series that some matchers select.
func sum(all []series, match ...*labels.Matcher) float64 {
	total := 0.0
	for _, s := range all {
		if selects(match, s.labels) {
			total += s.value
		}
	}
	return total
}

// bound is an upper bound of a bucket, and how many events were within it.
type bound struct {
	le     float64
	within float64
}

// bounds are those of a histogram, over the series that some matchers select, smallest first.
func bounds(all []series, match ...*labels.Matcher) []bound {
	within := map[float64]float64{}
	for _, s := range all {
		le, err := strconv.ParseFloat(s.labels[model.BucketLabel], 64)
		if err == nil && selects(match, s.labels) {
			within[le] += s.value
		}
	}
	var out []bound
	for _, le := range slices.Sorted(maps.Keys(within)) {
		out = append(out, bound{le, within[le]})
	}
	return out
}
