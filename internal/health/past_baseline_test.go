package health

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// Targets that restart while they are measured are measured again: what nobody measured before a
// stage would be unknown for all of it.
func TestBaselineIsMeasuredAgain(t *testing.T) {
	for away, want := range map[time.Duration]bool{0: true, 12 * time.Second: true, 20 * time.Second: true, time.Hour: false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFarm(t, 4)
			c := ratioOf(0)
			c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(0.2)
			if away > 0 {
				time.AfterFunc(5*time.Second, func() { f.fail("*", errors.New("connection refused")) })
				time.AfterFunc(5*time.Second+away, func() { f.fail("*", nil) })
			}
			for n := range 20 {
				time.AfterFunc(time.Duration(5*n+1)*time.Second, func() { f.serve("*", n, 1000*n) })
			}
			m := f.open(t, scrapeSpec(c), f.binding(4))
			began := time.Now()
			b, err := m.Baseline(t.Context(), began)
			require.NoError(t, err)
			require.Equal(t, want, b.Traffic == "" && b.Past["errors"].Missing == "", "%s: %s", away, b.Traffic)
			require.Equal(t, time.Now(), b.At, "the newest measurement counts")
			require.Less(t, time.Since(began), 2*time.Minute)
			if want {
				require.Positive(t, b.Exposed)
			}
		})
	}
}
