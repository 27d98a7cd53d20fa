package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// ran is what a command line did.
type ran struct {
	code        int
	out, errOut string
}

func sluice(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(t.Context(), append([]string{"sluice"}, args...), strings.NewReader(stdin), &out, &errOut)
	return ran{code, out.String(), errOut.String()}
}

// nowhere is an address where no server listens.
func nowhere(t *testing.T) string {
	t.Helper()
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}

// mistakes are command lines that cannot be meant, with what is said about them.
func mistakes() map[string]struct {
	args []string
	want string
} {
	type c = struct {
		args []string
		want string
	}
	return map[string]c{
		"no command":            {nil, "no command given"},
		"unknown command":       {[]string{"strat", "spec.yaml"}, `unknown command "strat"; did you mean start?`},
		"begun command":         {[]string{"stat"}, "did you mean"},
		"far command":           {[]string{"xyzzy"}, "run sluice --help"},
		"unknown flag":          {[]string{"start", "spec.yaml", "--wiat"}, "start: unknown flag --wiat; did you mean --wait?"},
		"flag of another":       {[]string{"plan", "spec.yaml", "--wait"}, "plan: unknown flag --wait"},
		"no argument":           {[]string{"status"}, "status needs UNIT"},
		"too many arguments":    {[]string{"status", "a", "b"}, `unexpected argument "b"`},
		"argument to none":      {[]string{"list", "a"}, `unexpected argument "a", expected no arguments`},
		"empty argument":        {[]string{"status", ""}, "an argument is empty"},
		"value of a bool":       {[]string{"start", "spec.yaml", "--wait", "true"}, `unexpected argument "true"`},
		"bad bool":              {[]string{"start", "spec.yaml", "--wait=maybe"}, "wait"},
		"flag without value":    {[]string{"abort", "u", "--why"}, "--why needs a value"},
		"flag swallows flag":    {[]string{"abort", "u", "--why", "--by", "x"}, "write --why=--by"},
		"flag swallows the end": {[]string{"abort", "u", "--why", "--", "x"}, "--why needs a value"},
		"output":                {[]string{"validate", "x", "--output", "yaml"}, "expected text or json"},
		"timeout without unit":  {[]string{"watch", "u", "--timeout", "5"}, "is not a duration"},
		"negative timeout":      {[]string{"watch", "u", "--timeout=-5s"}, "is not a duration"},
		"timeout without wait":  {[]string{"start", "spec.yaml", "--timeout", "5s"}, "--timeout goes with --wait"},
		"promote without why":   {[]string{"promote", "u"}, "promote needs a reason"},
		"long why":              {[]string{"abort", "u", "--why", strings.Repeat("x", 501)}, "at most 500"},
		"control in by":         {[]string{"abort", "u", "--by", "a\x1bb"}, "control characters"},
		"limit":                 {[]string{"list", "--limit", "0"}, "expected 1 to 1000"},
		"limit not a number":    {[]string{"list", "--limit", "many"}, "limit"},
		"shell":                 {[]string{"completion", "tcsh"}, "expected bash, zsh or fish"},
		"help of unknown":       {[]string{"help", "strat"}, "unknown command"},
		"missing file":          {[]string{"validate", "/does/not/exist.yaml"}, "no such file"},
		"folder":                {[]string{"validate", "/"}, "is a directory"},
		"address, no port":      {[]string{"list", "--address", "temporal"}, "expected HOST:PORT"},
		"bad ui":                {[]string{"list", "--ui", "localhost:8233"}, "expected a URL"},
		"unknown profile":       {[]string{"list", "--profile", "nowhere"}, "nowhere"},
	}
}

func TestMistakesExitWith2(t *testing.T) {
	nowhere(t)
	for name, c := range mistakes() {
		t.Run(name, func(t *testing.T) {
			r := sluice(t, "", c.args...)
			require.Equal(t, exitInvalid, r.code, r.errOut)
			require.Empty(t, r.out, "messages go to stderr")
			require.Contains(t, r.errOut, c.want)
		})
	}
}

