// Package store keeps large immutable things by the digest of their content, so that only digests
// travel through Temporal.
package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/renameio/v2"
)

// MaxBlob bounds one blob, in bytes. A fleet of 100,000 targets is far below.
const MaxBlob = 256 << 20

const digestPrefix = "sha256:"

// ErrNotFound is matched by Get's error when a digest is not kept.
var ErrNotFound = errors.New("not in the store")

// ErrHangs is matched by the error of an operation that the folder did not answer in time.
var ErrHangs = errors.New("the store does not answer")

const (
	// patience is how long an operation may take. Nothing cancels a read of a file, and a network
	// file system whose server is dead never answers: the way back cannot wait for it.
	patience = 5 * time.Second
	// mostStuck is how many operations may hang at once; any further one fails at once.
	mostStuck = 4
)

// Store keeps blobs in a folder: one file per blob under blobs/sha256/, named by its digest in hex,
// as in an OCI image layout. Every method is safe for concurrent use, also from several processes.
type Store struct {
	folder   string
	blobs    string
	patience time.Duration
	stuck    *atomic.Int32 // operations that took too long and have not ended since
}

// Dir is the store in a folder, which the first Put creates if it is missing: a store that is away
// keeps nobody from starting. Processes may share it, also over a network file system.
func Dir(path string) (Store, error) {
	if path == "" {
		return Store{}, errors.New("store: no folder given")
	}
	return Store{folder: path, blobs: filepath.Join(path, "blobs", "sha256"), patience: patience, stuck: new(atomic.Int32)}, nil
}

// Folder is where the store is.
func (s Store) Folder() string { return s.folder }

// Check says why nothing could be kept here now.
func (s Store) Check(ctx context.Context) error {
	_, err := bounded(ctx, s, func() (struct{}, error) {
		if err := os.MkdirAll(s.blobs, 0o750); err != nil {
			return struct{}{}, err
		}
		f, err := os.CreateTemp(s.blobs, ".check")
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, errors.Join(f.Close(), os.Remove(f.Name()))
	})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// bounded runs an operation on files, and answers without it when it takes too long.
func bounded[T any](ctx context.Context, s Store, f func() (T, error)) (out T, err error) {
	if err := ctx.Err(); err != nil {
		return out, err
	}
	if n := s.stuck.Load(); n >= mostStuck {
		return out, fmt.Errorf("%w: %d operations hang already", ErrHangs, n)
	}
	type answer struct {
		value T
		err   error
	}
	const waited, left, ended = 0, 1, 2
	var state atomic.Int32
	done := make(chan answer, 1)
	go func() {
		v, err := f()
		done <- answer{v, err}
		if state.Swap(ended) == left {
			s.stuck.Add(-1)
		}
	}()
	limit := time.NewTimer(s.patience)
	defer limit.Stop()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		err = ctx.Err()
	case <-limit.C:
		err = fmt.Errorf("%w within %s", ErrHangs, s.patience)
	}
	s.stuck.Add(1)
	if !state.CompareAndSwap(waited, left) { // it has ended meanwhile
		s.stuck.Add(-1)
	}
	return out, err
}

// Digest is the name by which data is kept: "sha256:" and 64 hex digits.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// parse answers the hex digits of a digest. Only lower-case hex passes, so the result is always a
// plain file name.
func parse(digest string) (string, error) {
	name, ok := strings.CutPrefix(digest, digestPrefix)
	if !ok || len(name) != 2*sha256.Size || strings.Trim(name, "0123456789abcdef") != "" {
		return "", fmt.Errorf("store: %.100q is not a digest, expected sha256: and 64 hex digits", digest)
	}
	return name, nil
}

// Put keeps data and answers its digest. It writes to a temporary file beside it, syncs it and
// renames it into place, so that a blob is either there as a whole or not at all. Putting the same
// data again is not an error.
func (s Store) Put(ctx context.Context, data []byte) (string, error) {
	if len(data) > MaxBlob {
		return "", fmt.Errorf("store: put: %d bytes, the limit is %d", len(data), MaxBlob)
	}
	digest := Digest(data) // no named result: an operation that hangs still reads it
	_, err := bounded(ctx, s, func() (struct{}, error) {
		// A blob that was damaged on disk is written anew, not trusted.
		if _, err := s.read(digest); err == nil {
			return struct{}{}, nil
		}
		if err := os.MkdirAll(s.blobs, 0o750); err != nil {
			return struct{}{}, err
		}
		at := filepath.Join(s.blobs, strings.TrimPrefix(digest, digestPrefix))
		return struct{}{}, errors.Join(renameio.WriteFile(at, data, 0o640, renameio.WithTempDir(s.blobs)), syncDir(s.blobs))
	})
	if err != nil {
		return "", fmt.Errorf("store: put %s: %w", digest, err)
	}
	return digest, nil
}

// Write keeps what f writes, however large, and answers its digest. It is kept as a whole, synced
// to disk, or not at all: not if f fails. It has no bound in time but its context.
func (s Store) Write(ctx context.Context, f func(w io.Writer) error) (digest string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := os.MkdirAll(s.blobs, 0o750); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	file, err := os.CreateTemp(s.blobs, ".new-*")
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	defer func() { // after the rename there is nothing left to remove
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	sum := sha256.New()
	if err := f(io.MultiWriter(file, sum)); err != nil {
		return "", err
	}
	name := hex.EncodeToString(sum.Sum(nil))
	if err := errors.Join(ctx.Err(), file.Chmod(0o640), file.Sync()); err != nil {
		return "", fmt.Errorf("store: write %s: %w", digestPrefix+name, err)
	}
	if err := errors.Join(os.Rename(file.Name(), filepath.Join(s.blobs, name)), syncDir(s.blobs)); err != nil {
		return "", fmt.Errorf("store: write %s: %w", digestPrefix+name, err)
	}
	return digestPrefix + name, nil
}

// syncDir makes a rename in a folder last.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open reads the data of a digest from its beginning, not verified; ErrNotFound when it is not kept
// here.
func (s Store) Open(ctx context.Context, digest string) (io.ReadCloser, error) {
	name, err := parse(digest)
	if err != nil {
		return nil, err
	}
	f, err := bounded(ctx, s, func() (*os.File, error) { return os.Open(filepath.Join(s.blobs, name)) })
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", digest, err)
	}
	return f, nil
}

// Get answers the data of a digest, verified; ErrNotFound when it is not kept here.
func (s Store) Get(ctx context.Context, digest string) ([]byte, error) {
	if _, err := parse(digest); err != nil {
		return nil, err
	}
	data, err := bounded(ctx, s, func() ([]byte, error) { return s.read(digest) })
	if err != nil {
		return nil, fmt.Errorf("store: get %s: %w", digest, err)
	}
	return data, nil
}

// read is Get without a bound in time.
func (s Store) read(digest string) ([]byte, error) {
	name, err := parse(digest)
	if err != nil {
		return nil, err
	}
	data, err := readBounded(filepath.Join(s.blobs, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (do all workers share one store?)", ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if got := Digest(data); got != digest {
		return nil, fmt.Errorf("it is damaged on disk: its content is %s", got)
	}
	return data, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBlob+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxBlob {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, MaxBlob)
	}
	return data, nil
}
