package driver_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
)

// What bundles need beside what every driver keeps: each failure is blamed on whom it belongs to,
// and what a target runs stays whole.
func TestAgentBundles(t *testing.T) {
	for name, test := range map[string]func(*bundles){
		"prepared once, applied without a store":      preparedOnce,
		"a fetch breaks off in the middle":            fetchBreaksOff,
		"the store lacks the bundle":                  storeLacksIt,
		"the store's archive is damaged":              storeIsDamaged,
		"the store's archive ends early":              storeEndsEarly,
		"the worker has no store":                     noStore,
		"the target's disk is full":                   diskIsFull,
		"the check refuses, and its words come whole": checkRefuses,
		"the reload hangs":                            reloadHangs,
		"a reload that outlives the order":            reloadOutlives,
		"nothing confirms":                            nothingConfirms,
		"a good release that fails may be ordered":    goodOneFails,
		"only what runs can be settled":               settles,
		"the agent asks for a signature":              asksForASignature,
	} {
		for way, newAgents := range map[string]func(*testing.T) *agents{"": newAgents, ", behind a relay": newRelayed} {
			t.Run(name+way, func(t *testing.T) {
				t.Parallel()
				a := newAgents(t)
				b := &bundles{T: t, named: named{a, a.driver(20 * time.Second)}, where: a.target("a"), bring: "bring %s: "}
				if a.relay != nil {
					b.bring = "bring %s to the relay: "
				}
				b.must(b.Apply(t.Context(), b.where, order("1", 1)))
				b.host = a.host("a")
				test(b)
			})
		}
	}
}

// bundles is one target, which runs the release 1.
type bundles struct {
	*testing.T
	named
	where fleet.Target
	host  *agentHost
	bring string // what an error of a bundle on its way begins with
}

func (b *bundles) must(err error, says ...any) { b.Helper(); require.NoError(b, err, says...) }

// runs fails unless the target runs a release, by its own word and by the files behind its link.
func (b *bundles) runs(release string) {
	b.Helper()
	s, err := b.Observe(b.Context(), b.where, "proxy")
	b.must(err)
	require.Equal(b, release, s.Release)
	require.True(b, s.Alive, s.Detail)
	for _, file := range []string{filepath.Join("app", "version"), "loaded"} {
		data, err := os.ReadFile(b.host.file(file))
		b.must(err)
		require.Equal(b, release+"\n", string(data), file)
	}
}

// again fails unless an error may be tried again, and is whose it should be.
func (b *bundles) again(err error, whose dial.Whose, words string) {
	b.Helper()
	tryAgain(b.T, err)
	require.ErrorContains(b, err, words)
	require.Equal(b, whose, dial.Blame(err), err)
}

func (b *bundles) refused(err error, words string) {
	b.Helper()
	require.ErrorIs(b, err, driver.ErrRefused)
	require.ErrorContains(b, err, words)
}

