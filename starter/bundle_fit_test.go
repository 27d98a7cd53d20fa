package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/rollout"
)

// fitted is a folder with a spec whose bundle is validated by some settings, a schema and a
// program.
func fitted(t *testing.T, validate string) (dir, spec string) {
	t.Helper()
	dir = features(t, "bundle: ./features\nvalidate: "+validate)
	schema := `{"properties": {"on": {"type": "boolean"}}}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "schema.json"), []byte(schema), 0o600))
	program := "#!/bin/sh\necho looked in $PWD\ngrep -q true \"$1/a.json\" && rm \"$1/a.json\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "check.sh"), []byte(program), 0o700))
	return dir, filepath.Join(dir, "spec.yaml")
}

func TestValidatorsRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		validate, content string
		want              string
	}{
		"fit":          {`{schema: {a.json: schema.json}, limits: {bytes: 1KB, entries: {"a.json#": 1}}, command: [./check.sh, "{{dir}}"]}`, `{"on": true}`, ""},
		"schema":       {`{schema: {a.json: schema.json}}`, "{\n  \"on\": 7}", "features/a.json:2:9: #/on: got number, want boolean, by schema.json"},
		"no JSON":      {`{schema: {a.json: schema.json}}`, "{", "features/a.json:1:1: is not valid JSON"},
		"no schema":    {`{schema: {a.json: none.json}}`, "{}", `spec.yaml:3:29: validate.schema["a.json"]: read `},
		"no such file": {`{schema: {b.json: schema.json}}`, "{}", `spec.yaml:3:29: validate.schema["b.json"]: no file of the bundle matches "b.json"`},
		"bytes":        {`{limits: {bytes: 5B}}`, "{}   ", "spec.yaml:3:28: validate.limits.bytes: the bundle has 6 bytes, at most 5"},
		"entries":      {`{limits: {entries: {"a.json#/f": 2}}}`, `{"f": [1, 2, 3]}`, "features/a.json:1:7: a.json#/f has 3 entries, at most 2"},
		"command":      {`{command: [./check.sh, "{{dir}}"]}`, `{"on": false}`, "spec.yaml:3:21: validate.command: refuses the bundle: ./check.sh: exit status 1: looked in "},
		"no command":   {`{command: [./none.sh, "{{dir}}"]}`, `{}`, "spec.yaml:3:21: validate.command: could not look at the bundle: ./none.sh: "},
		"escapes":      {`{limits: {entries: {"a.json#/a": 2}}}`, "{\"a\": \"\u202e\"}", `a.json#/a is "\u202e", expected a list`},
	} {
		t.Run(name, func(t *testing.T) {
			dir, spec := fitted(t, c.validate)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "features", "a.json"), []byte(c.content), 0o600))
			kept := filepath.Join(dir, "store")
			lines := [][]string{{"validate", spec}, {"plan", spec, "--no-predict"}}
			if c.want != "" { // it ends before it asks Temporal
				lines = append(lines, []string{"start", spec, "--by", "ann", "--store", kept, "--address", "127.0.0.1:1"})
			}
			for _, args := range lines {
				r := sluice(t, "", args...)
				if c.want == "" {
					require.Equal(t, exitOK, r.code, r.errOut)
					require.FileExists(t, filepath.Join(dir, "features", "a.json"), "the program has a copy")
				}
				if c.want != "" { // before anything is stored
					require.Equal(t, exitInvalid, r.code, r.errOut)
					require.Contains(t, r.errOut, c.want)
				}
				require.NoDirExists(t, kept, "nothing is kept of what was not let through")
			}
		})
	}
}

// twoBundles is a spec whose bundle has as many entries as asked, and a store with the one before,
// which had a hundred.
func twoBundles(t *testing.T, validate string, entries int) (l loaded, storeDir, before string) {
	t.Helper()
	dir, spec := fitted(t, validate)
	write := func(n int) {
		text := `{"f": [` + strings.TrimSuffix(strings.Repeat("1,", n), ",") + `]}`
		require.NoError(t, os.WriteFile(filepath.Join(dir, "features", "a.json"), []byte(text), 0o600))
	}
	storeDir = filepath.Join(dir, "store")
	write(100)
	before = strings.TrimSpace(sluice(t, "", "bundle", "build", filepath.Join(dir, "features"), "--store", storeDir).out)
	write(entries)
	text, err := os.ReadFile(spec)
	require.NoError(t, err)
	l, err = loadText(t.Context(), testConsole(&bytes.Buffer{}, &bytes.Buffer{}), spec, text, puller{})
	require.NoError(t, err)
	t.Cleanup(func() { l.close() })
	return l, storeDir, before
}

