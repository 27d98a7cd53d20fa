package agent

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
)

// This test's binary is also the program that is killed: with childEnv set it does one thing to a
// folder, and ends itself with SIGKILL before a step.
const childEnv = "SLUICE_AGENT_CRASH"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := child(strings.Fields(what)); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// child carries out: DIR, the number of the step before which it is killed, and what to do.
func child(args []string) error {
	dir := args[0]
	crash, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	step := 0
	at := func(name string) {
		fmt.Fprintln(os.Stdout, name)
		if step++; step == crash {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	a, err := open(rigConfig(dir, heals), slog.New(slog.DiscardHandler), at)
	if err != nil {
		return err
	}
	u, ctx := a.units[unitName], a.life
	if err := u.recover(ctx); err != nil || args[2] == "start" {
		return nil //nolint:nilerr // a refusal is an end like others
	}
	release := strings.Join(args[4:], "")
	fence, err := strconv.ParseInt(args[3], 10, 64)
	if err != nil {
		return err
	}
	switch args[2] {
	case "upload":
		upload, err := os.ReadFile(filepath.Join(dir, "upload"))
		if err != nil {
			return err
		}
		_, err = a.disk.receive(release, bytes.NewReader(upload))
		return err
	case "prepare":
		return u.prepare(ctx, release)
	case "apply", "back":
		_ = u.apply(ctx, Order{Release: release, Fence: fence, Back: args[2] == "back"})
	case "settle":
		return u.settle(Order{Release: release, Fence: fence})
	case "look":
		return u.look(ctx)
	case "collect":
		return a.collect(time.Now().Add(2 * time.Hour))
	default:
		return fmt.Errorf("%q is nothing to do", args[2])
	}
	return nil
}

func heals(u *Unit) { u.OnDrift, u.Confirm.Within = Heal, Duration(20*time.Millisecond) }

// crashed runs a child, and says whether it was killed, before which step.
func crashed(t *testing.T, dir string, step int, what string) (bool, []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", childEnv, dir, step, what))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var steps []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		steps = append(steps, lines.Text())
	}
	if err == nil {
		return false, steps
	}
	require.Equal(t, syscall.SIGKILL, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), stderr.String())
	return true, steps
}

// stage is what a crash finds, and what must be true after it.
type stage struct {
	what   string       // what the child does
	before func(r *rig) // what has happened before, without a crash
	may    []release    // where the link may lead after the crash
	then   []release    // and after the next start
	again  func(r *rig) // the same thing again, and what must have come of it
	twice  bool         // the start after the crash is killed, too, before each of its steps
	good   release      // what is never lost
}

// A crash before each step of everything that an agent does, then a start: the link leads to the
// old or to the new release, whole; a good one is never lost; the same thing again succeeds.
func TestCrashBeforeEveryStep(t *testing.T) {
	for name, s := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.crash(t, inMemory(t), nil)
		})
	}
}