// blob is the file in the store that holds the archive of a release, or its table.
func (b *bundles) blob(release string, archive bool) string {
	got, err := b.kept.Get(b.Context(), b.release(release))
	b.must(err)
	digest := got.Release()
	if archive {
		digest = got.Archive.Digest
	}
	return filepath.Join(b.kept.Store.Folder(), "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

// keeps is how many bundles the agent has, beside what it is just receiving.
func (b *bundles) keeps() int {
	names, err := filepath.Glob(b.host.file("agent", "bundles", "[^.]*"))
	b.must(err)
	return len(names)
}

func preparedOnce(b *bundles) {
	b.must(b.Prepare(b.Context(), b.where, order("2", 2)))
	b.runs("1")
	b.must(os.RemoveAll(b.kept.Store.Folder()))
	b.host.restart()
	b.must(b.Prepare(b.Context(), b.where, order("2", 2)))
	b.must(b.Apply(b.Context(), b.where, order("2", 2)))
	b.runs("2")
	b.must(b.Apply(b.Context(), b.where, order("1", 2)))
	b.runs("1")
}

func fetchBreaksOff(b *bundles) {
	b.host.become("upload")
	words := "bring sha256:"
	if b.relay != nil {
		words = "fetching sha256:"
	}
	b.again(b.Prepare(b.Context(), b.where, order("2", 2)), dial.Theirs, words)
	b.host.become("")
	require.Equal(b, 1, b.keeps())
	b.runs("1")
	b.must(b.Apply(b.Context(), b.where, order("2", 2)))
	b.runs("2")
}

// whileAway has the store misbehave until back is called. A worker that cannot bring a bundle is in
// trouble itself where nothing has begun, and one of many targets that cannot be changed
// afterwards.
func (b *bundles) whileAway(words string, back func()) {
	b.Helper()
	b.again(b.Prepare(b.Context(), b.where, order("2", 2)), dial.Own, words)
	b.again(b.Apply(b.Context(), b.where, order("2", 2)), dial.Theirs, words)
	require.Equal(b, 1, b.keeps())
	b.runs("1")
	back()
	b.must(b.Prepare(b.Context(), b.where, order("2", 2)))
	b.must(b.Apply(b.Context(), b.where, order("2", 2)))
	b.runs("2")
}

func storeLacksIt(b *bundles) {
	at := b.blob("2", false)
	b.must(os.Rename(at, at+".away"))
	b.whileAway(fmt.Sprintf(b.bring, b.release("2"))+"the worker's store: store: get ", func() { b.must(os.Rename(at+".away", at)) })
}

func storeIsDamaged(b *bundles) {
	at := b.blob("2", true)
	whole, err := os.ReadFile(at)
	b.must(err)
	damaged := append([]byte(nil), whole...)
	damaged[len(damaged)/3] ^= 1
	b.must(os.WriteFile(at, damaged, 0o600))
	b.whileAway("the worker's store: its copy is damaged", func() { b.must(os.WriteFile(at, whole, 0o600)) })
}

func storeEndsEarly(b *bundles) {
	at := b.blob("2", true)
	whole, err := os.ReadFile(at)
	b.must(err)
	b.must(os.Truncate(at, int64(len(whole)-1024)))
	b.whileAway("the worker's store: its copy ends 1024 bytes early", func() { b.must(os.WriteFile(at, whole, 0o600)) })
}

func noStore(b *bundles) {
	b.Driver = b.bare(20 * time.Second)
	b.again(b.Prepare(b.Context(), b.where, order("2", 2)), dial.Own, "the worker's store: this worker has none")
	b.again(b.Apply(b.Context(), b.where, order("2", 2)), dial.Theirs, "the worker's store: this worker has none")
	b.must(b.Apply(b.Context(), b.where, order("1", 2)))
	b.runs("1")
}

func diskIsFull(b *bundles) {
	disk := filepath.Join(b.dir, "small")
	b.must(os.MkdirAll(disk, 0o755))
	if err := syscall.Mount("sluice-test", disk, "tmpfs", 0, "size=8m"); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		b.Skip("not run: needs to mount a small disk")
	} else {
		b.must(err)
	}
	b.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	b.where = b.target("small")
	b.host = b.agents.host("small")
	b.must(b.Apply(b.Context(), b.where, order("1", 1)))
	const remount = syscall.MS_REMOUNT
	b.must(syscall.Mount("sluice-test", disk, "tmpfs", remount, "size=1m"))
	for range 2 {
		b.again(b.Prepare(b.Context(), b.where, order("2", 2)), dial.Theirs, "no space left on the agent's disk")
		b.again(b.Apply(b.Context(), b.where, order("2", 2)), dial.Theirs, "no space left on the agent's disk")
		b.runs("1")
	}
	b.must(syscall.Mount("sluice-test", disk, "tmpfs", remount, "size=8m"))
	b.must(b.Apply(b.Context(), b.where, order("2", 2)))
	b.runs("2")
}

func checkRefuses(b *bundles) {
	words := "nginx: [emerg] first words " + strings.Repeat("and more ", 250)
	words = words[:2<<10-len("the very last words\n")] + "the very last words" // as much as is kept of what a program says
	b.host.write("refuse", "and before that, much more\n"+words+"\n")
	b.refused(b.Prepare(b.Context(), b.where, order("2", 2)), words)
	b.runs("1")
	b.refused(b.Apply(b.Context(), b.where, order("2", 2)), words)
	b.runs("1")
	b.host.become("")
	b.refused(b.Apply(b.Context(), b.where, order("2", 2)), words)
	b.must(b.Apply(b.Context(), b.where, order("2", 3)))
	b.runs("2")
}

func reloadHangs(b *bundles) {
	b.host.write("hang", "")
	err := b.Apply(b.Context(), b.where, order("2", 2))
	b.refused(err, "reload: sh: not done within 2s")
	require.ErrorContains(b, err, "going back", "the consumer hangs on the way back, too")
	s, err := b.Observe(b.Context(), b.where, "proxy")
	b.must(err)
	require.Equal(b, "1", s.Release)
	require.False(b, s.Alive)
	b.host.become("")
	b.must(b.Apply(b.Context(), b.where, order("1", 2)))
	b.runs("1")
}

// An order goes on after its caller has left: the same one again waits for it.
func reloadOutlives(b *bundles) {
	b.host.write("hang", "")
	quick, words := named{b.agents, b.driver(1500 * time.Millisecond)}, "no answer within 1.5s"
	if b.relay != nil {
		words = "" // on a busy machine the order ends before it begins, which the agent says
	}
	b.again(quick.Apply(b.Context(), b.where, order("2", 2)), dial.Theirs, words)
	b.refused(b.Apply(b.Context(), b.where, order("2", 2)), "reload: sh: not done within 2s")
}

func nothingConfirms(b *bundles) {
	b.must(b.Settle(b.Context(), b.where, order("1", 1)))
	b.host.write("deaf", "")
	b.refused(b.Apply(b.Context(), b.where, order("2", 2)), "within 1s")
	b.host.become("")
	b.must(b.Apply(b.Context(), b.where, order("1", 2)))
	b.runs("1")
}

func goodOneFails(b *bundles) {
	b.must(b.Settle(b.Context(), b.where, order("1", 1)))
	b.must(b.Apply(b.Context(), b.where, order("2", 2)))
	b.host.write("deaf", "")
	b.again(b.Apply(b.Context(), b.where, order("1", 2)), dial.Theirs, "within 1s")
	b.host.become("")
	b.must(b.Apply(b.Context(), b.where, order("1", 2)))
	b.runs("1")
}

func settles(b *bundles) {
	require.ErrorIs(b, b.Settle(b.Context(), b.where, order("2", 2)), driver.ErrFenced)
	b.must(b.Apply(b.Context(), b.where, order("2", 2)))
	require.ErrorIs(b, b.Settle(b.Context(), b.where, order("2", 1)), driver.ErrFenced)
	for range 2 {
		b.must(b.Settle(b.Context(), b.where, order("2", 2)))
	}
	require.ErrorIs(b, b.Prepare(b.Context(), b.where, order("", 3)), driver.ErrRefused)
}

// sign keeps a signature of a release in the worker's store.
func (b *bundles) sign(by signature.Signer, unit, name string) {
	b.Helper()
	made, err := b.kept.Get(b.Context(), b.release(name))
	b.must(err)
	data, err := by.Sign(unit, made.Release())
	b.must(err)
	b.must(b.kept.Attach(b.Context(), made, bundle.Attachment{Type: signature.MediaType, Data: data}))
}

// What nobody has signed is refused in the agent's words, and what somebody has is brought with its
// signatures.
func asksForASignature(b *bundles) {
	key := newSigner(b.T)
	b.host.write("key", key.Key().String())
	b.host.more = fmt.Sprintf(", keys: [%q]", "file:"+b.host.file("key"))
	b.host.restart()
	const cure = "sluice bundle sign DIGEST --unit proxy"
	b.refused(b.Prepare(b.Context(), b.where, order("2", 2)), cure)
	b.sign(newSigner(b.T), "proxy", "2")
	b.sign(key, "flags", "2")
	b.refused(b.Prepare(b.Context(), b.where, order("2", 2)), cure)
	b.host.restart()
	b.refused(b.Apply(b.Context(), b.where, order("2", 2)), ", expected "+key.Key().ID())
	require.Equal(b, 1, b.keeps())
	b.runs("1")

	b.sign(key, "proxy", "2")
	b.must(b.Prepare(b.Context(), b.where, order("2", 2)))
	b.sign(key, "proxy", "3")
	b.must(b.Prepare(b.Context(), b.where, order("3", 2)))
	b.release("4")
	b.sign(key, "proxy", "5")
	b.must(b.Apply(b.Context(), b.where, order("5", 2)), "unprepared: both are missing")
	b.runs("5")
	b.must(os.RemoveAll(b.kept.Store.Folder()))
	b.must(b.Apply(b.Context(), b.where, order("2", 2)))
	b.runs("2")
	b.must(b.Apply(b.Context(), b.where, order("1", 2)))
	b.runs("1")
	b.again(b.Apply(b.Context(), b.where, order("4", 2)), dial.Theirs, "the worker's store")
}
