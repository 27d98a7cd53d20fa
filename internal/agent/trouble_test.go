package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
)

func TestWhoMayAsk(t *testing.T) {
	r := newRig(t, nil)
	secret := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(secret, []byte("hunter2\n"), 0o600))
	r.agent.config.Token = "file:" + secret
	guarded, _, err := r.agent.guard(r.agent.Handler())
	require.NoError(t, err)
	r.server.Config.Handler = guarded
	one := makeRelease(t, "one")
	for _, wrong := range []string{"", "Bearer", "Bearer hunter", "Bearer hunter22", "Basic hunter2", "hunter2"} {
		for _, c := range [][2]string{
			{http.MethodGet, "units/features"},
			{http.MethodPut, "units/features"},
			{http.MethodPut, "bundles/" + one.name},
			{http.MethodPost, "units/none/prepare"},
		} {
			code, body := r.ask(c[0], c[1], "1", one.upload, "Authorization", wrong)
			require.Equal(t, 401, code)
			require.Equal(t, "unauthorized", body)
		}
	}
	right := []string{"Authorization", "Bearer hunter2"}
	r.must(200)(r.ask(http.MethodGet, "units/features", "", nil, right...))
	r.must(404)(r.ask(http.MethodGet, "units/flags", "", nil, right...))
	r.must(404)(r.ask(http.MethodPut, "units/flags", "1", orderBody(one.name), right...))
	r.must(404)(r.ask(http.MethodDelete, "units/features/x", "1", nil, right...))
	r.must(405)(r.ask(http.MethodDelete, "units/features", "1", nil, right...))
	r.must(200)(r.ask(http.MethodGet, "units/features", "", nil, append(right, "Sluice-Target", "web%2D1")...))
	for _, c := range [][2]string{{http.MethodGet, "units/features"}, {http.MethodPut, "units/features"}, {http.MethodPut, "bundles/" + one.name}} {
		r.must(421)(r.ask(c[0], c[1], "1", orderBody(""), append(right, "Sluice-Target", "web-2")...))
	}
	require.Zero(t, r.agent.units[unitName].seen().state)
}

func TestOrdersThatAreMalformed(t *testing.T) {
	r := newRig(t, nil)
	one := makeRelease(t, "one")
	for name, c := range map[string]struct {
		fence, body string
		want        int
	}{
		"no body":            {"1", "", 400},
		"no release":         {"1", "{}", 400},
		"null":               {"1", `{"release":null}`, 400},
		"an unknown field":   {"1", `{"release":"","force":true}`, 400},
		"two values":         {"1", `{"release":""}{"release":""}`, 400},
		"no fence":           {"", string(orderBody(one.name)), 400},
		"a fence of words":   {"ten", string(orderBody(one.name)), 400},
		"a negative fence":   {"-1", string(orderBody(one.name)), 400},
		"a fence too large":  {"9223372036854775808", string(orderBody(one.name)), 400},
		"a version":          {"1", `{"release":"2.4.1"}`, 422},
		"a path":             {"1", `{"release":"sha256:../../../etc"}`, 422},
		"too large":          {"1", `{"release":"` + strings.Repeat(" ", maxBody) + `"}`, 413},
		"a rollout too long": {"1", `{"release":"","rollout":"` + strings.Repeat("r", 300) + `"}`, 400},
	} {
		code, body := r.ask(http.MethodPut, "units/features", c.fence, []byte(c.body))
		require.Equal(t, c.want, code, "%s: %s", name, body)
	}
	r.must(400)(r.prepare(""))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.server.URL+"/sluice/v1/bundles/"+one.name, bytes.NewReader(nil))
	require.NoError(t, err)
	req.ContentLength, req.Body = bundle.MaxPiece+1, http.NoBody
	req.Header.Set("Content-Type", bundle.MediaType)
	w := httptest.NewRecorder()
	r.agent.Handler().ServeHTTP(w, req)
	require.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
	require.Zero(t, r.agent.units[unitName].seen().state)
}