func stages(t *testing.T) map[string]stage {
	good, next, bad, none := makeRelease(t, "good"), makeRelease(t, "next"), makeRelease(t, "bad", "unconfirmed"), release{}
	refuse := makeRelease(t, "refuse", "refuse")
	has := func(more ...release) func(*rig) {
		return func(r *rig) {
			r.run(10, good)
			for _, m := range more {
				r.must(201)(r.upload(m))
			}
		}
	}
	applied := func(fence int64, rel release) func(*rig) {
		return func(r *rig) {
			r.must(204)(r.order(fence, rel.name))
			r.whole(rel)
			require.Equal(r.t, rel.version, r.loaded())
		}
	}
	all := map[string]stage{
		"upload": {
			what: "upload 0 " + next.name, before: func(r *rig) {
				has()(r)
				require.NoError(t, os.WriteFile(r.dir("upload"), next.upload, 0o600))
			},
			may: []release{good}, then: []release{good},
			again: func(r *rig) { r.upload(next); r.must(204)(r.prepare(next.name)) },
		},
		"prepare": {
			what: "prepare 0 " + next.name, before: has(next), may: []release{good}, then: []release{good},
			again: func(r *rig) { r.must(204)(r.prepare(next.name)); applied(11, next)(r) },
		},
		"the first apply": {
			what: "apply 11 " + next.name, before: func(r *rig) { r.must(201)(r.upload(next)) },
			may: []release{none, next}, then: []release{none, next}, again: applied(11, next),
		},
		"apply": {
			what: "apply 11 " + next.name, before: has(next), may: []release{good, next}, then: []release{good, next}, again: applied(11, next),
		},
		"apply and revert": {
			what: "apply 11 " + bad.name, before: has(bad), may: []release{good, bad}, then: []release{good}, twice: true,
			again: func(r *rig) { r.must(422)(r.order(11, bad.name)); r.whole(good); require.Equal(t, "good", r.loaded()) },
		},
		"the first apply and revert": {
			what: "apply 11 " + bad.name, before: func(r *rig) { r.must(201)(r.upload(bad)) }, may: []release{none, bad}, then: []release{none},
			again: func(r *rig) { r.must(422)(r.order(11, bad.name)); r.whole(none); require.Empty(t, r.loaded()) },
		},
		"going back": {
			what: "apply 12 " + good.name, before: func(r *rig) { has(next)(r); r.must(204)(r.order(11, next.name)) },
			may: []release{good, next}, then: []release{good, next}, again: applied(12, good),
		},
		"a way back": {
			what: "back 12 " + good.name, before: func(r *rig) { has(next)(r); r.must(204)(r.order(11, next.name)) },
			may: []release{good, next}, then: []release{good, next}, twice: true, again: func(r *rig) {
				r.must(204)(r.back(12, good.name))
				r.whole(good)
				require.Equal(r.t, []string{good.name}, r.status().Good)
			},
		},
		"a way back to nothing": {
			what: "back 12", before: func(r *rig) { has(next)(r); r.must(204)(r.order(11, next.name)) },
			may: []release{next, none}, then: []release{next, none}, again: func(r *rig) { r.must(204)(r.back(12, "")); r.whole(none) },
		},
		"removal": {
			what: "apply 12", before: has(), may: []release{good, none}, then: []release{good, none}, twice: true,
			again: func(r *rig) { r.must(204)(r.order(12, "")); r.whole(none); require.Empty(t, r.loaded()) },
		},
		"settle": {
			what: "settle 11 " + next.name, before: func(r *rig) { has(next)(r); r.must(204)(r.order(11, next.name)) },
			may: []release{next}, then: []release{next},
			again: func(r *rig) {
				r.must(204)(r.settle(11, next.name))
				require.Equal(t, []string{next.name, good.name}, r.status().Good)
			},
		},
		"collecting": {
			what: "collect 0", before: func(r *rig) { has(refuse)(r); r.must(422)(r.prepare(refuse.name)) },
			may: []release{good}, then: []release{good},
			again: func(r *rig) {
				require.NoError(t, r.agent.collect(time.Now().Add(2*time.Hour)))
				require.Equal(t, []string{hexOf(good.name)}, r.names("agent", "releases", unitName))
				require.Equal(t, []string{hexOf(good.name)}, r.names("agent", "bundles"))
			},
		},
		"healing": {
			what: "look 0", before: func(r *rig) {
				r.run(9, next)
				has()(r)
				require.NoError(t, os.WriteFile(r.dir("app", "version"), []byte("scribble"), 0o600))
			},
			may: []release{{name: changed}}, then: []release{good},
			again: func(r *rig) { r.must(204)(r.order(11, good.name)); r.whole(good) },
		},
	}
	for name, s := range all {
		s.good = good
		all[name] = s
	}
	return all
}

