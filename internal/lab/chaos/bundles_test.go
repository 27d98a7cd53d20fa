package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/lab/hosts"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// The same seed gives the same deliveries, another seed others; their strikes come in the order of
// a rollout's life, and all victims, phases and cargos come about.
func TestDeliveries(t *testing.T) {
	var all, other []delivery
	seen := map[any]bool{}
	victims := bundleVictims(true)
	for n := range 300 {
		d := newDelivery(7, n, victims)
		require.Equal(t, d, newDelivery(7, n, victims))
		all, other = append(all, d), append(other, newDelivery(8, n, victims))
		require.True(t, slices.IsSortedFunc(d.strikes, func(a, b strike) int { return place(a.phase, a.stage) - place(b.phase, b.stage) }))
		seen[d.cargo.name] = true
		for _, s := range d.strikes {
			require.Contains(t, d.cargo.phases, s.phase)
			seen[s.victim], seen[s.phase] = true, true
		}
	}
	require.NotEqual(t, all, other)
	for _, v := range victims {
		require.True(t, seen[v], v)
	}
	for _, p := range bundlePhases() {
		require.True(t, seen[p], p)
	}
	for _, c := range cargos() {
		require.True(t, seen[c.name], c.name)
	}
}

// Each delivery is another bundle, and its specification one that Sluice accepts.
func TestDeliverySpecs(t *testing.T) {
	seen := map[string]bool{}
	for n, c := range cargos() {
		d := delivery{n: n, cargo: c}
		for _, r := range []*relays{nil, {urls: []string{"http://127.0.0.1:1", "http://127.0.0.1:2"}, key: "/order.key"}} {
			_, err := spec.Parse("spec.yaml", []byte(d.spec(r.driver())), catalog.New().Kinds())
			require.NoError(t, err, c.name)
		}
		b, err := d.make(t.Context(), t.TempDir())
		require.NoError(t, err)
		require.False(t, seen[b.Release()])
		seen[b.Release()] = true
	}
}

// newHost is a host that runs a delivery, without an agent.
func newHost(t *testing.T, d delivery) (*hosts.Host, bundle.Bundle) {
	t.Helper()
	h := &hosts.Host{ID: "host-1", Dir: t.TempDir()}
	b, err := d.make(t.Context(), filepath.Join(h.Dir, "made"))
	require.NoError(t, err)
	at := filepath.Join(h.Dir, strings.TrimPrefix(b.Release(), "sha256:"))
	require.NoError(t, os.Rename(filepath.Join(h.Dir, "made"), at))
	require.NoError(t, os.Symlink(at, filepath.Join(h.Dir, "app")))
	return h, b
}

// What a host runs is told by hashes: a file of another release, one that is missing, one too many,
// and a release that nobody rolled out.
func TestLookFindsWhatIsNoRelease(t *testing.T) {
	one, two := delivery{n: 1, cargo: cargos()[0]}, delivery{n: 2, cargo: cargos()[0]}
	for want, change := range map[string]func(dir string) error{
		"": func(string) error { return nil },
		"rules/07.txt: its content": func(dir string) error {
			data, err := os.ReadFile(filepath.Join(dir, "rules/07.txt"))
			require.NoError(t, err)
			data[len(data)-3] ^= 1
			return os.WriteFile(filepath.Join(dir, "rules/07.txt"), data, 0o600)
		},
		"version: it is missing":             func(dir string) error { return os.Remove(filepath.Join(dir, "version")) },
		"extra: it is not part":              func(dir string) error { return os.WriteFile(filepath.Join(dir, "extra"), nil, 0o600) },
		"which nobody has rolled out":        func(dir string) error { return nil },
		"no such file":                       os.RemoveAll,
		"neither \"good 2\" nor the new":     func(string) error { return nil },
		"in between, since it was refused\n": func(string) error { return nil },
	} {
		h, b := newHost(t, one)
		dir, err := os.Readlink(filepath.Join(h.Dir, "app"))
		require.NoError(t, err)
		require.NoError(t, change(dir))
		other, err := two.make(t.Context(), t.TempDir())
		require.NoError(t, err)
		d := depot{
			fleet: &hosts.Fleet{Hosts: []*hosts.Host{h}}, known: map[string]bundle.Bundle{b.Release(): b, other.Release(): other},
			versions: map[string]string{"": "", b.Release(): one.version(), other.Release(): two.version()},
		}
		out := delivered{delivery: one, release: b.Release(), before: []string{other.Release()}}
		kind := mixed
		switch {
		case strings.HasPrefix(want, "which nobody"):
			delete(d.known, b.Release())
		case strings.HasPrefix(want, "neither"):
			out.release, out.before[0], kind = "sha256:another", other.Release(), between
		case strings.HasPrefix(want, "in between"):
			out.delivery.cargo.end, kind, want = rollout.PhaseRefused, between, "runs"
		}
		d.look(&out)
		require.Equal(t, 1, out.looks)
		if want == "" {
			require.Empty(t, out.broken)
			continue
		}
		require.Len(t, out.broken, 1, want)
		require.Equal(t, kind, out.broken[0].rule)
		require.Contains(t, out.broken[0].how, want)
	}
}

// Agents that are away may change how a good or a harmful release ends, never to promoted; nothing
// changes how a refused one does.
func TestChangedEnds(t *testing.T) {
	with := func(c cargo, got rollout.Phase, v victim) delivered {
		d := delivered{delivery: delivery{cargo: c}, hits: []hit{{victim: v}}}
		d.state.Outcome = &rollout.Outcome{Result: got}
		d.state.Outcome.EndedAt = d.state.Outcome.EndedAt.Add(1)
		return d
	}
	good, refused, harmful := cargos()[0], cargos()[2], cargos()[3]
	require.NotEmpty(t, with(good, rollout.PhaseRolledBack, allAgents).changed())
	require.NotEmpty(t, with(harmful, rollout.PhaseIncomplete, oneAgent).changed())
	for _, d := range []delivered{
		with(good, rollout.PhaseRolledBack, worker), with(good, rollout.PhaseRefused, storeGone), with(good, rollout.PhaseRolledBack, server),
		with(harmful, rollout.PhasePromoted, allAgents), with(refused, rollout.PhasePromoted, allAgents), with(refused, rollout.PhaseRolledBack, allAgents),
	} {
		require.Empty(t, d.changed())
	}
}

// A sum has everything that was seen, and any flaw.
func TestAgentTally(t *testing.T) {
	tally := newTally("agents", 1, bundleVictims(false), bundlePhases())
	d := delivered{delivery: delivery{cargo: cargos()[3]}, hits: []hit{{victim: storeGone, real: prepare}}, looks: 24}
	d.state.Outcome = &rollout.Outcome{Result: rollout.PhasePromoted}
	d.flaw(unlisted, "host-1")
	var out strings.Builder
	require.Contains(t, tally.addDelivery(d, "dir"), "VIOLATION unlisted: host-1")
	tally.print(&out)
	require.Contains(t, out.String(), "rollouts=1 faults=1 killed=0 beside_their_phase=1 changed_ends=0 violations=1 looks=24")
	require.Regexp(t, `store +0 +1 +0`, out.String())
}