// What is where the link should be, and is not the agent's, is never replaced.
func TestForeignLink(t *testing.T) {
	elsewhere := t.TempDir()
	for name, put := range map[string]func(to string) error{
		"a folder":          func(to string) error { return os.Mkdir(to, 0o755) },
		"a file":            func(to string) error { return os.WriteFile(to, []byte("mine"), 0o600) },
		"a link elsewhere":  func(to string) error { return os.Symlink(elsewhere, to) },
		"a link to nowhere": func(to string) error { return os.Symlink("/nowhere", to) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			one := makeRelease(t, "one")
			r.must(201)(r.upload(one))
			to := r.config.Units[unitName].To
			require.NoError(t, put(to))
			was, err := os.Lstat(to)
			require.NoError(t, err)
			said := r.must(500)(r.order(10, one.name))
			require.Contains(t, said, "not a link of the agent's, and is never replaced")
			s := r.status()
			require.False(t, s.Alive)
			require.Contains(t, s.Detail, "not a link of the agent's")
			require.Zero(t, s.Fence)
			r.stop()

			_, err = Open(r.config, slog.New(slog.DiscardHandler))
			require.ErrorContains(t, err, "not a link of the agent's")
			is, err := os.Lstat(to)
			require.NoError(t, err)
			require.True(t, os.SameFile(was, is))
		})
	}
}

// What a crash left half-made is removed, and nothing of others'.
func TestLeftovers(t *testing.T) {
	r := newRig(t, nil)
	r.stop()
	left := []string{
		"agent/bundles/.upload-1", "agent/releases/features/.unpack-1/version", "agent/releases/features/.away-1/x",
		"agent/state/.features.json1", ".app.sluice-agent",
	}
	others := []string{"agent/.ssh/key", "agent/bundles/readme", "agent/releases/features/notes", ".profile"}
	for _, at := range append(left[:4:4], others...) {
		require.NoError(t, os.MkdirAll(filepath.Dir(r.dir(at)), 0o755))
		require.NoError(t, os.WriteFile(r.dir(at), nil, 0o600))
	}
	require.NoError(t, os.Symlink("/nowhere", r.dir(left[4])))
	r.start()
	require.NoError(t, r.agent.collect(time.Now().Add(2*time.Hour)))
	for _, at := range left {
		_, err := os.Lstat(r.dir(at))
		require.ErrorIs(t, err, os.ErrNotExist, at)
	}
	for _, at := range others {
		_, err := os.Lstat(r.dir(at))
		require.NoError(t, err, at)
	}
}

// Two agents do not share a folder.
func TestOneFolderOneAgent(t *testing.T) {
	r := newRig(t, nil)
	_, err := Open(r.config, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "another sluice-agent has it")
}

// What a killed agent was about to run has its lock for a moment longer.
func TestOneFolderOneAgentAfterAnother(t *testing.T) {
	r := newRig(t, nil)
	r.stop()
	lock, err := os.Open(r.dir("agent", "lock"))
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	time.AfterFunc(50*time.Millisecond, func() { _ = lock.Close() })
	r.start()
}

