package driver_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/program"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

func execRig(t *testing.T) rig {
	root := t.TempDir()
	script, err := filepath.Abs("testdata/place.sh")
	require.NoError(t, err)
	newDriver := func(timeout time.Duration) driver.Driver {
		call := func(args ...string) []string { return append([]string{"/bin/sh", script}, args...) }
		d := open(t, "exec", driver.Exec{
			Observe:  call("observe", "{{label.place}}"),
			Apply:    call("apply", "{{label.place}}", "{{release}}", "{{fence}}"),
			Validate: call("validate", "{{label.place}}", "{{release}}"),
			Prepare:  call("prepare", "{{label.place}}", "{{release}}", "{{fence}}"),
			Timeout:  spec.Duration(timeout),
		})
		return d
	}
	return rig{
		driver: newDriver(20 * time.Second),
		quick:  newDriver(200 * time.Millisecond),
		target: func(id string) fleet.Target {
			place := filepath.Join(root, id)
			require.NoError(t, os.MkdirAll(place, 0o755))
			return fleet.Target{ID: id, Labels: map[string]string{"place": place}}
		},
		mode: func(id, mode string) {
			require.NoError(t, os.WriteFile(filepath.Join(root, id, "mode"), []byte(mode), 0o600))
		},
		prepares: true, crashed: "it ?[31mcrashed",
		garbage: []string{"silent", "chatter", "flood", "negative", "nonsense", "control"},
	}
}

// sh is an exec driver whose programs are shell scripts given inline.
func sh(t *testing.T, timeout time.Duration, apply string) driver.Driver {
	t.Helper()
	d := open(t, "exec", driver.Exec{
		Observe: []string{"/bin/sh", "-c", "echo 1", "x"},
		Apply:   []string{"/bin/sh", "-c", apply, "x", "{{release}}", "{{id}}"},
		Timeout: spec.Duration(timeout),
	})
	return d
}

func TestExecValuesAreOneArgument(t *testing.T) {
	r := execRig(t)
	where := r.target("a")
	release := "1;rm${IFS}-rf${IFS}/$(id)"
	require.NoError(t, r.driver.Apply(t.Context(), where, order(release, 4)))
	args, err := os.ReadFile(filepath.Join(where.Labels["place"], "args"))
	require.NoError(t, err)
	require.Equal(t, "4\n"+release+"\n4\n", string(args))
	require.Equal(t, release, observe(t, r, "a").Release)
}