// TestFailuresInJSON runs every mistake again: stdout is one object.
func TestFailuresInJSON(t *testing.T) {
	address := nowhere(t)
	cases := mistakes()
	delete(cases, "output")                // it is about --output itself
	delete(cases, "flag swallows the end") // all that follows "--" is no flag
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			oneFailure(t, exitInvalid, sluice(t, "", append([]string{"--output", "json"}, c.args...)...))
			if name != "flag without value" {
				oneFailure(t, exitInvalid, sluice(t, "", append(c.args, "--output=json")...))
			}
		})
	}
	t.Run("no server", func(t *testing.T) {
		oneFailure(t, exitInternal, sluice(t, "", "status", "u", "-o", "json", "--address", address))
	})
}

func oneFailure(t *testing.T, code int, r ran) {
	t.Helper()
	require.Equal(t, code, r.code, r.errOut)
	dec := json.NewDecoder(strings.NewReader(r.out))
	var f failure
	require.NoError(t, dec.Decode(&f), r.out)
	require.NotEmpty(t, f.Error)
	require.Equal(t, code, f.Code)
	require.ErrorIs(t, dec.Decode(&f), io.EOF, "nothing follows the object")
	require.NotEmpty(t, r.errOut, "a person is told as well")
}

func TestNoServer(t *testing.T) {
	address := nowhere(t)
	for _, args := range [][]string{
		{"status", "u"},
		{"watch", "u"},
		{"watch"},
		{"list"},
		{"explain", "u"},
		{"pause", "u"},
		{"resume", "u"},
		{"abort", "u"},
		{"approve", "u"},
		{"promote", "u", "--why", "x"},
	} {
		r := sluice(t, "", append(args, "--address", address)...)
		require.Equal(t, exitInternal, r.code, args)
		require.Empty(t, r.out)
		require.Contains(t, r.errOut, "no server answers at "+address)
		require.Contains(t, r.errOut, "make dev")
	}
}

func TestHelp(t *testing.T) {
	root := sluice(t, "", "--help")
	require.Equal(t, exitOK, root.code)
	require.Equal(t, root, sluice(t, "", "help"))
	require.Equal(t, root, sluice(t, "", "-h"))
	for _, c := range allCommands() {
		name := strings.Fields(c.name)
		require.Contains(t, root.out, name[0])
		r := sluice(t, "", append(name, "--help")...)
		require.Equal(t, exitOK, r.code)
		require.Empty(t, r.errOut)
		require.Contains(t, r.out, "Example: sluice "+c.name)
		require.Contains(t, r.out, "--output")
		require.Equal(t, r, sluice(t, "", append([]string{"help"}, name...)...))
		require.Equal(t, r, sluice(t, "", append(name, "anything", "-h")...))
	}
}

func TestFlagsStandAnywhere(t *testing.T) {
	for _, words := range [][]string{
		{"completion", "bash", "--output", "json"},
		{"completion", "--output", "json", "bash"},
		{"--output=json", "completion", "bash"},
		{"-o", "json", "completion", "--", "bash"},
	} {
		r := sluice(t, "", words...)
		require.Equal(t, exitOK, r.code, r.errOut)
		var got map[string]string
		require.NoError(t, json.Unmarshal([]byte(r.out), &got))
		require.Equal(t, "bash", got["shell"])
	}
}

func TestAfterDashesNothingIsAFlag(t *testing.T) {
	p, err := parseArgs(allCommands(), []string{"abort", "--why", "a b", "--", "--by", "-"})
	require.NoError(t, err)
	require.Equal(t, parsedArgs{command: "abort", flags: []string{"--why=a b"}, positionals: []string{"--by", "-"}}, p)
	require.Equal(t, []string{"sluice", "abort", "--why=a b", "--", "--by", "-"}, p.canonical())
}

func TestUnitNamedLikeACommandOrAFlag(t *testing.T) {
	address := nowhere(t)
	for _, unit := range []string{"help", "h", "output", "status", "why"} {
		r := sluice(t, "", "status", unit, "--address", address)
		require.Contains(t, r.errOut, "no server answers", unit)
	}
}

func TestVersion(t *testing.T) {
	r := sluice(t, "", "version", "--output", "json")
	require.Equal(t, exitOK, r.code)
	var v versions
	require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	require.NotEmpty(t, v.Version)
	require.NotEmpty(t, v.SDK)
	require.Equal(t, sluice(t, "", "version"), sluice(t, "", "--version"))
}

func TestSchema(t *testing.T) {
	r := sluice(t, "", "schema")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.True(t, json.Valid([]byte(r.out)))
	require.Equal(t, r.out, sluice(t, "", "schema", "--output", "json").out)
}