// endedAs is a server on which the newest rollout ended in a state.
func endedAs(s rollout.State) *remote {
	return &remote{client: &fakeTemporal{describe: always(isCompleted), result: s}, short: true}
}

func promoted(release string) rollout.State {
	return rollout.State{Release: release, Outcome: &rollout.Outcome{Result: rollout.PhasePromoted}}
}

func TestChangeAgainstWhatTheFleetRuns(t *testing.T) {
	const limited = `{change: {maxRemoved: 5%, maxChanged: 30%, of: "a.json#/f"}}`
	other := "sha256:" + strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		validate string
		entries  int
		runs     string // empty is what is in the store
		override bool
		code     int
		want     string
		passed   string
	}{
		"within":              {limited, 103, "", false, exitOK, "a.json: 3 values added\n  + /f/100: 1", ""},
		"the same":            {limited, 100, "", false, exitOK, "no difference to what the fleet runs", ""},
		"doubled":             {limited, 200, "", false, exitInvalid, "a.json:1:7: a.json#/f: 100 of 100 entries not as they were (0 changed, 100 added, 0 removed), 100%, at most 30%", ""},
		"a mass delete":       {limited, 60, "", false, exitInvalid, "a.json#/f: 40 of 100 entries removed, 40%, at most 5%", ""},
		"meant":               {limited, 60, "", true, exitOK, "let pass by --override: ", "a.json#/f: 40 of 100 entries removed, 40%, at most 5%; a.json#/f: 40 of 100"},
		"no limit":            {`{limits: {bytes: 1MB}}`, 200, "", false, exitOK, "a.json: 100 values added", ""},
		"the diff is bounded": {`{limits: {bytes: 1MB}}`, 200, "", false, exitOK, "… and 81 more lines", ""},
		"not in the store":    {limited, 100, other, false, exitInvalid, "validate.change: cannot be checked, since what the fleet runs is not known: it runs " + other + ", which is not in the store", ""},
		"not there, meant":    {limited, 100, other, true, exitOK, "let pass by --override", "validate.change: cannot be checked"},
		"no bundle":           {limited, 100, "2.4.1", false, exitInvalid, "it runs 2.4.1, which is no bundle", ""},
		"no limit, no bundle": {`{limits: {bytes: 1MB}}`, 100, "2.4.1", false, exitOK, "not compared with what the fleet runs: it runs 2.4.1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, storeDir, before := twoBundles(t, c.validate, c.entries)
			if c.runs != "" {
				before = c.runs
			}
			var out, errOut bytes.Buffer
			con := testConsole(&out, &errOut)
			passed, err := endedAs(promoted(before)).allowed(t.Context(), con, &l, storeDir, c.override)
			require.Equal(t, c.code, con.report(err), errOut.String())
			require.Contains(t, errOut.String(), c.want)
			require.Equal(t, c.passed == "", passed == "")
			require.Contains(t, passed, c.passed)
			require.Empty(t, out.String(), "standard output is for the object")
			if c.code == exitInvalid {
				require.Contains(t, errOut.String(), `--override --why`)
			}
		})
	}
	t.Run("the first", func(t *testing.T) {
		l, storeDir, _ := twoBundles(t, limited, 1)
		var out, errOut bytes.Buffer
		r := &remote{client: &fakeTemporal{describe: func(int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			return nil, serviceerror.NewNotFound("no")
		}}}
		_, err := r.allowed(t.Context(), testConsole(&out, &errOut), &l, storeDir, false)
		require.NoError(t, err)
		require.Contains(t, errOut.String(), "no rollout of features has left a release so far as Temporal knows")
	})
}

