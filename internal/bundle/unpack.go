package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"
)

// VerifyArchive reads an archive to its end and refuses any other than the bundle's.
func (b Bundle) VerifyArchive(r io.Reader) error {
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(r, b.Archive.Size+1))
	if err != nil {
		return err
	}
	if n != b.Archive.Size {
		return invalid("its archive has %d bytes or more, expected %d", n, b.Archive.Size)
	}
	if got := digestPrefix + hex.EncodeToString(sum.Sum(nil)); got != b.Archive.Digest {
		return invalid("its archive is %s, expected %s", got, b.Archive.Digest)
	}
	return nil
}

// Unpack writes the files of an archive below root, which is empty, and syncs them and their
// folders to disk. It writes only what the table lists: the paths, sizes and contents of which were
// checked when the table was parsed, not those that the archive claims. Call VerifyArchive before,
// so that nothing is written of an archive that is not the bundle's.
func (b Bundle) Unpack(root *os.Root, archive io.Reader) error {
	folders := b.folders()
	for _, at := range folders {
		if err := root.Mkdir(at, 0o755); err != nil {
			return err
		}
	}
	if err := b.each(archive, func(f File, in io.Reader) error {
		if err := writeFile(root, f, in); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Path, err)
		}
		return nil
	}); err != nil {
		return err
	}
	return b.sync(root, folders)
}

// syncing is how many files are synced at once: a disk puts what is asked of it at the same time
// into one write of its journal, so that 20,000 small files take seconds, not a minute.
const syncing = 64

// sync has the files of a bundle on disk, then the folders that name them.
func (b Bundle) sync(root *os.Root, folders []string) error {
	var group errgroup.Group
	group.SetLimit(syncing)
	for _, f := range b.Files {
		group.Go(func() error { return syncOne(root, f.Path) })
	}
	err := group.Wait()
	for _, at := range slices.Backward(folders) {
		err = errors.Join(err, syncOne(root, at))
	}
	return errors.Join(err, syncOne(root, "."))
}

// folders are those that the files are in, each after the one above it.
func (b Bundle) folders() []string {
	seen := map[string]bool{}
	for _, f := range b.Files {
		for at := path.Dir(f.Path); at != "." && !seen[at]; at = path.Dir(at) {
			seen[at] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func writeFile(root *os.Root, f File, content io.Reader) (err error) {
	perm := fs.FileMode(header(f).Mode)
	out, err := root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	got, err := copyExactly(out, content, f.Size)
	if err != nil {
		return err
	}
	if got != f.SHA256 {
		return invalid("its content is %s, expected %s", got, f.SHA256)
	}
	return out.Chmod(perm) // whatever the umask
}

// syncOne syncs a file or a folder.
func syncOne(root *os.Root, at string) (err error) {
	d, err := root.Open(at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

// Drift compares the files below root with the table. It answers nil where they are the same, and
// an error that names the first places where they are not, those with too much included.
func (b Bundle) Drift(root *os.Root) error {
	files, err := list(root)
	var problems []error
	if err != nil {
		if !errors.Is(err, ErrInvalid) {
			return err
		}
		problems = append(problems, err)
	}
	is := Bundle{Files: files}.ByPath()
	for _, f := range b.Files {
		found, ok := is[f.Path]
		delete(is, f.Path)
		switch {
		case !ok && err == nil:
			problems = append(problems, Problem{f.Path, "it is missing"})
		case !ok:
		case found.Size != f.Size:
			problems = append(problems, Problem{f.Path, fmt.Sprintf("it has %d bytes, expected %d", found.Size, f.Size)})
		case found.Mode != f.Mode:
			problems = append(problems, Problem{f.Path, fmt.Sprintf("its mode is %s, expected %s", found.Mode, f.Mode)})
		default:
			if err := sameContent(root, f); err != nil {
				problems = append(problems, err)
			}
		}
		if len(problems) >= maxProblems {
			return errors.Join(problems...)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(is)) {
		problems = append(problems, Problem{p, "it is not part of the release"})
	}
	return errors.Join(problems...)
}

func sameContent(root *os.Root, f File) error {
	in, err := root.Open(f.Path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // nothing was written
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return Problem{f.Path, "its content is not the release's"}
	}
	return nil
}
