package activities

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

// What keeps a way back from beginning is retried until the rollback's deadline, and a
// few times in any case.
func TestRevertThatCannotBegin(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		giveUp  time.Time
		attempt int32
		final   bool
	}{
		{time.Time{}, 1000, false},
		{now.Add(time.Second), 1000, false},
		{now, lastAttempts - 1, false},
		{now, lastAttempts, true},
	} {
		err := RevertInput{GiveUp: tc.giveUp}.notBegun(errors.New("no such file"), now, tc.attempt)
		app, ok := errors.AsType[*temporal.ApplicationError](err)
		require.Equal(t, tc.final, ok && app.NonRetryable(), "%+v", tc)
		require.ErrorContains(t, err, "no such file")
	}
}
