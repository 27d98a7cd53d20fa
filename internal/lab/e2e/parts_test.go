package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// featuresScript keeps the second part of a target in a file: its release, and the fence on a
// second line. It refuses an older fence, is slow while there is a file "slow", and fails for good
// for a target in the file "refuse".
const featuresScript = `#!/bin/sh
cd "$(dirname "$0")/features" || exit 1
case $1 in
show) test -s "$2" && sed '2s/^/fence=/' "$2" || echo ;;
set)
	if [ -e slow ]; then touch "busy-$2"; sleep 1; fi
	if [ "$(cat refuse 2>/dev/null)" = "$2" ]; then echo "no flags here"; exit 65; fi
	if [ "$(sed -n 2p "$2" 2>/dev/null || echo 0)" -gt "$4" ]; then exit 79; fi
	printf '%s\n%s\n' "$3" "$4" >"$2.new.$$" && mv "$2.new.$$" "$2" ;;
esac
`

// withParts is a fleet whose targets have two parts: the simulated one, by HTTP, and features, by a
// program. They run 1.0.0 and f1, or nothing of the second.
func withParts(t *testing.T, targets int, first bool) *deployment {
	t.Helper()
	d := deploy(t, targets)
	require.NoError(t, os.WriteFile(filepath.Join(d.Dir, "features.sh"), []byte(featuresScript), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(d.Dir, "features"), 0o755))
	st, err := d.State(t.Context())
	require.NoError(t, err)
	for _, target := range st.Targets {
		if !first {
			require.NoError(t, os.WriteFile(d.features(target.ID), []byte("f1\n0\n"), 0o600))
		}
	}
	return d
}

func (d *deployment) features(names ...string) string {
	return filepath.Join(append([]string{d.Dir, "features"}, names...)...)
}

// both is a spec of both parts.
func (d *deployment) both(app, features, bake, more string) string {
	path := d.spec(app, bake, more)
	return edit(d.t, path, "unit: edge-proxy\n", "unit: edge-proxy\nparts:\n  - {unit: edge-proxy, release: "+app+", driver: {http: {}}}\n"+
		fmt.Sprintf(`  - {unit: features, release: %s, driver: {exec: {observe: [%[2]s/features.sh, show, "{{id}}"], `+
			`apply: [%[2]s/features.sh, set, "{{id}}", "{{release}}", "{{fence}}"]}}}`, features, d.Dir)+"\n",
		fmt.Sprintf("\nrelease: %q\n", app), "\n", "\ndriver: {http: {}}\n", "\n")
}

// leftWrong is how many targets do not run both.
func (d *deployment) leftWrong(app, features string) (wrong int) {
	d.t.Helper()
	st, err := d.State(d.t.Context())
	require.NoError(d.t, err)
	for _, target := range st.Targets {
		text, _ := os.ReadFile(d.features(target.ID)) // none: nothing is installed
		if release, _, _ := strings.Cut(string(text), "\n"); release != features || target.Release != app || !target.Alive {
			wrong++
		}
	}
	return wrong
}

// between waits until the program of features is at work for some target, and has nobody wait for
// it any more.
func (d *deployment) between(do func()) {
	d.t.Helper()
	require.NoError(d.t, os.WriteFile(d.features("slow"), nil, 0o600))
	do()
	require.Eventually(d.t, func() bool {
		busy, _ := filepath.Glob(d.features("busy-*"))
		return len(busy) > 0
	}, time.Minute, 20*time.Millisecond)
	d.worker.Kill()
	require.NoError(d.t, os.Remove(d.features("slow")))
	require.NoError(d.t, d.worker.Start())
}

