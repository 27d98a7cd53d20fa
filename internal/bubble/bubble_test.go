package bubble

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A day passes at once, for every goroutine alike, in bubbles side by side.
func TestRun(t *testing.T) {
	began := time.Now()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			Run(func() {
				start := time.Now()
				require.Equal(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), start.UTC())
				other := make(chan time.Duration)
				go func() {
					time.Sleep(25 * time.Hour)
					other <- time.Since(start)
				}()
				time.Sleep(24 * time.Hour)
				require.Equal(t, 24*time.Hour, time.Since(start))
				require.Equal(t, 25*time.Hour, <-other)
			})
		})
	}
	group.Wait()
	require.Less(t, time.Since(began), time.Hour)
}