// Where the consumer is so broken that going back does not help, the link is on the good release,
// and the agent says so until the consumer shows it.
func TestBrokenConsumer(t *testing.T) {
	r := newRig(t, nil)
	good, next := makeRelease(t, "good"), makeRelease(t, "next")
	r.run(10, good)
	r.must(201)(r.upload(next))
	require.NoError(t, os.WriteFile(r.dir("broken"), nil, 0o600))
	require.Contains(t, r.must(422)(r.order(11, next.name)), "and going back to "+good.name+" failed: reload")
	r.whole(good)
	s := r.status()
	require.False(t, s.Alive)
	require.Contains(t, s.Detail, "reload says no")

	// The way back finds it there, and broken: it may be given again, until it succeeds.
	require.Contains(t, r.must(500)(r.order(12, good.name)), "reload says no")
	r.whole(good)
	r.stop()
	r.start()
	r.idle()
	r.whole(good)

	// Each try says what is wrong now.
	require.NoError(t, os.Remove(r.dir("broken")))
	require.NoError(t, os.WriteFile(r.dir("deaf"), nil, 0o600))
	r.agent.lookAfter(t.Context())
	require.Contains(t, r.status().Detail, "confirm: not within")
	require.NotContains(t, r.status().Detail, "reload says no")
	require.NoError(t, os.Remove(r.dir("deaf")))
	r.must(204)(r.order(12, good.name))
	require.True(t, r.status().Alive)
	require.Equal(t, "good", r.loaded())

	// Or the consumer comes back by itself.
	require.NoError(t, os.WriteFile(r.dir("deaf"), nil, 0o600))
	r.must(422)(r.order(13, next.name))
	require.False(t, r.status().Alive)
	require.NoError(t, os.Remove(r.dir("deaf")))
	r.agent.lookAfter(t.Context())
	require.True(t, r.status().Alive)
	r.whole(good)
}

func TestDrift(t *testing.T) {
	for _, heal := range []bool{false, true} {
		t.Run(fmt.Sprint("heal ", heal), func(t *testing.T) {
			r := newRig(t, func(u *Unit) {
				if heal {
					u.OnDrift = Heal
				}
			})
			one := makeRelease(t, "one")
			r.run(10, one)
			for name, change := range map[string]func(){
				"a file is changed": func() { require.NoError(t, os.WriteFile(r.dir("app", "version"), []byte("two"), 0o600)) },
				"a file is gone":    func() { require.NoError(t, os.Remove(r.dir("app", "rules/eu.json"))) },
				"a file is new":     func() { require.NoError(t, os.WriteFile(r.dir("app", "more"), nil, 0o600)) },
				"the link is gone":  func() { require.NoError(t, os.Remove(r.dir("app"))) },
			} {
				change()
				r.agent.lookAfter(t.Context())
				s := r.status()
				require.Equal(t, heal, s.Alive, name)
				if heal {
					r.whole(one)
					continue
				}
				require.NotEmpty(t, s.Detail)
				reloads := r.reloads()
				r.must(204)(r.order(10, one.name)) // an order for it mends it
				r.whole(one)
				require.Equal(t, reloads+1, r.reloads())
				r.agent.lookAfter(t.Context())
				require.True(t, r.status().Alive, name)
			}
			require.Len(t, r.names("agent", "releases", unitName), 1, "what was changed is removed")
		})
	}
}

// Going back needs the order alone, also when every bundle is gone; with it, files that somebody
// changed are unpacked anew.
func TestGoingBack(t *testing.T) {
	r := newRig(t, nil)
	one, two := makeRelease(t, "one"), makeRelease(t, "two")
	r.run(10, one)
	r.run(11, two)
	require.NoError(t, os.WriteFile(filepath.Join(r.agent.disk.releases(unitName), hexOf(one.name), "version"), []byte("x"), 0o600))
	r.must(204)(r.order(12, one.name))
	r.whole(one)
	require.NoError(t, os.RemoveAll(r.agent.disk.bundles()))
	r.must(204)(r.order(13, two.name))
	r.whole(two)
	require.Equal(t, "two", r.loaded())
}

// Without anything that was called good, what ran before is what is gone back to.
func TestNothingIsGoodYet(t *testing.T) {
	r := newRig(t, nil)
	one, bad := makeRelease(t, "one"), makeRelease(t, "bad", "unconfirmed")
	r.must(201)(r.upload(one))
	r.must(201)(r.upload(bad))
	r.must(422)(r.order(9, bad.name))
	r.whole(release{})
	require.True(t, r.status().Alive)
	r.must(204)(r.order(10, one.name))
	r.must(422)(r.order(11, bad.name))
	r.whole(one)
	require.Equal(t, "one", r.loaded())
}