// The worker dies between two parts, on the way out and on the way back: no target is left between
// them.
func TestKilledBetweenParts(t *testing.T) {
	t.Parallel()
	d := withParts(t, 12, false)
	d.between(func() { d.sluice(0, "start", d.both("2.0.0", "f2", "3s", "")) })
	s := d.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, s.Outcome.Why)
	require.Zero(t, d.leftWrong("2.0.0", "f2"))

	d.sluice(0, "start", d.both("3.0.0", "f3", "1h", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	busy, err := filepath.Glob(d.features("busy-*"))
	require.NoError(t, err)
	for _, name := range busy {
		require.NoError(t, os.Remove(name))
	}
	d.between(func() { d.bareSignal(rollout.SignalAbort, "") })
	s = d.result()
	require.Equal(t, rollout.PhaseAborted, s.Outcome.Result, s.Outcome.Why)
	require.Equal(t, 3, s.Outcome.Reverted)
	require.Zero(t, d.leftWrong("2.0.0", "f2"))
	t.Log("killed between the parts, on the way out and back: left_wrong=0")
}

// Harm of the one takes back the other, also where that was not there before.
func TestPartsGoBackAsOne(t *testing.T) {
	t.Parallel()
	d := withParts(t, 12, true)
	d.sluice(6, "start", d.both("2.0.0", "f1", "3s", ""), "--wait")
	require.Zero(t, d.leftWrong("1.0.0", ""))
	out := d.sluice(3, "start", d.both("2.0.0-errors", "f1", "20s", "fallback: remove"), "--wait")
	require.Contains(t, out.Stdout, "edge-proxy=1.0.0,features=none")
	require.Zero(t, d.leftWrong("1.0.0", ""))
	d.sluice(0, "start", d.both("2.0.0", "f1", "3s", "fallback: remove"), "--wait")
	require.Zero(t, d.leftWrong("2.0.0", "f1"))
	t.Log("the first deploy of a part is removed again: left_wrong=0")
}

// A target that cannot put one part back keeps the other, and is named with what each runs, until
// it can.
func TestPartThatStaysBehind(t *testing.T) {
	t.Parallel()
	d := withParts(t, 12, false)
	d.sluice(0, "start", d.both("2.0.0", "f2", "1h", "rollback: {deadline: 2s}"))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	st, err := d.State(t.Context())
	require.NoError(t, err)
	lost := ""
	for _, target := range st.Targets {
		if target.Release == "2.0.0" {
			lost = target.ID
		}
	}
	require.NoError(t, os.WriteFile(d.features("refuse"), []byte(lost), 0o600))
	d.sluice(0, "abort", unit, "--why", "a test")
	require.Contains(t, d.sluice(5, "watch", unit).Stdout, "NOT reverted 1: "+lost)
	require.Contains(t, d.sluice(0, "explain", unit).Stdout, "features still runs f2, edge-proxy still runs 2.0.0: part features: ")
	require.Equal(t, 1, d.leftWrong("1.0.0", "f1"))
	require.NoError(t, os.Remove(d.features("refuse")))
	d.sluice(0, "retry-rollback", unit, "--why", "it can now")
	require.Equal(t, rollout.PhaseAborted, d.result().Outcome.Result)
	require.Zero(t, d.leftWrong("1.0.0", "f1"))
	t.Log("a part that stayed behind is put back: left_wrong=0")
}

// A program and an agent: bundles are built, prepared everywhere before the program of any target
// runs, and taken back with it.
func TestPartsWithAgents(t *testing.T) {
	t.Parallel()
	r := deployBehindRelay(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, "features.sh"), []byte(featuresScript), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(r.Dir, "features"), 0o755))
	both := func(version, bake string, more ...string) string {
		data, err := os.ReadFile(r.behindRelay(version, bake, more...))
		require.NoError(t, err)
		text := regexp.MustCompile(`(?m)^(bundle: .*)\n(version: .*)\n((?:.*\n)*)driver: (.*)\n`).ReplaceAllString(string(data), fmt.Sprintf(`$2
parts:
  - {unit: words, release: w%[1]s, driver: {exec: {observe: [%[2]s/features.sh, show, "{{id}}"], apply: [%[2]s/features.sh, set, "{{id}}", "{{release}}", "{{fence}}"]}}}
  - {unit: edge-proxy, $1, driver: $4}
$3`, version, r.Dir))
		return r.write("both-"+version+".yaml", text)
	}
	words := func() (all []string) {
		for i := range r.agents {
			data, _ := os.ReadFile(r.features(fmt.Sprintf("web-%d", i+1))) // none: nothing is installed
			word, _, _ := strings.Cut(string(data), "\n")
			all = append(all, word)
		}
		return all
	}
	run := func(version, word string) {
		t.Helper()
		require.Equal(t, strings.TrimSpace(strings.Repeat(version+" ", 6)), r.run())
		require.Equal(t, slices.Repeat([]string{word}, 6), words())
	}
	ran := r.start(6, "--wait", both("1", "2s", "refused-by-web-4"))
	require.Contains(t, ran.Stdout+ran.Stderr, "part edge-proxy: ")
	require.Contains(t, ran.Stdout+ran.Stderr, "line 7: no such feature")
	run("none", "")
	r.start(0, "--wait", both("2", "2s"))
	run("2", "w2")
	r.start(0, both("3", "1h"))
	r.until("the canary's bake", phase(rollout.PhaseBake, 0))
	require.Equal(t, 2, strings.Count(r.run(), "3"))
	r.sluice(0, "abort", unit, "--why", "a test")
	s := r.result()
	require.Equal(t, 2, s.Outcome.Reverted, s.Outcome.Why)
	run("2", "w2")
}
