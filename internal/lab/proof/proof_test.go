package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/worker/rehearsal"
)

const specText = `unit: edge
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: first, count: 2, bake: 5m}
  - {name: all, reach: 100%, bake: 5m}
health:
  prometheus: http://x
  checks: [{name: errors, bad: "sum(increase(bad{$exposed}[$window]))", total: "sum(increase(all{$exposed}[$window]))", max: 2%}]
`

// folder holds three small outages: one that a gate catches, one that begins when nobody watches
// any more, and a good change.
func folder(t *testing.T) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	for name, faults := range map[string]string{"caught": "errors 50%", "dormant": "errors 50% at 2h", "good": "errors 9x everywhere at 3m for 1m"} {
		text := "name: " + name + "\ntitle: T\nchange: c\nfleet: [{count: 20}]\nmitigated: 10m\nover: 20m\nfaults: [" + faults + "]\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600))
	}
	file = filepath.Join(t.TempDir(), "spec.yaml")
	require.NoError(t, os.WriteFile(file, []byte(specText), 0o600))
	return dir, file
}

// Other people's files are played by the same program. The same seeds make the same tables, however
// many are played at once; what no gate can catch is said to be so.
func TestFolder(t *testing.T) {
	dir, file := folder(t)
	play := func(workers string) string {
		var out bytes.Buffer
		svg := filepath.Join(t.TempDir(), "x.svg")
		args := []string{"--outages", dir, "--spec", file, "--seeds", "2", "--workers", workers, "--chart", svg}
		require.NoError(t, run(t.Context(), args, &out, io.Discard))
		drawn, err := os.ReadFile(svg)
		require.NoError(t, err)
		require.NoError(t, wellFormed(drawn))
		return out.String() + string(drawn)
	}
	first := play("1")
	require.Equal(t, first, play("3"))
	for _, line := range []string{"caught   2 caught", "dormant  2 no signal", "medians over 1 outages with a signal"} {
		require.Contains(t, first, line)
	}
	require.Regexp(t, `recall.*100% \(2 of 2;`, first)
}

// All wrong files are named, each with every mistake and its place.
func TestWrongFolder(t *testing.T) {
	dir, _ := folder(t)
	for name, text := range map[string]string{"a": "name: A\ntitle: T\n", "b": "name: b\ntitle: T\nchange: c\nfaults: [erors 2x]\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600))
	}
	err := run(t.Context(), []string{"--outages", dir}, io.Discard, io.Discard)
	require.NotContains(t, err.Error(), "mitigated") // nobody knows yet whether it does harm
	for _, word := range []string{"a.yaml:1:7: ", "a.yaml:1:1: ", "change", "b.yaml:4:10: ", `did you mean "errors"`} {
		require.ErrorContains(t, err, word)
	}
}

func wellFormed(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestVerdict(t *testing.T) {
	harmful, err := outages.Parse("x", []byte("name: x\ntitle: T\nchange: c\nmitigated: 1m\nover: 1m\nfaults: [errors 2x]\n"))
	require.NoError(t, err)
	harm := simulate.Score{Harmed: true}
	for want, play := range map[verdict]rehearsal.Played{
		caught: {Result: rollout.PhaseRolledBack, Score: harm},
		missed: {Result: rollout.PhasePromoted, Score: harm},
		unseen: {Result: rollout.PhasePromoted, Score: harm, Unseen: true},
		blamed: {Result: rollout.PhaseRolledBack, Unseen: true},
	} {
		require.Equal(t, want, verdictOf(harmful, play))
	}
	for want, play := range map[verdict]rehearsal.Played{
		blamed: {Result: rollout.PhaseRolledBack}, passed: {Result: rollout.PhasePromoted}, unfinished: {Result: rollout.PhaseHold},
	} {
		require.Equal(t, want, verdictOf(outages.Outage{}, play))
	}
}

// A goal that is missed fails --quick.
func TestHeld(t *testing.T) {
	o, err := outages.Parse("x", []byte("name: x\ntitle: T\nchange: c\nmitigated: 1m\nover: 1m\nfaults: [errors 2x]\n"))
	require.NoError(t, err)
	minute := time.Minute
	push := rehearsal.Played{Score: simulate.Score{Harmed: true, Bad: 1000, Exposed: 1, Undone: &minute}}
	good := rehearsal.Played{Result: rollout.PhaseRolledBack, Score: simulate.Score{
		Harmed: true, Bad: 1, Exposed: 0.02, Detected: &minute, Undone: &minute,
	}}
	r := result{Outage: o, First: 0.02, Ways: []rehearsal.Played{push, push, push, push}, Gated: []rehearsal.Played{good}}
	require.NoError(t, held([]result{r}))
	r.Gated = []rehearsal.Played{{Result: rollout.PhasePromoted, Score: push.Score}}
	err = held([]result{r})
	for _, word := range []string{"exposed", "bad requests", "recall"} {
		require.ErrorContains(t, err, "goal missed: ")
		require.ErrorContains(t, err, word)
	}
}

// What the page says was played by the outages that are there, and it held.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/proof.md")
	require.NoError(t, err)
	for _, r := range reports() {
		require.Contains(t, string(page), "<!-- proof:"+r.name+" -->")
	}
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "<!-- proof:ways -->")
}