// Whoever gives the same order while it is carried out waits for it, whoever gives another is told
// to come again, and it goes on when everybody has left.
func TestOrdersAtOnce(t *testing.T) {
	r := newRig(t, nil)
	one, two := makeRelease(t, "one", "waits"), makeRelease(t, "two")
	r.must(201)(r.upload(one))
	r.must(201)(r.upload(two))
	u := r.agent.units[unitName]
	gone, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- r.agent.order(gone, u, Order{Release: one.name, Fence: 10}) }()
	require.Eventually(t, func() bool { _, err := os.Stat(r.dir("waiting")); return err == nil }, 10*time.Second, 5*time.Millisecond)
	leave()
	require.ErrorIs(t, <-left, context.Canceled)

	require.Equal(t, Applying, r.status().State)
	r.must(409)(r.order(9, two.name))
	r.must(503)(r.order(11, two.name))
	r.must(204)(r.prepare(two.name))
	same := make(chan error)
	go func() { same <- r.agent.order(t.Context(), u, Order{Release: one.name, Fence: 10}) }()
	require.NoError(t, os.WriteFile(r.dir("go"), nil, 0o600))
	require.NoError(t, <-same)
	require.Equal(t, 1, r.reloads())
	r.must(204)(r.order(11, two.name))
	r.whole(two)
}

// An agent that is asked to stop leaves an order that does not end to its next start.
func TestStoppedInAnOrder(t *testing.T) {
	r := newRig(t, nil)
	one := makeRelease(t, "one", "waits")
	r.must(201)(r.upload(one))
	u := r.agent.units[unitName]
	left := make(chan error)
	go func() { left <- r.agent.order(t.Context(), u, Order{Release: one.name, Fence: 10}) }()
	require.Eventually(t, func() bool { _, err := os.Stat(r.dir("waiting")); return err == nil }, 10*time.Second, 5*time.Millisecond)
	r.stop()
	require.Error(t, <-left)
	require.NoError(t, os.WriteFile(r.dir("go"), nil, 0o600))
	r.start()
	r.idle()
	require.Equal(t, Applied, r.status().State)
	r.whole(one)
	require.Equal(t, "one", r.loaded())
}

// A reload that comes too early is waited for before anything is switched.
func TestMinReloadInterval(t *testing.T) {
	r := newRig(t, func(u *Unit) { u.MinReloadInterval = Duration(time.Hour) })
	one, two := makeRelease(t, "one"), makeRelease(t, "two")
	r.must(201)(r.upload(one))
	r.must(201)(r.upload(two))
	r.must(204)(r.order(10, one.name))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	u := r.agent.units[unitName]
	require.ErrorIs(t, u.apply(ctx, Order{Release: two.name, Fence: 11}), context.DeadlineExceeded)
	r.whole(one)
	require.EqualValues(t, 10, r.status().Fence)
	u.mu.Lock()
	u.reloaded = u.reloaded.Add(-time.Hour)
	u.mu.Unlock()
	require.NoError(t, u.apply(t.Context(), Order{Release: two.name, Fence: 11}))
	r.whole(two)

	// An order that only waits gives way to a way back, which does not wait.
	waits := make(chan error, 1)
	go func() { waits <- r.agent.order(t.Context(), u, Order{Release: one.name, Fence: 13}) }()
	require.Eventually(t, func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.waiting != nil
	}, time.Minute, time.Millisecond)
	r.must(204)(r.back(14, one.name))
	err := <-waits
	require.ErrorIs(t, err, errFenced)
	require.Equal(t, http.StatusConflict, statusOf(err))
	r.whole(one)
	require.EqualValues(t, 14, r.status().Fence)

	// So does one that begins to wait when the newer one is there already.
	over := u.displace(Order{Fence: 20})
	require.ErrorIs(t, u.waitForReload(t.Context(), Order{Fence: 19}), errFenced)
	over()
	require.Empty(t, u.coming)
}

