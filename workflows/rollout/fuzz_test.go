package rollout

import (
	"encoding/json"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/internal/rollout"
)

// Whatever a signal carries, what is kept of it is short, plain text, and the same however often it
// is read.
func FuzzRequest(f *testing.F) {
	for _, data := range []string{
		"", "null", `"wrong build"`, `{"by":"ann","why":"urgent","override":true}`, `{"by":7}`, `[1,2]`, "wrong build", "\xff\xfe", `{"why":"\u202e\u0000"}`,
		`{"by":"ann"} trailing`, `{"OVERRIDE":true,"stage":"canary"}`, `{"override":"true"}`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := request(&commonpb.Payload{Data: data})
		require.Equal(t, got, request(&commonpb.Payload{Data: data}))
		if got.Override {
			require.True(t, json.Valid(data), "an override is never guessed")
		}
		for _, text := range []string{got.By, got.Why, got.Stage} {
			b := rollout.PlainText(text)
			require.LessOrEqual(t, len(b), rollout.MaxText+len("…"))
			require.True(t, utf8.ValidString(b))
			for _, r := range b {
				require.True(t, unicode.IsPrint(r), "%q", r)
			}
			require.NotContains(t, rollout.Markdown(b), "\n")
		}
	})
}

// No signal, known or not, with whatever payload, keeps a rollout from its end, and only an abort
// takes a good release back.
func FuzzSignals(f *testing.F) {
	for _, name := range append([]string{"nonsense"}, signalNames()...) {
		f.Add(name, []byte(`{"by":"ann","why":"urgent"}`), "json/plain")
		f.Add(name, []byte("\xff{"), "binary/null")
	}
	f.Fuzz(func(t *testing.T, name string, data []byte, encoding string) {
		w := newWorld(t, 10)
		w.env.RegisterDelayedCallback(func() {
			w.env.SignalWorkflow(name, converter.NewRawValue(&commonpb.Payload{
				Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding)}, Data: data,
			}))
			if name == rollout.SignalPause {
				w.env.SignalWorkflow(rollout.SignalResume, nil)
			}
		}, 30*time.Second)
		s := w.run(fourStages())
		want, release := rollout.PhasePromoted, "2.0.0"
		if name == rollout.SignalAbort {
			want, release = rollout.PhaseAborted, "1.0.0"
		}
		require.Equal(t, want, s.Outcome.Result, s.Outcome.Why)
		require.Equal(t, 10, w.on(release))
	})
}