func TestCompletion(t *testing.T) {
	known := names{
		units:  func() []string { return []string{"edge", "edge-proxy", "payments"} },
		stages: func(unit string) []string { return []string{"canary of " + unit} },
	}
	require.Equal(t, []string{"--address", "h:1", "--tls", "--namespace=n"},
		remoteWords([]string{"abort", "--address", "h:1", "--why", "x", "--tls", "--namespace=n", "ed"}))
	for words, want := range map[string][]string{
		"sta":                {"start", "status"},
		"abort --o":          {"--output"},
		"abort --output ":    {"text", "json"},
		"completion ":        {"bash", "zsh", "fish"},
		"help expl":          {"explain"},
		"validate ":          nil,
		"abort ed":           {"edge", "edge-proxy"},
		"abort --why ":       nil,
		"abort edge ":        nil,
		"watch ":             {"edge", "edge-proxy", "payments"},
		"list --unit p":      {"payments"},
		"list --phase hol":   {"holding"},
		"list --outcome pro": {"promoted"},

		"approve edge --stage ":       {"canary of edge"},
		"promote --why x e --stage c": {"canary of e"},
		"nosuch ":                     nil,
		"start --timeout 5s -":        {"--address", "--by", "--deployment", "--help", "--namespace", "--output", "--override", "--plain-http", "--profile", "--registry-password", "--registry-user", "--store", "--timeout", "--tls", "--ui", "--wait", "--why"},
	} {
		require.ElementsMatch(t, want, candidates(allCommands(), strings.Split(words, " "), known), words)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		r := sluice(t, "", "completion", shell)
		require.Equal(t, exitOK, r.code)
		require.Contains(t, r.out, completeCommand)
	}
	require.Equal(t, "start\nstatus\n", sluice(t, "", completeCommand, "sta").out)
}

// brokenPipe is a reader that has gone away.
type brokenPipe struct{ err error }

func (b brokenPipe) Write([]byte) (int, error) { return 0, b.err }

func TestStdoutThatCannotBeWritten(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		quiet bool
	}{
		"closed pipe": {&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, true},
		"full disk":   {syscall.ENOSPC, false},
	} {
		t.Run(name, func(t *testing.T) {
			var errOut bytes.Buffer
			code := run(t.Context(), []string{"sluice", "version"}, nil, brokenPipe{c.err}, &errOut)
			require.Equal(t, exitInternal, code)
			require.Equal(t, c.quiet, errOut.Len() == 0, errOut.String())
		})
	}
}

func TestInterrupted(t *testing.T) {
	nowhere(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	code := run(ctx, []string{"sluice", "list"}, nil, &out, &errOut)
	require.Equal(t, exitInternal, code)
	require.Empty(t, out.String())
	require.NotContains(t, errOut.String(), "make dev")
}

func TestSuggestion(t *testing.T) {
	known := []string{"start", "status", "watch"}
	require.Equal(t, "; did you mean start?", suggestion("strat", known, ""))
	require.Equal(t, "; did you mean --watch?", suggestion("wacth", known, "--"))
	require.Equal(t, "; did you mean status?", suggestion("statu", known, ""))
	require.Empty(t, suggestion("xyzzy", known, ""))
}

func TestWhoami(t *testing.T) {
	t.Setenv("USER", "an\x1ba; rm -rf /")
	require.Regexp(t, `^anarm-rf@[A-Za-z0-9._+-]+$`, whoami())
	require.Equal(t, "unknown", plainName("\n"))
}

func TestErrorKeepsItsCause(t *testing.T) {
	cause := errors.New("cause")
	require.ErrorIs(t, invalidf("step: %w", cause), cause)
	require.NoError(t, ended(exitOK))
}

// A signal of the table has a command, with flags for what it takes.
func TestEverySignalHasACommand(t *testing.T) {
	commands := allCommands()
	for _, s := range rollout.Signals() {
		i := slices.IndexFunc(commands, func(c command) bool { return c.name == s.Name })
		require.GreaterOrEqual(t, i, 0, s.Name)
		flags := tableOf(commands[i].allFlags())
		require.Equal(t, s.TakesStage, flags["stage"], s.Name)
		_, overrides := flags["override"]
		require.Equal(t, s.TakesOverride, overrides, s.Name)
	}
}