// What was undone is not gone back to, and its files are not kept, however its way back ends.
func TestUndoneIsLeftForGood(t *testing.T) {
	r := newRig(t, nil)
	old, a, b, next := makeRelease(t, "old"), makeRelease(t, "a"), makeRelease(t, "b"), makeRelease(t, "next", "unconfirmed")
	r.run(9, old)
	r.run(10, a)
	r.run(11, b)
	r.must(201)(r.upload(next))
	require.NoError(t, os.WriteFile(r.dir("deaf"), nil, 0o600))
	require.Contains(t, r.must(500)(r.back(12, a.name)), "confirm")
	r.whole(a)
	require.False(t, r.status().Alive)
	require.NoError(t, os.Remove(r.dir("deaf")))
	r.agent.lookAfter(t.Context())
	require.True(t, r.status().Alive)
	require.Equal(t, "a", r.loaded())
	require.NoError(t, r.agent.collect(time.Now()))
	require.ElementsMatch(t, []string{hexOf(a.name), hexOf(old.name)}, r.names("agent", "releases", unitName))
	r.must(422)(r.order(13, next.name))
	r.whole(a)

	// Back to nothing, also where the consumer does not take that.
	require.NoError(t, os.WriteFile(r.dir("broken"), nil, 0o600))
	require.Contains(t, r.must(500)(r.back(14, "")), "reload says no")
	r.whole(release{})
	require.Equal(t, []string{old.name}, r.status().Good)
	require.NoError(t, os.Remove(r.dir("broken")))
	r.must(422)(r.order(15, next.name))
	r.whole(release{})
	r.must(204)(r.back(16, ""))
	require.True(t, r.status().Alive)
	r.must(422)(r.order(17, next.name))
	r.whole(release{})
}

// Old releases are removed, those that are on a way are not.
func TestCollect(t *testing.T) {
	r := newRig(t, func(u *Unit) { u.Keep = 2 })
	var all []release
	for i := range 5 {
		all = append(all, makeRelease(t, fmt.Sprint("v", i)))
		r.run(int64(10+i), all[i])
	}
	next, waiting := makeRelease(t, "next"), makeRelease(t, "waiting")
	r.must(201)(r.upload(next))
	r.must(204)(r.prepare(next.name))
	r.must(201)(r.upload(waiting))
	require.NoError(t, r.agent.collect(time.Now()))
	require.ElementsMatch(t, []string{hexOf(all[3].name), hexOf(all[4].name), hexOf(next.name)}, r.names("agent", "releases", unitName))
	require.Len(t, r.names("agent", "bundles"), 7, "an order for them may be on its way")
	require.NoError(t, r.agent.collect(time.Now().Add(2*time.Hour)))
	require.Len(t, r.names("agent", "bundles"), 3)
	r.must(424)(r.order(20, all[0].name))
	r.must(204)(r.order(20, all[3].name))
}

func TestConfirmByHTTP(t *testing.T) {
	r := newRig(t, nil)
	shown := ""
	mux := http.NewServeMux()
	mux.HandleFunc("/version/features", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "running "+shown) })
	mux.Handle("/moved", http.RedirectHandler("/version/features", http.StatusFound))
	app := httptest.NewServer(mux)
	defer app.Close()
	c := r.agent.units[unitName].consumer
	confirm := func(path string) error {
		c.settings.Confirm = &Confirm{HTTP: app.URL + path, Contains: "{{release}}", Within: Duration(time.Millisecond)}
		return c.confirm(t.Context(), "sha256:1", "/dir")
	}
	require.ErrorContains(t, confirm("/version/{{unit}}"), `"sha256:1" is not in "running"`)
	shown = "sha256:1"
	require.NoError(t, confirm("/version/{{unit}}"))
	require.ErrorContains(t, confirm("/none"), "404")
	require.ErrorContains(t, confirm("/moved"), "302")
	app.Close()
	require.ErrorContains(t, confirm("/version/{{unit}}"), "refused")
}

