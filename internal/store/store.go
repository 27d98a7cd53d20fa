// Package store keeps large immutable things by the digest of their content, so
// that only digests travel through Temporal.
package store

import (
	"context"
	"errors"
)

// Store keeps blobs by digest. Every method is safe for concurrent use, also
// from several processes.
type Store interface {
	// Put keeps data and answers its digest, "sha256:" and 64 hex digits.
	// Putting the same data again is not an error.
	Put(ctx context.Context, data []byte) (digest string, err error)
	// Get answers the data of a digest, verified; ErrNotFound when it is not
	// kept here.
	Get(ctx context.Context, digest string) ([]byte, error)
}

// ErrNotFound is matched by Get's error when a digest is not kept.
var ErrNotFound = errors.New("not in the store")
