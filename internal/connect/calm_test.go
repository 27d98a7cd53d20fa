package connect

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A watch that is cancelled is no reason to warn; a heartbeat that does not arrive is.
func TestCalm(t *testing.T) {
	for level, want := range map[zapcore.Level][]string{zap.InfoLevel: {"warn", "warn"}, zap.DebugLevel: {"debug", "warn", "warn"}} {
		core, lines := observer.New(level)
		l := log.With(logger(zap.New(core)), "TaskQueue", "sluice")
		l.Warn("RecordActivityHeartbeat with error", "Error", temporal.NewCanceledError())
		l.Warn("RecordActivityHeartbeat with error", "Error", errors.New("unavailable"))
		l.Warn("Failed to poll for task.", "Error", temporal.NewCanceledError())
		var got []string
		for _, line := range lines.All() {
			got = append(got, line.Level.String())
		}
		require.Equal(t, want, got)
	}
}
