package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/sluicehq/sluice/internal/bundle"
)

// disk is the agent's folder:
//
//	bundles/HEX         the bundle sha256:HEX, as it was uploaded
//	releases/UNIT/HEX   its files, unpacked for a unit
//	state/UNIT.json     a unit's State
//
// Everything in it is made under another name, synced, and renamed. A name that begins with a dot
// is left over from a crash.
type disk struct {
	folder string
	// at is called before each step that a crash can separate from the next; a test ends the
	// process there.
	at func(step string)
}

// openDisk makes what is missing, takes the folder for this process alone, and removes what a crash
// left. The file that it answers holds the folder until it is closed.
func openDisk(folder string, units []string, at func(string)) (disk, *os.File, error) {
	d := disk{folder, at}
	own := []string{d.bundles(), filepath.Join(folder, "state")}
	public := []string{folder, d.releases("")} // consumers read releases
	for _, u := range units {
		public = append(public, d.releases(u))
	}
	for _, at := range public {
		if err := os.MkdirAll(at, 0o755); err != nil {
			return d, nil, err
		}
	}
	for _, at := range own {
		if err := os.MkdirAll(at, 0o700); err != nil {
			return d, nil, err
		}
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return d, nil, err
	}
	if err := take(lock); err != nil {
		return d, nil, errors.Join(fmt.Errorf("%s: another sluice-agent has it: %w", folder, err), lock.Close())
	}
	for _, at := range append(own, public...) {
		if at != folder { // that may be others', too
			err = errors.Join(err, sweep(at))
		}
		err = errors.Join(err, syncFolder(at))
	}
	if err != nil {
		return d, nil, errors.Join(err, lock.Close())
	}
	return d, lock, nil
}

// take locks a file for this process. An agent that was killed while it began a command leaves a
// process that has the lock until it runs the command, so it is tried for a second.
func take(lock *os.File) error {
	for until := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(until) {
			return err
		}
	}
}

// sweep removes what a crash left half-made.
func sweep(folder string) error {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			err = errors.Join(err, os.RemoveAll(filepath.Join(folder, e.Name())))
		}
	}
	return err
}

func (d disk) bundles() string             { return filepath.Join(d.folder, "bundles") }
func (d disk) releases(unit string) string { return filepath.Join(d.folder, "releases", unit) }
func (d disk) stateFile(unit string) string {
	return filepath.Join(d.folder, "state", unit+".json")
}

// loadState reads what is kept of a unit; the zero State where there is nothing yet.
func (d disk) loadState(unit string) (s State, err error) {
	data, err := os.ReadFile(d.stateFile(unit))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	in := json.NewDecoder(bytes.NewReader(data))
	in.DisallowUnknownFields()
	if err := in.Decode(&s); err != nil {
		return s, fmt.Errorf("%s: %w", d.stateFile(unit), err)
	}
	return s, nil
}

// saveState keeps it, so that no crash loses it afterwards.
func (d disk) saveState(unit string, s State) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	d.at("write state")
	err = d.replace(d.stateFile(unit), data)
	if noSpace(err) && os.Remove(d.reserve()) == nil {
		err = d.replace(d.stateFile(unit), data)
	}
	if err != nil {
		return err
	}
	d.at("sync state")
	return syncFolder(filepath.Dir(d.stateFile(unit)))
}

// replace writes a file in the place of another. It is made where sweep finds it after a crash, and
// not in /tmp.
func (d disk) replace(path string, data []byte) error {
	return renameio.WriteFile(path, data, 0o600, renameio.WithTempDir(filepath.Join(d.folder, "state")))
}

// reserve is a file that stands for space: going back needs a few blocks for states, also on a full
// disk, and then gives it up.
func (d disk) reserve() string { return filepath.Join(d.folder, "reserve") }

// refill makes the reserve, unless it is there.
func (d disk) refill() error {
	if info, err := os.Stat(d.reserve()); err == nil && info.Size() == reserved {
		return nil
	}
	return d.replace(d.reserve(), make([]byte, reserved))
}

const reserved = 256 << 10

func syncFolder(at string) (err error) {
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

// link is the symbolic link through which a consumer reads its files.
type link struct {
	disk
	unit, to string
	// files is held while folders are moved, removed or linked to.
	files *sync.Mutex
}

// errForeign says that something else is where the link should be.
var errForeign = errors.New("it is not a link of the agent's, and is never replaced: move it away")

// leads answers the folder that the link leads to; empty where there is no link.
func (l link) leads() (string, error) {
	info, err := os.Lstat(l.to)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if info.Mode().Type() != fs.ModeSymlink {
		return "", fmt.Errorf("%s: %w", l.to, errForeign)
	}
	dir, err := os.Readlink(l.to)
	if err != nil {
		return "", err
	}
	if filepath.Dir(dir) != l.releases(l.unit) || releaseOf(dir) == "" {
		return "", fmt.Errorf("%s leads to %s: %w", l.to, dir, errForeign)
	}
	return dir, nil
}

// running answers the release that the link leads to; empty where there is none.
func (l link) running() (string, error) {
	dir, err := l.leads()
	if dir == "" {
		return "", err
	}
	return releaseOf(dir), nil
}

// turn makes the link lead to a folder, or removes it, in one step.
func (l link) turn(dir string) error {
	l.files.Lock()
	defer l.files.Unlock()
	is, err := l.leads()
	switch {
	case err != nil:
		return err
	case is == dir: // a crash may have come before the sync
	case dir == "":
		l.at("remove link")
		if err := os.Remove(l.to); err != nil {
			return err
		}
	default:
		l.at("make link")
		if err := l.sweepLink(); err != nil {
			return err
		}
		if err := os.Symlink(dir, l.fresh()); err != nil {
			return err
		}
		l.at("switch link")
		if err := os.Rename(l.fresh(), l.to); err != nil {
			return err
		}
	}
	l.at("sync link")
	return syncFolder(filepath.Dir(l.to))
}

// fresh is the link's name before it has its own.
func (l link) fresh() string {
	return filepath.Join(filepath.Dir(l.to), "."+filepath.Base(l.to)+".sluice-agent")
}

// sweepLink removes what a crash left beside the link.
func (l link) sweepLink() error {
	info, err := os.Lstat(l.fresh())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSymlink:
		return fmt.Errorf("%s: %w", l.fresh(), errForeign)
	}
	return os.Remove(l.fresh())
}

// healed ends the name of a folder that was unpacked beside one that was changed and cannot be
// replaced, since the link leads to it.
const healed = ".healed"

// releaseOf is the release whose files are in a folder; empty for a folder of another kind.
func releaseOf(dir string) string {
	r := "sha256:" + strings.TrimSuffix(filepath.Base(dir), healed)
	if !bundle.IsRelease(r) {
		return ""
	}
	return r
}

func hexOf(release string) string { return strings.TrimPrefix(release, "sha256:") }
