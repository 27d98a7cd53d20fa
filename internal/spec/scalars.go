package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Duration is a span of time that is written with a unit, such as 90s or 1h30m. It is never
// negative. The zero value means "not set".
type Duration time.Duration

// MaxDuration is a year: longer than any rollout, and short enough that sums of durations never
// overflow.
const MaxDuration = Duration(365 * 24 * time.Hour)

// overflows is the form of a duration, so that what does not parse in spite of it is too long.
var overflows = regexp.MustCompile(`^\+?(?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|s|m|h))+$`)

// ParseDuration reads a duration of at most MaxDuration. A number without a unit is an error.
func ParseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil && overflows.MatchString(s), d > MaxDuration.Std():
		return 0, fmt.Errorf("%s is too long, expected at most %s", strictyaml.Quote(s), MaxDuration)
	case err == nil && s == "0":
		return 0, errors.New(`"0" has no unit, expected a duration such as 30s or 5m`)
	}
	if err != nil {
		if _, numErr := strconv.ParseFloat(s, 64); numErr == nil {
			return 0, fmt.Errorf(
				"%s has no unit, expected a duration such as %.20ss or %.20sm",
				strictyaml.Quote(s), strings.TrimLeft(s, "+-"), strings.TrimLeft(s, "+-"))
		}
		return 0, fmt.Errorf("%s is not a duration, expected one such as 30s, 5m or 1h30m", strictyaml.Quote(s))
	}
	if d < 0 {
		return 0, fmt.Errorf("%s is negative, expected a duration such as 5m", strictyaml.Quote(s))
	}
	return Duration(d), nil
}

// Std is the standard library's form.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the shortest form without trailing zero units: 5m, not 5m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes the form of String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// Number is a finite number, or a percentage: 20% is 0.2.
type Number float64

// ParseNumber reads a finite number or a percentage.
func ParseNumber(s string) (Number, error) {
	text, scale := s, 1.0
	if t, ok := strings.CutSuffix(s, "%"); ok {
		text, scale = strings.TrimSpace(t), 100
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s is not a finite number or a percentage, expected one such as 0.4 or 20%%", strictyaml.Quote(s))
	}
	return Number(v / scale), nil
}

// UnmarshalText is ParseNumber.
func (n *Number) UnmarshalText(text []byte) (err error) {
	*n, err = ParseNumber(string(text))
	return err
}

// UnmarshalJSON reads a JSON number.
func (n *Number) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*float64)(n)) }

// Reach is how much of the whole fleet a stage exposes in total: a share in percent, or a count of
// targets. Exactly one is positive.
type Reach struct {
	Percent float64
	Targets int
}

// UnmarshalText reads "5%" or "12".
func (r *Reach) UnmarshalText(text []byte) error {
	s := string(text)
	errForm := fmt.Errorf("%s is not a reach, expected a percentage such as 5%% or a count such as 12", strictyaml.Quote(s))
	if t, ok := strings.CutSuffix(s, "%"); ok {
		p, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
		if err != nil || math.IsNaN(p) {
			return errForm
		}
		if p <= 0 || p > 100 {
			return fmt.Errorf("%s is not a share of the fleet, expected more than 0%% and at most 100%%", strictyaml.Quote(s))
		}
		*r = Reach{Percent: p}
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return errForm
	}
	if n <= 0 {
		return fmt.Errorf("%s exposes no target, expected at least 1", strictyaml.Quote(s))
	}
	*r = Reach{Targets: n}
	return nil
}

// Of is the number of targets that the reach means in a fleet of n: rounded up, so that a small
// percentage is at least one target, and never more than n for a percentage.
func (r Reach) Of(n int) int {
	if r.Targets > 0 {
		return r.Targets
	}
	return min(n, max(1, int(math.Ceil(r.Percent*float64(n)/100-1e-9))))
}

// String is the form that UnmarshalText reads.
func (r Reach) String() string {
	if r.Targets > 0 {
		return strconv.Itoa(r.Targets)
	}
	return strconv.FormatFloat(r.Percent, 'g', -1, 64) + "%"
}

// MarshalText writes the form of String.
func (r Reach) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
