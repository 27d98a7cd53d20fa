package e2e

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/rollout"
)

// masked is a codec that makes what it encodes unreadable.
type masked struct{}

func (masked) Encode(in []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(in))
	for i, p := range in {
		data, err := proto.Marshal(p)
		if err != nil {
			return nil, err
		}
		out[i] = &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte("binary/masked")}, Data: mask(data)}
	}
	return out, nil
}

func (masked) Decode(in []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(in))
	for i, p := range in {
		if out[i] = p; string(p.GetMetadata()[converter.MetadataEncoding]) != "binary/masked" {
			continue
		}
		out[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(mask(p.GetData()), out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func mask(in []byte) []byte {
	out := make([]byte, len(in))
	for i, b := range in {
		out[i] = ^b
	}
	return out
}

// With a codec, nothing of a rollout but its ids and search attributes is in the clear in Temporal,
// and nothing starts without it.
func TestCodec(t *testing.T) {
	codec := httptest.NewServer(converter.NewPayloadCodecHTTPHandler(masked{}))
	t.Cleanup(codec.Close)
	t.Setenv("TEMPORAL_CODEC_ENDPOINT", codec.URL)
	d := deploy(t, 6)
	d.sluice(0, "start", "--wait", "--timeout", "2m", d.spec("2.0.0", "1s", ""))
	require.Contains(t, d.sluice(0, "explain", unit).Stdout, "canary")

	bare, err := client.Dial(client.Options{HostPort: d.Address})
	require.NoError(t, err)
	t.Cleanup(bare.Close)
	h, err := stack.History(t.Context(), bare, connect.WorkflowID(unit), "")
	require.NoError(t, err)
	raw, err := proto.Marshal(h)
	require.NoError(t, err)
	require.Contains(t, string(raw), "binary/masked")
	require.NotContains(t, string(raw), "http_requests_total", "the spec's query")

	codec.Close()
	ran := d.sluice(1, "start", d.spec("3.0.0", "1s", ""))
	require.Contains(t, ran.Stderr, codec.URL)
}

// With a codec, a rollout goes back without the store: what its worker needs is read from the
// history, in the clear.
func TestCodecWithoutTheStore(t *testing.T) {
	codec := httptest.NewServer(converter.NewPayloadCodecHTTPHandler(masked{}))
	t.Cleanup(codec.Close)
	t.Setenv("TEMPORAL_CODEC_ENDPOINT", codec.URL)
	d := deploy(t, 12)
	d.sluice(0, "start", d.spec("2.0.0", "1h", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	d.worker.Kill()
	require.NoError(t, os.RemoveAll(filepath.Join(d.Dir, "store")))
	d.sluice(0, "abort", unit, "--why", "test", "--by", "test")
	require.NoError(t, d.worker.Start())
	require.Equal(t, rollout.PhaseAborted, d.result().Outcome.Result)
	d.allOn("1.0.0")
}

// With a codec, a rollout that was reset still takes back what its earlier run had changed.
func TestCodecAfterAReset(t *testing.T) {
	codec := httptest.NewServer(converter.NewPayloadCodecHTTPHandler(masked{}))
	t.Cleanup(codec.Close)
	t.Setenv("TEMPORAL_CODEC_ENDPOINT", codec.URL)
	d := deploy(t, 12)
	d.sluice(0, "start", d.spec("2.0.0", "1h", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	d.reset(true)
	s := d.result()
	require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 3, s.Outcome.Reverted)
	d.allOn("1.0.0")
}
