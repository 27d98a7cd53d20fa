package judge

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// six are looks of 6 h before the change and 30 min since, the exposed arm with so many times the
// errors as factor says, and the control as other says.
func six(seed uint64, factor, other func(look int) float64) (before, since []Look) {
	src := rand.NewPCG(seed, 4)
	for i := 1 - 1440; i <= 120; i++ {
		l := Look{
			At:      time.Duration(i) * step,
			Exposed: counts(bursty(src, 0.75*factor(i), 1), 150), Control: counts(bursty(src, 14*other(i), 1), 2850),
		}
		if i <= 0 {
			before = append(before, l)
		} else {
			since = append(since, l)
		}
	}
	return before, since
}

// One incident of one arm in the past does not hide harm for hours; what comes again and again is
// what chance does, and what lasts to the change may go on after it.
func TestAStainedPast(t *testing.T) {
	t.Parallel()
	during := func(from, to int) func(int) float64 {
		return func(i int) float64 {
			if i > from && i <= to {
				return 10
			}
			return 1
		}
	}
	with := func(of func(int) float64, harm float64) func(int) float64 {
		return func(i int) float64 {
			if i > 0 {
				return harm
			}
			return of(i)
		}
	}
	hourly := func(i int) float64 { return 1 + 9*float64((i+2400)%240/220) }
	c := criteria()
	c.Alpha, c.Traffic = 0.001, 0
	for name, test := range map[string]struct {
		exposed, control func(int) float64
		fails            bool
		words            string
	}{
		"healthy":                  {with(during(-500, -420), 1), constant(1), false, ""},
		"harm":                     {with(during(-500, -420), 5), constant(1), true, ", by 6h of past without an incident in 1h"},
		"harm, control's incident": {constant(1), with(during(-500, -420), 1), false, ""},
		"harm after that":          {with(constant(1), 5), during(-500, -420), true, "without an incident in"},
		"harm, both had it":        {with(during(-500, -420), 5), during(-500, -420), true, ", by 6h of past"},
		"never was":                {with(constant(1), 5), constant(1), true, ", by 6h of past"},
		"hourly":                   {hourly, constant(1), false, ""},
		"since an hour before":     {with(during(-240, 0), 10), constant(1), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, since := six(1, test.exposed, test.control)
			out := Run(c, append(before, since...))
			require.Equal(t, test.fails, out.Verdict == Fail, out.Evidence)
			require.Contains(t, out.Evidence, test.words)
		})
	}
}
