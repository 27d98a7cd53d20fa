package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A watch sends a heartbeat with each look, so that it counts as dead only after three.
func TestLookingIsHeardFromOnceALook(t *testing.T) {
	for every, want := range map[time.Duration]time.Duration{
		time.Second:      15 * time.Second,
		5 * time.Second:  15 * time.Second,
		15 * time.Second: 45 * time.Second,
		time.Hour:        time.Minute,
	} {
		require.Equal(t, want, looking(options("look", time.Hour), every).HeartbeatTimeout, every)
	}
}
