package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
)

// Errors of bundles.
var (
	errNotHere = errors.New("the bundle is not here: upload it")
	errNoSpace = errors.New("no space left on the agent's disk")
)

// spare is what stays free of a disk, beyond what is about to be written: for states and logs.
const spare = 4 << 20

// block is what a file takes of a disk at least, and what it is rounded up to.
const block = 4096

// openBundle answers the table of a kept bundle, and its file at the beginning of the archive.
func (d disk) openBundle(release string) (bundle.Bundle, *os.File, error) {
	f, err := os.Open(filepath.Join(d.bundles(), hexOf(release)))
	if errors.Is(err, fs.ErrNotExist) {
		return bundle.Bundle{}, nil, errNotHere
	}
	if err != nil {
		return bundle.Bundle{}, nil, err
	}
	b, err := bundle.ReadHead(f, release)
	if errors.Is(err, bundle.ErrInvalid) { // damaged here: another upload mends it
		return b, nil, errors.Join(fmt.Errorf("%w: what was kept of it is damaged (%w)", errNotHere, err), f.Close())
	}
	if err != nil {
		return b, nil, errors.Join(err, f.Close())
	}
	return b, f, nil
}

// receive keeps a bundle. Nothing of it is written before its table is known to be the release's
// and there is space for its archive and its files; nothing is kept unless all of it is the
// bundle's. It answers false where the bundle was here already, and then it reads nothing.
func (d disk) receive(release string, body io.Reader) (bool, error) {
	if d.intact(release) {
		now := time.Now() // it is wanted again: it counts as new
		return false, os.Chtimes(filepath.Join(d.bundles(), hexOf(release)), now, now)
	}
	b, err := bundle.ReadHead(body, release)
	if err != nil {
		return false, err
	}
	if err := d.room(b.Archive.Size + needs(b)); err != nil {
		return false, err
	}
	f, err := os.CreateTemp(d.bundles(), ".upload-*")
	if err != nil {
		return false, err
	}
	d.at("receive bundle")
	if err := errors.Join(write(f, b, body), f.Close()); err != nil {
		return false, errors.Join(err, os.Remove(f.Name()))
	}
	d.at("keep bundle")
	if err := os.Rename(f.Name(), filepath.Join(d.bundles(), hexOf(release))); err != nil {
		return false, errors.Join(err, os.Remove(f.Name()))
	}
	return true, syncFolder(d.bundles())
}

func write(f *os.File, b bundle.Bundle, body io.Reader) error {
	if _, err := f.Write(b.Head()); err != nil {
		return err
	}
	if err := b.VerifyArchive(io.TeeReader(body, f)); err != nil {
		return err
	}
	return f.Sync()
}

// intact says that a bundle is here, and is what it was.
func (d disk) intact(release string) bool {
	b, f, err := d.openBundle(release)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // nothing was written
	return b.VerifyArchive(f) == nil
}

// needs is how much of a disk the files of a bundle take.
func needs(b bundle.Bundle) int64 { return b.Size() + block*int64(len(b.Files)) }

// room refuses what the disk has no space for.
func (d disk) room(size int64) error {
	var free syscall.Statfs_t
	if err := syscall.Statfs(d.folder, &free); err != nil {
		return err
	}
	if has := int64(free.Bavail) * free.Bsize; has < size+spare {
		return fmt.Errorf("%w: %d MiB are free, it takes %d, and %d stay free", errNoSpace, has>>20, (size+1<<20-1)>>20, spare>>20)
	}
	return nil
}

// dir is where the files of a release are for a unit; empty where they are not unpacked.
func (l link) dir(release string) string {
	if at, err := l.leads(); err == nil && at != "" && releaseOf(at) == release && isFolder(at) {
		return at
	}
	for _, end := range []string{"", healed} {
		if at := filepath.Join(l.releases(l.unit), hexOf(release)+end); isFolder(at) {
			return at
		}
	}
	return ""
}

func isFolder(at string) bool {
	info, err := os.Lstat(at)
	return err == nil && info.IsDir()
}

// unpack answers the folder with the files of a release, as the bundle has them: unpacked now,
// unless they are there already and nobody has changed them. Files whose bundle is gone are taken
// as they are, so that going back needs no bundle.
func (l link) unpack(release string) (string, error) {
	b, archive, err := l.openBundle(release)
	is := l.dir(release)
	if err != nil {
		if is != "" {
			return is, nil
		}
		return "", err
	}
	defer func() { _ = archive.Close() }() // nothing was written
	if is != "" && drift(b, is) == nil {
		return is, nil
	}
	if err := l.room(needs(b)); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(l.releases(l.unit), ".unpack-*")
	if err != nil {
		return "", err
	}
	l.at("unpack")
	if err := fill(b, temp, archive); err != nil {
		return "", errors.Join(err, os.RemoveAll(temp))
	}
	return l.place(temp, release)
}

// fill unpacks an archive into an empty folder.
func fill(b bundle.Bundle, dir string, archive io.ReadSeeker) error {
	begins, err := archive.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if err := b.VerifyArchive(archive); err != nil {
		return fmt.Errorf("%w: what was kept of it is damaged (%w)", errNotHere, err)
	}
	if _, err := archive.Seek(begins, io.SeekStart); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // Unpack has synced it
	if err := root.Chmod(".", 0o755); err != nil {
		return err
	}
	return b.Unpack(root, archive)
}

// place gives a folder the name of its release: in the place of one that was changed, or beside it
// where the link leads there.
func (l link) place(temp, release string) (string, error) {
	l.files.Lock()
	defer l.files.Unlock()
	to := filepath.Join(l.releases(l.unit), hexOf(release))
	if is, err := l.leads(); err == nil && is == to {
		to += healed
	}
	if err := l.discard(to); err != nil {
		return "", errors.Join(err, os.RemoveAll(temp))
	}
	l.at("place files")
	if err := os.Rename(temp, to); err != nil {
		return "", errors.Join(err, os.RemoveAll(temp))
	}
	l.at("sync files")
	return to, syncFolder(l.releases(l.unit))
}

// discard removes a folder. It is renamed first, so that a crash leaves no half of it under its
// name.
func (d disk) discard(dir string) error {
	away := filepath.Join(filepath.Dir(dir), ".away-"+filepath.Base(dir))
	if err := os.RemoveAll(away); err != nil {
		return err
	}
	d.at("drop files")
	if err := os.Rename(dir, away); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	d.at("remove files")
	return os.RemoveAll(away)
}

// drift compares a folder with a bundle; nil where they are the same.
func drift(b bundle.Bundle, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // nothing was written
	return b.Drift(root)
}

// collect removes the files of releases that are not to be kept. The caller holds files.
func (l link) collect(keep map[string]bool) error {
	is, err := l.leads()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(l.releases(l.unit))
	if err != nil {
		return err
	}
	for _, e := range entries {
		at := filepath.Join(l.releases(l.unit), e.Name())
		if r := releaseOf(at); at != is && r != "" && (!keep[r] || at != l.dir(r)) {
			err = errors.Join(err, l.discard(at))
		}
	}
	return err
}

// collectBundles removes bundles that are not to be kept, unless they came within the last hour: an
// order for them may be on its way.
func (d disk) collectBundles(keep map[string]bool, now time.Time) error {
	entries, err := os.ReadDir(d.bundles())
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil || releaseOf(e.Name()) == "" || keep["sha256:"+e.Name()] || now.Sub(info.ModTime()) < time.Hour {
			continue
		}
		d.at("drop bundle")
		err = errors.Join(err, os.Remove(filepath.Join(d.bundles(), e.Name())))
	}
	return err
}
