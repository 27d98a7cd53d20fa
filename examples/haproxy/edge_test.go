package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/edges"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/spec"
)

// site is one live HAProxy, and the driver of the example's specs on it.
type site struct {
	*edge
	t       *testing.T
	process *stack.Process
	driver  driver.Driver
}

// install starts a HAProxy on a copy of the example, so that a test may add releases to it.
func install(t *testing.T, addReleases map[string]string) site {
	t.Helper()
	haproxy, err := edges.Lookup("haproxy")
	if err != nil {
		haproxy, err = edges.Lookup("/usr/sbin/haproxy")
	}
	if err == nil {
		_, err = edges.Lookup("curl")
	}
	if err != nil && os.Getenv("SLUICE_REQUIRE_E2E") == "" {
		t.Skipf("not run: needs haproxy and curl: %v", err)
	}
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "releases"), os.DirFS("releases")))
	program := filepath.Join(dir, "edge")
	text, err := os.ReadFile("edge")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, text, 0o755))
	for name, text := range addReleases {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "releases", name+".cfg"), []byte(text), 0o644))
	}
	ports, err := stack.FreePorts(t.Context(), 2)
	require.NoError(t, err)
	e := &edge{Target: fleet.Target{ID: "ams-1", Address: stack.Loopback(ports[0]), Labels: map[string]string{
		"metrics": stack.Loopback(ports[1]), "site": filepath.Join(dir, "site"),
	}}}
	require.NoError(t, e.install("releases", stack.Loopback(1)))
	process := stack.NewProcess("haproxy", t.Output(), append([]string{"env"}, e.argv(haproxy, stack.Loopback(1))...)...)
	require.NoError(t, process.Start())
	t.Cleanup(process.Stop)
	d, err := catalog.New().Drivers.New(spec.Driver{Choice: spec.Choose("exec", driver.Exec{
		Observe:  []string{program, "observe", "{{label.site}}"},
		Validate: []string{program, "validate", "{{label.site}}", "{{release}}"},
		Apply:    []string{program, "apply", "{{label.site}}", "{{release}}", "{{fence}}"},
		Timeout:  spec.Duration(2 * time.Minute), // a busy machine runs its programs slowly
	})}, nil)
	require.NoError(t, err)
	s := site{edge: e, t: t, process: process, driver: d}
	require.NoError(t, edges.Until(t.Context(), 10*time.Second, "HAProxy", s.answersSomething))
	return s
}

func (s site) apply(release string, fence int64) error {
	return s.driver.Apply(s.t.Context(), s.Target, driver.Order{Unit: unit, Release: release, Fence: fence})
}

// runs fails unless both the driver and the live process name the release.
func (s site) runs(release string, fence int64) answer {
	s.t.Helper()
	state, err := s.driver.Observe(s.t.Context(), s.Target, unit)
	require.NoError(s.t, err)
	require.Equal(s.t, driver.State{Release: release, Fence: fence, Alive: true}, state)
	a, err := s.ask(s.t.Context())
	require.NoError(s.t, err)
	require.Equal(s.t, release, a.Release)
	return a
}

// A release is switched by a reload of the same master; an order that repeats itself does not
// reload again, and an older one is refused.
func TestEdgeSwitches(t *testing.T) {
	s := install(t, nil)
	first := s.runs("1.0.0", 0)

	require.NoError(t, s.apply("1.1.0", 20))
	second := s.runs("1.1.0", 20)
	require.Equal(t, first.Master, second.Master)
	require.NotEqual(t, first.Worker, second.Worker)

	require.NoError(t, s.apply("1.1.0", 20))
	require.Equal(t, second, s.runs("1.1.0", 20))

	err := s.apply("1.0.0", 19)
	require.ErrorIs(t, err, driver.ErrFenced)
	require.ErrorContains(t, err, "fence 19 is older than 20")
	require.Equal(t, second, s.runs("1.1.0", 20))

	require.NoError(t, s.apply("1.0.0", 21))
	require.Equal(t, first.Config, s.runs("1.0.0", 21).Config)
}

// What HAProxy will never accept does not reach the live process, nor its files.
func TestEdgeRefuses(t *testing.T) {
	s := install(t, nil)
	before := s.runs("1.0.0", 0)
	for release, why := range map[string]string{
		"1.3.0":     "unable to find required use_backend: 'checkout'",
		"9.9.9":     "no release 9.9.9",
		"../edge":   "is not a release",
		"a;reboot":  "is not a release",
		"$(reboot)": "is not a release",
		"":          "a release is needed",
	} {
		err := s.apply(release, 20)
		require.ErrorIs(t, err, driver.ErrRefused, release)
		require.ErrorContains(t, err, why)
		require.Equal(t, before, s.runs("1.0.0", 0), release)
	}
	files, err := filepath.Glob(filepath.Join(s.site(), "*"))
	require.NoError(t, err)
	for _, f := range files {
		require.NotContains(t, f, ".new", "something was left behind")
	}
}

// A release that passes the check and then cannot start leaves the old one serving, and its file in
// place; once it can start, the same order works.
func TestEdgeGoesBackWhenAReleaseCannotStart(t *testing.T) {
	l, err := net.Listen("tcp", stack.Loopback(0)) // somebody else's port
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	s := install(t, map[string]string{"2.0.0": "bind " + l.Addr().String() + "\n"})
	before := s.runs("1.0.0", 0)

	err = s.apply("2.0.0", 20)
	require.ErrorContains(t, err, "did not take release 2.0.0")
	require.NotErrorIs(t, err, driver.ErrRefused, "it may be tried again")
	require.NoError(t, edges.Until(t.Context(), 10*time.Second, "the old release", s.answersSomething))
	require.Equal(t, before.Config, s.runs("1.0.0", 20).Config)

	require.NoError(t, l.Close())
	require.NoError(t, s.apply("2.0.0", 20))
	s.runs("2.0.0", 20)
}

// Where no HAProxy runs, nothing is put in place that its next start would take, and nothing is
// said about what it runs.
func TestEdgeThatIsDown(t *testing.T) {
	s := install(t, nil)
	before := s.runs("1.0.0", 0)
	s.process.Stop()

	require.ErrorContains(t, s.apply("1.1.0", 20), "is it running?")
	_, err := s.driver.Observe(t.Context(), s.Target, unit)
	require.ErrorContains(t, err, fmt.Sprintf("nothing answers on %s", s.Address))

	require.NoError(t, s.process.Start())
	require.NoError(t, edges.Until(t.Context(), 10*time.Second, "HAProxy", s.answersSomething))
	require.Equal(t, before.Config, s.runs("1.0.0", 20).Config)
}

// A fence that cannot be read is not the same as none.
func TestEdgeWithAnUnreadableFence(t *testing.T) {
	s := install(t, nil)
	require.NoError(t, os.WriteFile(filepath.Join(s.site(), "fence"), []byte("oops\n"), 0o644))
	require.ErrorContains(t, s.apply("1.1.0", 20), "holds no number")
	_, err := s.driver.Observe(t.Context(), s.Target, unit)
	require.ErrorContains(t, err, "holds no number")
}

func (e *edge) answersSomething(ctx context.Context) error {
	_, err := e.ask(ctx)
	return err
}