// Whatever a value holds, it is one argument, and no shell reads it.
func TestExecEveryValueIsOneArgument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "args")
	d := open(t, "exec", driver.Exec{
		Observe: []string{"true"},
		Apply: []string{
			"sh", "-c", `file=$1; shift; printf '%s\n' "$@" >"$file"`, "sh", file,
			"{{id}}", "{{address}}", "{{label.l}}", "--l={{label.l}}", "{{unit}}", "{{release}}",
		},
	})
	for _, evil := range []string{
		"1; rm -rf / $(id)", "`id`", "$(touch x)", "a b", "*", "'", `"`, `\`, "a|b&c>d", "${PATH}", "%s%n", "{{id}}", "\u202etxt.exe", "\u200b",
	} {
		where := fleet.Target{ID: evil, Address: evil, Labels: map[string]string{"l": evil}}
		release := strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) || r == ' ' {
				return '_'
			}
			return r
		}, evil)
		require.NoError(t, d.Apply(t.Context(), where, driver.Order{Unit: evil, Release: release, Fence: 1}), evil)
		args, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, strings.Join([]string{evil, evil, evil, "--l=" + evil, evil, release}, "\n")+"\n", string(args))
	}
	labelled := fleet.Target{ID: "a", Address: "b", Labels: map[string]string{"l": "c"}}
	require.ErrorIs(t, d.Apply(t.Context(), labelled, order("1; rm -rf / $(id)", 1)), driver.ErrRefused)
	for _, evil := range []string{"-x", "a\nb", "\x1b]0;title\a", "a\u009bb"} {
		for _, where := range []fleet.Target{
			{ID: evil, Address: "b", Labels: map[string]string{"l": "c"}},
			{ID: "a", Address: evil, Labels: map[string]string{"l": "c"}},
			{ID: "a", Address: "b", Labels: map[string]string{"l": evil}},
		} {
			err := d.Apply(t.Context(), where, order("1", 1))
			require.ErrorIs(t, err, driver.ErrRefused)
			require.Equal(t, terminal.Safe(err.Error()), err.Error())
		}
	}
}

func TestExecRefusesOptionsAndControls(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	d := sh(t, time.Minute, "touch "+ran)
	good := fleet.Target{ID: "a"}
	for _, value := range []string{"-rf", "--help", "-", "a\nb", "a\x00b", "\x1b[31m", "a\x7f", "a\u0085b"} {
		for name, err := range map[string]error{
			"release": d.Apply(t.Context(), good, order(value, 1)),
			"unit":    d.Apply(t.Context(), good, driver.Order{Unit: value, Release: "1", Fence: 1}),
			"id":      d.Apply(t.Context(), fleet.Target{ID: value}, order("1", 1)),
		} {
			require.ErrorIs(t, err, driver.ErrRefused, "%s %q", name, value)
			require.NotContains(t, err.Error(), "\x1b")
		}
	}
	require.NoFileExists(t, ran)
}

func TestExecEnvironmentIsNearlyEmpty(t *testing.T) {
	t.Setenv("SLUICE_PLANTED", "worker-secret")
	r := execRig(t)
	where := r.target("a")
	require.NoError(t, r.driver.Apply(t.Context(), where, order("2", 4)))
	data, err := os.ReadFile(filepath.Join(where.Labels["place"], "env"))
	require.NoError(t, err)
	env := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, want := range []string{"SLUICE_TARGET=a", "SLUICE_UNIT=proxy", "SLUICE_RELEASE=2", "SLUICE_FENCE=4", "PATH=" + os.Getenv("PATH")} {
		require.Contains(t, env, want)
	}
	require.NotContains(t, string(data), "worker-secret")
	for _, line := range env {
		name, _, _ := strings.Cut(line, "=")
		require.Contains(t, []string{"PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_", "SLUICE_TARGET", "SLUICE_UNIT", "SLUICE_RELEASE", "SLUICE_FENCE"}, name)
	}
}

func TestExecExitStatuses(t *testing.T) {
	for status, want := range map[int]error{
		0: nil, 1: errAgain, 2: errAgain, 64: errAgain, 75: errAgain, 126: errAgain, 127: errAgain,
		program.ExitRefused: driver.ErrRefused, driver.ExitFenced: driver.ErrFenced,
	} {
		d := sh(t, time.Minute, "echo told; exit "+strconv.Itoa(status))
		err := d.Apply(t.Context(), fleet.Target{ID: "a"}, order("2", 1))
		requireKind(t, want, err, status)
		if want != nil {
			require.ErrorContains(t, err, "exit status "+strconv.Itoa(status)+": told")
		}
	}
	err := sh(t, time.Minute, "kill -9 $$").Apply(t.Context(), fleet.Target{ID: "a"}, order("2", 1))
	requireKind(t, errAgain, err, "killed")
	require.ErrorContains(t, err, "signal: killed")

	d := open(t, "exec", driver.Exec{Observe: []string{"/no/such/program"}, Apply: []string{"/no/such/program"}})
	err = d.Apply(t.Context(), fleet.Target{ID: "a"}, order("2", 1))
	requireKind(t, errAgain, err, "missing")
	require.ErrorContains(t, err, "/no/such/program")
}

// A program that prepares ends as one that applies does; without one nothing is prepared.
func TestExecPrepares(t *testing.T) {
	require.False(t, driver.Prepares(sh(t, time.Minute, "true")))
	for status, want := range map[int]error{
		0: nil, 1: errAgain, 75: errAgain, 127: errAgain, program.ExitRefused: driver.ErrRefused, driver.ExitFenced: driver.ErrFenced,
	} {
		d := open(t, "exec", driver.Exec{
			Observe: []string{"true"}, Apply: []string{"false"}, Validate: []string{"false"},
			Prepare: []string{
				"/bin/sh", "-c", `echo "told $@ $SLUICE_RELEASE $SLUICE_FENCE"; exit ` + strconv.Itoa(status),
				"x", "{{id}}", "{{release}}", "{{fence}}",
			},
		})
		require.True(t, driver.Prepares(d))
		err := d.(driver.Preparer).Prepare(t.Context(), fleet.Target{ID: "a"}, order("2", 7))
		requireKind(t, want, err, status)
		if want != nil {
			require.ErrorContains(t, err, "prepare: /bin/sh: exit status "+strconv.Itoa(status)+": told a 2 7 2 7")
		}
	}
	d := open(t, "exec", driver.Exec{Observe: []string{"true"}, Apply: []string{"true"}, Prepare: []string{"true", "{{label.region}}"}})
	require.ErrorContains(t, driver.CheckOrder(d, fleet.Target{ID: "a"}, order("2", 7)), `target "a" has no label "region"`)
}

func TestExecValidates(t *testing.T) {
	r := execRig(t)
	where := r.target("a")
	require.NoError(t, r.driver.Apply(t.Context(), where, order("good", 1)))
	for _, err := range []error{
		r.driver.Validate(t.Context(), where, order("bad", 2)),
		r.driver.Apply(t.Context(), where, order("bad", 2)),
	} {
		require.ErrorIs(t, err, driver.ErrRefused)
		require.ErrorContains(t, err, "config is wrong")
	}
	require.Equal(t, "good", observe(t, r, "a").Release)
	require.NoError(t, r.driver.Validate(t.Context(), where, order("", 2)), "a removal is not validated")
	back := order("bad", 2)
	back.Back = true
	require.NoError(t, r.driver.Validate(t.Context(), where, back), "what says no may be what is down: the way back does not ask")

	// No answer is not a no: it may be tried again.
	r.mode("a", "slow")
	requireKind(t, errAgain, r.quick.Validate(t.Context(), where, order("good", 2)), "slow")
}

func TestExecShowsTheEndOfLongOutput(t *testing.T) {
	d := sh(t, time.Minute, `i=0; while [ $i -lt 3000 ]; do echo "line $i of very much output"; i=$((i+1)); done; printf 'last \033[31mwords\n' >&2; exit 1`)
	err := d.Apply(t.Context(), fleet.Target{ID: "a"}, order("2", 1))
	require.ErrorContains(t, err, "| last ?[31mwords")
	require.NotContains(t, err.Error(), "line 1 of")
	require.Less(t, len(err.Error()), 7<<10)
}

// Every process that the program started ends with it when the time is up, also
// one that ignores SIGTERM.
func TestExecKillsTheWholeGroup(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	apply := `sh -c 'trap "" TERM; echo $$ >>` + pids + `; while :; do sleep 0.05; done' & sh -c 'echo $$ >>` + pids + `; exec sleep 60' & wait`
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for ctx.Err() == nil {
			if data, _ := os.ReadFile(pids); strings.Count(string(data), "\n") == 2 {
				cancel(errors.New("enough"))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	err := sh(t, time.Minute, apply).Apply(ctx, fleet.Target{ID: "a"}, order("2", 1))
	require.ErrorContains(t, err, "stopped: enough")
	data, err := os.ReadFile(pids)
	require.NoError(t, err)
	for _, field := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(field)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return gone(pid) }, 10*time.Second, 5*time.Millisecond, "process %d lives on", pid)
	}
}

// gone also counts a zombie that nobody has reaped yet.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// A program may leave a daemon behind that holds its output: the order is done
// all the same, and the daemon lives.
func TestExecLeavesADaemonAlone(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	err := sh(t, time.Minute, "sleep 60 & echo $! >"+pidFile).Apply(t.Context(), fleet.Target{ID: "a"}, order("2", 1))
	require.NoError(t, err)
	data, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL), "the daemon lives")
}