// What the fleet runs is what the newest rollout that has left something has left there.
func TestWhatRolloutsLeave(t *testing.T) {
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	a, b := digest("a"), digest("b")
	state := func(result rollout.Phase, release, undoes string, back ...rollout.Back) rollout.State {
		return rollout.State{Release: release, Undoes: undoes, Outcome: &rollout.Outcome{Result: result, Back: back}}
	}
	for name, c := range map[string]struct {
		newest []rollout.State // run-0, run-1, …
		status string
		want   before
	}{
		"promoted":                     {[]rollout.State{state(rollout.PhasePromoted, a, ""), state(rollout.PhasePromoted, b, "")}, "", before{release: a}},
		"refused, then promoted":       {[]rollout.State{state(rollout.PhaseRefused, b, ""), state(rollout.PhasePromoted, a, "")}, "", before{release: a}},
		"rolled back to":               {[]rollout.State{state(rollout.PhaseRolledBack, b, "", rollout.Back{Release: a, Targets: 9}, rollout.Back{Release: b, Targets: 1})}, "", before{release: a}},
		"rolled back to nothing":       {[]rollout.State{state(rollout.PhaseRolledBack, b, "", rollout.Back{Targets: 9})}, "", before{}},
		"undone":                       {[]rollout.State{state(rollout.PhaseUndone, b, "run-1"), state(rollout.PhasePromoted, b, ""), state(rollout.PhasePromoted, a, "")}, "", before{release: a}},
		"undone, and told":             {[]rollout.State{state(rollout.PhaseUndone, b, "run-1", rollout.Back{Release: a, Targets: 3})}, "", before{release: a}},
		"no bundle":                    {[]rollout.State{state(rollout.PhasePromoted, "2.4.1", "")}, "", before{unknown: "it runs 2.4.1, which is no bundle"}},
		"terminated, then promoted":    {[]rollout.State{{}, state(rollout.PhasePromoted, a, "")}, "terminated", before{release: a}},
		"runs, and promoted before it": {[]rollout.State{{}, state(rollout.PhasePromoted, a, "")}, statusRunning, before{release: a}},
		"failed without a word":        {[]rollout.State{{}, state(rollout.PhasePromoted, a, "")}, "failed", before{unknown: "what became of run run-0 is not known: no result"}},
		"guards":                       {[]rollout.State{{Phase: rollout.PhaseGuard, Release: a}}, statusRunning, before{release: a}},
		"none":                         {nil, "", before{}},
	} {
		t.Run(name, func(t *testing.T) {
			undone, got := map[string]bool{}, before{}
			for i := range c.newest {
				v := view{RunID: fmt.Sprint("run-", i), Status: "completed", Release: c.newest[i].Release, State: &c.newest[i]}
				if v.Phase = string(v.State.Phase); v.State.Outcome == nil {
					v.State, v.Status, v.Trouble = nil, c.status, "no result"
				}
				var known bool
				if got, known = leftBy(v, undone, ""); known {
					break
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}

// The list is read behind the newest rollout; where it has more than was read, nobody knows.
func TestBeforeReadsTheList(t *testing.T) {
	refused := rollout.State{Outcome: &rollout.Outcome{Result: rollout.PhaseRefused}}
	page := func(n int) []*workflowservice.ListWorkflowExecutionsResponse {
		p := &workflowservice.ListWorkflowExecutionsResponse{}
		for i := range n {
			e := execution(isCompleted)
			e.Execution.RunId = fmt.Sprint("run-", i+1)
			p.Executions = append(p.Executions, e)
		}
		return []*workflowservice.ListWorkflowExecutionsResponse{p}
	}
	for n, want := range map[int]before{3: {}, 21: {unknown: "none of the newest 20 rollouts of features has left a release"}} {
		f := &fakeTemporal{describe: always(isCompleted), result: refused, pages: page(n)}
		require.Equal(t, want, (&remote{client: f}).before(t.Context(), "features", ""))
		require.Equal(t, min(n, 20), f.looks, "each is looked at once")
	}
}

// A bundle in a registry is pulled to be looked at, and leaves nothing behind.
func TestValidatorsOfABundleElsewhere(t *testing.T) {
	dir := features(t, "")
	_, reference := pushedFeatures(t, dir, aRegistry(t)+"/team/features")
	spec := filepath.Join(dir, "spec.yaml")
	for limit, code := range map[string]int{"1KB": exitOK, "5B": exitInvalid} {
		text := strings.ReplaceAll(featuresSpec, "RELEASE", "bundle: "+reference+"\nvalidate: {limits: {bytes: "+limit+"}}")
		require.NoError(t, os.WriteFile(spec, []byte(text), 0o600))
		t.Setenv("TMPDIR", t.TempDir())
		r := sluice(t, "", "validate", spec)
		require.Equal(t, code, r.code, r.errOut)
		left, err := os.ReadDir(os.Getenv("TMPDIR"))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}
