package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// quick is few bakes: what follows from it is only roughly so.
const quick = 100

func TestQuickly(t *testing.T) {
	t.Parallel()
	b := newBench(t.Context(), quick, 1)
	got := b.usually(t.Context(), clean())
	for _, j := range b.judges {
		r := got[j.name]
		require.Equal(t, quick, r.runs)
		if j.name != "z-test, 5% each" {
			require.Less(t, r.share(), 0.05+0.11, j.name) // the noise of two such samples
		}
	}
	require.LessOrEqual(t, got[nameOurs].share(), 0.05)
	require.Greater(t, got["z-test, 5% each"].share(), 0.2, "what is read again and again alarms")

	shared := b.usually(t.Context(), healthy()[2])
	require.Greater(t, shared["Argo Rollouts"].share(), 0.9, "a shared incident is no harm, which a limit does not know")
	require.Less(t, shared[nameOurs].share(), 0.06)

	delay := map[float64]result{}
	for _, w := range harmful() {
		if w.factor >= 2 && w.factor <= 5 {
			got = b.usually(t.Context(), w)
			delay[w.factor] = got[nameOurs]
			require.Less(t, got[nameOracle].seconds, got[nameOurs].seconds, w.name)
		}
	}
	require.Less(t, delay[3].seconds, delay[2].seconds)
	require.Less(t, delay[5].seconds, delay[3].seconds)
	require.Less(t, delay[5].bad, delay[2].bad)
	require.Equal(t, quick, delay[5].found)
}

// The same seed makes the same tables, on any number of cores; another does not.
func TestDeterministic(t *testing.T) { // not parallel: it changes GOMAXPROCS
	tables := func(procs int, seed string) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), []string{"--runs", "40", "--seed", seed, "--only", "strict,adaptive"}, &out, io.Discard))
		return out.String()
	}
	one := tables(1, "1")
	require.Contains(t, one, "least possible (Wald)")
	require.Equal(t, one, tables(3, "1"))
	require.NotEqual(t, one, tables(1, "7"))
}

func TestIntoPage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(file, []byte("before\n<!-- judge:unknowable -->\nold\n<!-- judge:end -->\nafter\n"), 0o600))
	args := []string{"--runs", "20", "--only", "unknowable", "--page", file}
	require.NoError(t, run(t.Context(), args, io.Discard, io.Discard))
	first, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Regexp(t, `(?s)^before\n<!-- judge:unknowable -->\n.*\| world \| Sluice \|.*\n<!-- judge:end -->\nafter\n$`, string(first))
	require.NotContains(t, string(first), "old")
	require.NoError(t, run(t.Context(), args, io.Discard, io.Discard))
	again, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(first), string(again))

	require.NoError(t, os.WriteFile(file, []byte("no marks"), 0o600))
	require.ErrorContains(t, run(t.Context(), args, io.Discard, io.Discard), "has no <!-- judge:unknowable -->")
}

// The page has a place for every table.
func TestPageHasAllTables(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/judge.md")
	require.NoError(t, err)
	for _, r := range reports() {
		require.Equal(t, 1, strings.Count(string(page), "<!-- judge:"+r.name+" -->"), r.name)
	}
	require.Equal(t, len(reports()), strings.Count(string(page), "<!-- judge:end -->"))
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--runs 2":    "--runs: 2 is too few",
		"--only what": `--only: "what" is unknown, expected some of targets,healthy`,
		"more":        `"more" is not a flag`,
		"--what":      "not defined",
	} {
		require.ErrorContains(t, run(t.Context(), strings.Fields(args), io.Discard, io.Discard), want)
	}
}

// Worlds are what they say.
func TestWorlds(t *testing.T) {
	t.Parallel()
	for _, w := range append(healthy(), append(harmful(), late()...)...) {
		bad, total, missing := 0.0, 0.0, 0
		for i := range 20 {
			s := w.draw(source(1, w.name, i))
			require.Len(t, s.before, w.before(), w.name)
			require.Len(t, s.since, looks, w.name)
			for k, l := range s.since {
				if l.Exposed == nil || l.Control == nil {
					missing++
					continue
				}
				require.LessOrEqual(t, l.Exposed.Bad, l.Exposed.Total)
				require.GreaterOrEqual(t, l.Control.Bad, 0.0)
				if k >= w.onset {
					bad, total = bad+l.Exposed.Bad, total+l.Exposed.Total
				}
			}
		}
		require.Equal(t, w.name == "looks missing", missing > 0, w.name)
		if w.factor > 0 {
			require.InEpsilon(t, baseErrors*w.factor, bad/total, 0.15, w.name)
		}
	}
}

func TestNegativeBinomial(t *testing.T) {
	t.Parallel()
	r := source(3, "", 0)
	sum, squares, n := 0.0, 0.0, 200_000.0
	for range int(n) {
		x := arm(r, exposedRPS, baseErrors, 5).Bad
		sum, squares = sum+x, squares+x*x
	}
	mean := sum / n
	require.InEpsilon(t, 0.75, mean, 0.03)
	require.InEpsilon(t, 5, (squares/n-mean*mean)/mean, 0.06)
}

// Wald's bound, against published arithmetic: ln 20 over the divergence.
func TestBound(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 165.6, bound(2, usual, 1), 0.1)
	require.InDelta(t, 50.0, bound(3, usual, 1), 0.1)
	require.InDelta(t, 16.3, bound(5, usual, 1), 0.1)
	require.True(t, math.IsNaN(bound(1, usual, 1)))
}
