package fleet_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/store"
)

func TestMatches(t *testing.T) {
	eu := fleet.Target{ID: "a", Labels: map[string]string{"region": "eu", "empty": ""}}
	for _, tc := range []struct {
		where map[string]string
		want  bool
	}{
		{nil, true},
		{map[string]string{"region": "eu"}, true},
		{map[string]string{"region": "eu", "empty": ""}, true},
		{map[string]string{"region": "us"}, false},
		{map[string]string{"region": "eu", "tier": "free"}, false},
		{map[string]string{"tier": ""}, false}, // lacking a label is not having it empty
	} {
		require.Equal(t, tc.want, eu.Matches(tc.where), "%v", tc.where)
	}
	require.False(t, fleet.Target{}.Matches(map[string]string{"region": "eu"}))
}

func TestLabelValues(t *testing.T) {
	f := fleet.Fleet{Targets: []fleet.Target{
		{ID: "a", Labels: map[string]string{"region": "us"}},
		{ID: "b", Labels: map[string]string{"region": "eu", "tier": "x"}},
		{ID: "c", Labels: map[string]string{"region": "us"}},
	}}
	require.Equal(t, map[string][]string{"region": {"eu", "us"}, "tier": {"x"}}, f.LabelValues())
}

func TestSnapshotRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		targets := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) fleet.Target {
			return fleet.Target{
				ID:      rapid.StringMatching(`[a-z0-9][a-z0-9.:@_-]{0,12}`).Draw(t, "id"),
				Address: rapid.StringMatching(`[a-z0-9.:/<&]{0,20}`).Draw(t, "address"),
				Labels:  rapid.MapOfN(rapid.StringMatching(`[a-z]{1,5}`), rapid.StringMatching(`\PC{0,5}`), 1, 4).Draw(t, "labels"),
			}
		}), 1, 30, func(t fleet.Target) string { return t.ID }).Draw(t, "targets")
		digest, gz, err := fleet.Encode(fleet.Fleet{Targets: targets})
		require.NoError(t, err)
		require.Equal(t, store.Digest(gz), digest)

		got, err := fleet.Decode(gz)
		require.NoError(t, err)
		require.ElementsMatch(t, targets, got.Targets)
		require.True(t, slices.IsSortedFunc(got.Targets, func(a, b fleet.Target) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) }))

		slices.Reverse(targets)
		again, gz2, err := fleet.Encode(fleet.Fleet{Targets: targets})
		require.NoError(t, err)
		require.Equal(t, digest, again)
		require.Equal(t, gz, gz2)
	})
}

func TestSnapshotRefuses(t *testing.T) {
	pack := func(text string) []byte {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		_, err := io.WriteString(w, text)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return buf.Bytes()
	}
	_, good, err := fleet.Encode(fleet.Fleet{Targets: []fleet.Target{{ID: "a"}}})
	require.NoError(t, err)
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 0x40
	for name, gz := range map[string][]byte{
		"nothing":      nil,
		"not gzip":     []byte(`{"targets":[{"id":"a"}]}`),
		"cut":          good[:len(good)-3],
		"flipped":      flipped,
		"trailing":     append(bytes.Clone(good), 1, 2, 3),
		"two streams":  append(bytes.Clone(good), good...),
		"not JSON":     pack("targets"),
		"empty":        pack(`{"targets":[]}`),
		"twice":        pack(`{"targets":[{"id":"a"},{"id":"a"}]}`),
		"out of order": pack(`{"targets":[{"id":"b"},{"id":"a"}]}`),
		"no id":        pack(`{"targets":[{"address":"x"}]}`),
	} {
		_, err := fleet.Decode(gz)
		require.ErrorContains(t, err, "fleet snapshot: ", name)
	}
	for _, targets := range [][]fleet.Target{nil, {{ID: ""}}, {{ID: "a"}, {ID: "a"}}} {
		_, _, err := fleet.Encode(fleet.Fleet{Targets: targets})
		require.Error(t, err)
	}
}

func TestSnapshotBomb(t *testing.T) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	require.NoError(t, err)
	block := make([]byte, 1<<20)
	for range 65 {
		_, err := w.Write(block)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	_, err = fleet.Decode(buf.Bytes())
	require.ErrorContains(t, err, "unpacks to more than")
}
