package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// Before anything was changed there is nothing to compare with the time before: it is
// enough that numbers come. Groups are looked at one by one.
func TestBeforeTheChangeNumbersAreEnough(t *testing.T) {
	for name, groupBy := range map[string]string{"as a whole": "", "in groups": "region"} {
		t.Run(name, func(t *testing.T) {
			c := against()
			c.Against, c.GroupBy = spec.AgainstBefore, groupBy
			b, source := regions(healthy())
			b.Since, b.Bake = time.Time{}, 0
			h := promSpec(c)
			h.StaleAfter = seconds(7200)
			m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
			require.NoError(t, err)
			r, err := m.Look(t.Context(), looked.Add(15*time.Second))
			require.NoError(t, err)
			require.Equal(t, Pass, r.Results[0].Verdict, r.Results[0].Sentence)
			require.Contains(t, r.Results[0].Sentence, "this is what it will be compared with")
		})
	}
}