// changed stands for files that somebody else has changed: what is whole then is not the agent's
// doing.
const changed = "changed"

// crash does it all in a folder. Where cut is not nil, it takes what was not synced away after a
// crash.
func (s stage) crash(t *testing.T, home string, cut func()) {
	dir, first := filepath.Join(home, "run"), filepath.Join(home, "first")
	require.NoError(t, os.Mkdir(dir, 0o755))
	r := &rig{t: t, at: func(string) {}, config: rigConfig(dir, heals)}
	r.start()
	defer func() { r.stop() }()
	s.before(r)
	settled := r.status().Good
	r.stop()
	copyAll(t, dir, first)
	_, all := crashed(t, dir, 0, s.what)
	require.NotEmpty(t, all)
	if cut != nil { // what was carried out to its end has happened
		was := r.onDisk()
		cut()
		require.Subset(t, r.onDisk(), was)
	}
	crashes := 0
	for step := 1; step <= len(all); step++ {
		after := func(then []release) {
			r.whereIs(then, all[step-1])
			for _, g := range settled { // never lost
				if g == s.good.name && s.what != "look 0" {
					require.NoError(t, drift(s.good.table, filepath.Join(r.config.Folder, "releases", unitName, hexOf(g))), all[step-1])
				}
			}
		}
		require.NoError(t, os.RemoveAll(dir))
		copyAll(t, first, dir)
		died, steps := crashed(t, dir, step, s.what)
		require.True(t, died)
		require.Equal(t, all[:step], steps)
		crashes++
		if cut != nil {
			cut()
			r.boot()
		}
		after(s.may)
		for second := 1; s.twice && cut == nil; second++ {
			died, _ := crashed(t, dir, second, "start")
			if !died {
				break
			}
			crashes++
			after(s.may)
		}
		r.start()
		r.idle()
		after(s.then)
		require.Subset(t, r.status().Good, settled)
		s.again(r)
		r.stop()
	}
	t.Logf("%d crashes: %s", crashes, strings.Join(all, ", "))
}

// onDisk is what an agent would find: its states and bundles, and where the link leads, each with
// its content.
func (r *rig) onDisk() []string {
	r.t.Helper()
	to, _ := os.Readlink(r.config.Units[unitName].To)
	all := append(r.names("agent", "releases", unitName), to)
	for _, folder := range []string{"bundles", "state"} {
		for _, name := range r.names("agent", folder) {
			data, err := os.ReadFile(r.dir("agent", folder, name))
			require.NoError(r.t, err)
			all = append(all, name+" "+bundle.Digest(data))
		}
	}
	return all
}

// boot is what a consumer does when its machine starts: it loads what its link leads to.
func (r *rig) boot() {
	_ = os.Remove(r.dir("loaded"))
	if version, err := os.ReadFile(r.dir("app", "version")); err == nil {
		require.NoError(r.t, os.WriteFile(r.dir("loaded"), version, 0o600))
	}
}

// whereIs fails unless the link leads to one of the releases, and to all of it.
func (r *rig) whereIs(may []release, step string) {
	r.t.Helper()
	running, err := link{disk: disk{folder: r.config.Folder}, unit: unitName, to: r.config.Units[unitName].To}.running()
	require.NoError(r.t, err, step)
	for _, m := range may {
		if m.name == changed {
			return
		}
		if m.name == running {
			r.whole(m)
			return
		}
	}
	require.Failf(r.t, "elsewhere", "before %q the link leads to %q", step, running)
}

// idle waits until what the start does is done.
func (r *rig) idle() {
	for _, u := range r.agent.units {
		u.applying <- struct{}{}
		<-u.applying
	}
}

// inMemory is a folder on which syncing costs nothing, where there is one.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sluice-agent-test-") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func copyAll(t *testing.T, from, to string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `cp -a "$0" "$1" && sync -f "$1"`, from, to).CombinedOutput()
	require.NoError(t, err, string(out))
}