// Commands get nothing of the agent's environment, and run as whom the settings say.
func TestCommands(t *testing.T) {
	t.Setenv("SLUICE_SECRET", "hunter2")
	r := newRig(t, nil)
	u := r.config.Units[unitName]
	u.Check = []string{"sh", "-c", `env | sort; id -un; echo "$0"; exit 1`, "{{id}} {{unit}} {{release}} {{dir}}"}
	if os.Geteuid() == 0 {
		u.Run = "nobody"
	}
	c, err := newConsumer("web-1", unitName, u)
	require.NoError(t, err)
	err = c.check(t.Context(), "sha256:1", "/dir")
	require.ErrorContains(t, err, "web-1 features sha256:1 /dir")
	for _, want := range []string{"SLUICE_TARGET=web-1", "SLUICE_UNIT=features", "SLUICE_RELEASE=sha256:1", "SLUICE_DIR=/dir", "PATH="} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "hunter2")
	if u.Run != "" {
		require.ErrorContains(t, err, "| nobody |")
	}
}

func TestMetrics(t *testing.T) {
	r := newRig(t, nil)
	one, bad := makeRelease(t, "one"), makeRelease(t, "bad", "unconfirmed")
	r.must(201)(r.upload(one))
	r.must(204)(r.ask(http.MethodPut, "units/features", "10", []byte(`{"release":"`+one.name+`","rollout":"features:7","stage":"canary"}`)))
	page := func() string {
		resp, err := http.Get(r.server.URL + "/metrics")
		require.NoError(t, err)
		defer resp.Body.Close()
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		require.NoError(t, err)
		return b.String()
	}
	require.Contains(t, page(), `sluice_unit_info{release="`+one.name+`",rollout="features:7",stage="canary",unit="features"} 1`)
	require.Contains(t, page(), `sluice_unit_applied_total{unit="features"} 1`)
	r.must(201)(r.upload(bad))
	r.must(422)(r.order(11, bad.name))
	require.Contains(t, page(), `sluice_unit_info{release="`+one.name+`",rollout="",stage="",unit="features"} 1`)
	require.Contains(t, page(), `sluice_unit_went_back_total{unit="features"} 1`)
	require.Contains(t, page(), `sluice_unit_alive{unit="features"} 1`)
}

func FuzzReadOrder(f *testing.F) {
	f.Add([]byte(`{"release":""}`))
	f.Add([]byte(`{"release":"sha256:` + strings.Repeat("0", 64) + `","stage":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := readOrder(bytes.NewReader(body))
		require.True(t, err != nil || o.Release == "" || bundle.IsRelease(o.Release))
	})
}

// Nothing but the whole bundle is kept, whatever is uploaded under its name.
func FuzzUpload(f *testing.F) {
	one := makeRelease(f, "one")
	f.Add(one.upload)
	f.Add(one.upload[:len(one.upload)/2])
	f.Add(framed(nil, nil))
	dir := f.TempDir()
	d, lock, err := openDisk(dir, nil, func(string) {})
	require.NoError(f, err)
	f.Cleanup(func() { _ = lock.Close() })
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := d.receive(one.name, bytes.NewReader(body))
		kept, listErr := os.ReadDir(d.bundles())
		require.NoError(t, listErr)
		if err != nil {
			require.Empty(t, kept)
			return
		}
		require.Len(t, kept, 1)
		require.True(t, d.intact(one.name))
		require.NoError(t, os.Remove(filepath.Join(d.bundles(), hexOf(one.name))))
	})
}

// A listener that fails ends the agent, with all that it does by itself.
func TestListenerFails(t *testing.T) {
	r := newRig(t, nil)
	r.stop()
	a, err := Open(r.config, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	ended := make(chan error, 1)
	go func() { ended <- a.serve(t.Context(), l, a.Handler()) }()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, net.ErrClosed)
	case <-time.After(20 * time.Second):
		require.Fail(t, "it goes on")
	}
}
