// Package store keeps large immutable things by the digest of their content, so
// that only digests travel through Temporal.
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

	"github.com/google/renameio/v2"
)

// MaxBlob bounds one blob, in bytes. A fleet of 100,000 targets is far below.
const MaxBlob = 256 << 20

const digestPrefix = "sha256:"

// ErrNotFound is matched by Get's error when a digest is not kept.
var ErrNotFound = errors.New("not in the store")

// Store keeps blobs in a folder: one file per blob under sha256/, named by its digest in
// hex. Every method is safe for concurrent use, also from several processes.
type Store struct{ blobs string }

// Dir is the store in a folder, which is created if it is missing. Processes may
// share it, also over a network file system.
func Dir(path string) (Store, error) {
	if path == "" {
		return Store{}, errors.New("store: no folder given")
	}
	blobs := filepath.Join(path, "sha256")
	if err := os.MkdirAll(blobs, 0o750); err != nil {
		return Store{}, fmt.Errorf("store: %w", err)
	}
	return Store{blobs: blobs}, nil
}

// Digest is the name by which data is kept: "sha256:" and 64 hex digits.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// parse answers the hex digits of a digest. Only lower-case hex passes, so the
// result is always a plain file name.
func parse(digest string) (string, error) {
	name, ok := strings.CutPrefix(digest, digestPrefix)
	if !ok || len(name) != 2*sha256.Size || strings.Trim(name, "0123456789abcdef") != "" {
		return "", fmt.Errorf("store: %.100q is not a digest, expected sha256: and 64 hex digits", digest)
	}
	return name, nil
}

// Put keeps data and answers its digest. It writes to a temporary file, syncs it and
// renames it into place, so that a blob is either there as a whole or not at all. Putting
// the same data again is not an error.
func (s Store) Put(ctx context.Context, data []byte) (digest string, err error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("store: put: %w", err)
	}
	if len(data) > MaxBlob {
		return "", fmt.Errorf("store: put: %d bytes, the limit is %d", len(data), MaxBlob)
	}
	digest = Digest(data)
	// A blob that was damaged on disk is written anew, not trusted.
	if _, err := s.Get(ctx, digest); err == nil {
		return digest, nil
	}
	name := strings.TrimPrefix(digest, digestPrefix)
	if err := renameio.WriteFile(filepath.Join(s.blobs, name), data, 0o640); err != nil {
		return "", fmt.Errorf("store: put %s: %w", digest, err)
	}
	return digest, nil
}

// Get answers the data of a digest, verified; ErrNotFound when it is not kept here.
func (s Store) Get(ctx context.Context, digest string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("store: get: %w", err)
	}
	name, err := parse(digest)
	if err != nil {
		return nil, err
	}
	data, err := readBounded(filepath.Join(s.blobs, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %s: %w (do all workers share one store?)", digest, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("store: get %s: %w", digest, err)
	}
	if got := Digest(data); got != digest {
		return nil, fmt.Errorf("store: %s is damaged on disk: its content is %s", digest, got)
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
