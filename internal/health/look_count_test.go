package health

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/spec"
)

// A program that ends and starts for ever never fails three looks in a row. It is harm all the
// same, whichever worker looks; one that is away now and then is none.
func TestAgainAndAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		down, of int // looks
		failsAt  int
		says     string
	}{
		"half of the looks":    {2, 4, 10, "; again and again: in 6 of 10 looks"},
		"a third of the looks": {1, 3, 16, "; again and again: in 6 of 16 looks"},
		"a quarter":            {1, 4, 0, ""},
		"never":                {0, 4, 0, ""},
		"always":               {4, 4, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				require.Equal(t, tc.failsAt, flapping(t, spec.CheckAlive, tc.down, tc.of, tc.says))
				require.Equal(t, tc.failsAt, flapping(t, "p", tc.down, tc.of, tc.says))
			})
		})
	}
}

// flapping looks 40 times at a target that answers nobody in some looks of each few, and says in
// which a check fails first; 0 if it never does.
func flapping(t *testing.T, check string, down, of int, says string) int {
	t.Helper()
	f := newFarm(t, 2)
	b, n := f.binding(1), 0
	away := func() bool { return n%of < down }
	f.runs("t0", func(int) (driver.State, error) {
		if away() && check == spec.CheckAlive {
			return driver.State{}, errors.New("connection refused")
		}
		return driver.State{Release: "2.0.0", Alive: true}, nil
	})
	dial := func(context.Context, string, string) (net.Conn, error) {
		if away() && check != spec.CheckAlive {
			return nil, errors.New("connection refused")
		}
		here, _ := net.Pipe()
		return here, nil
	}
	h := probeSpec(Probe{TCP: "{{address}}"}, 2)
	h.Checks[0].Name, h.Without = "p", []string{spec.CheckTraffic}
	var kept State
	for ; n < 40; n++ {
		m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Dial: dial, Driver: f})
		require.NoError(t, err)
		require.NoError(t, m.Restore(kept)) // another worker goes on
		r, err := m.Look(t.Context(), b.Since.Add(time.Duration(n+1)*h.Every.Std()))
		require.NoError(t, err)
		kept = m.State()
		if res := result(t, r, check); res.Verdict == Fail {
			require.Contains(t, res.Sentence, says)
			return n + 1
		}
	}
	return 0
}
