package spec

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Slow counts the requests of a histogram: all of them, and as bad the ones that took longer than
// Over.
type Slow struct {
	// Histogram is a metric's name without _bucket, or a selector of it. With a Prometheus source
	// it has $exposed, or $cohort, between its braces; Parse adds $exposed where both are missing.
	Histogram string `yaml:"histogram" json:"histogram"`
	// Over is a bound of its buckets.
	Over Latency `yaml:"over" json:"over"`
}

// Latency is a time in seconds, written as a duration or as a plain number, as bounds of buckets
// are.
type Latency float64

// UnmarshalText reads "250ms" or "0.25".
func (l *Latency) UnmarshalText(text []byte) error {
	s := string(text)
	if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		*l = Latency(f)
		return nil
	}
	d, err := ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%s is not a latency, expected a duration such as 250ms, or seconds such as 0.25", strictyaml.Quote(s))
	}
	*l = Latency(d.Std().Seconds())
	return nil
}

// UnmarshalJSON reads seconds.
func (l *Latency) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*float64)(l)) }

// histogramForm is a metric's name, and what stands behind it.
var histogramForm = regexp.MustCompile(`^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*((?s:\{.*\})?)\s*$`)

// HistogramSeries is the selector of one of a histogram's series: for the suffix "_bucket",
// http_request_duration_seconds{$exposed} gives http_request_duration_seconds_bucket{$exposed}. It
// is empty for what is no histogram of a valid spec.
func HistogramSeries(histogram, suffix string) string {
	m := histogramForm.FindStringSubmatch(histogram)
	if m == nil {
		return ""
	}
	return m[1] + suffix + m[2]
}
