package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sluicehq/sluice/internal/terminal"
)

// What targets, people and servers say reaches the log as text.
func TestNothingInTheLogControlsTheTerminal(t *testing.T) {
	const evil = "\x1b[31mx\r\u202e\u009b"
	for _, format := range []string{"console", "json"} {
		var out strings.Builder
		log, err := logger(options{logFormat: format, logLevel: "info"}, &out)
		require.NoError(t, err)
		log.Error(evil, zap.String("why", evil), zap.Error(errors.New(evil)), zap.Any("any", map[string]string{evil: evil}))
		log.Debug("not shown")
		require.NotContains(t, out.String(), "not shown")
		for line := range strings.Lines(out.String()) {
			line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", " ")
			require.Equal(t, terminal.Safe(line), line)
		}
		if format == "json" {
			var entry struct{ Msg, Why string }
			require.NoError(t, json.Unmarshal([]byte(out.String()), &entry))
			require.Equal(t, evil, entry.Msg)
			require.Equal(t, evil, entry.Why)
		}
	}
	for _, o := range []options{{logFormat: "xml", logLevel: "info"}, {logFormat: "json", logLevel: "loud"}} {
		_, err := logger(o, nil)
		require.ErrorContains(t, err, "is unknown")
	}
}
