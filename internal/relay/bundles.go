package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/store"
)

// getBundle answers a bundle as agents take it: the length of its table in 8 bytes, big-endian, the
// table, the archive. It is named by its content, so whoever has it may keep it for ever.
func (x *Relay) getBundle(w http.ResponseWriter, r *http.Request) error {
	b, err := x.bundles.Get(r.Context(), r.PathValue("release"))
	if err != nil {
		return err
	}
	archive, err := x.bundles.Open(r.Context(), b)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }() // nothing was written
	head := b.Head()
	w.Header().Set("Content-Type", bundle.MediaType)
	w.Header().Set("Content-Length", strconv.FormatInt(int64(len(head))+b.Archive.Size, 10))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("ETag", strconv.Quote(b.Release()))
	if _, err := io.Copy(w, io.MultiReader(bytes.NewReader(head), archive)); err != nil {
		panic(http.ErrAbortHandler) // the status has been sent: the end must not look like one
	}
	return nil
}

// hasBundle answers 204 where a worker need not bring a bundle.
func (x *Relay) hasBundle(w http.ResponseWriter, r *http.Request) error {
	if !x.intact(r.Context(), r.PathValue("release")) {
		return fmt.Errorf("the bundle is %w", store.ErrNotFound)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// intact says that both parts of a bundle are here.
func (x *Relay) intact(ctx context.Context, release string) bool {
	b, err := x.bundles.Get(ctx, release)
	if err != nil {
		return false
	}
	archive, err := x.bundles.Open(ctx, b)
	if err != nil {
		return false
	}
	_ = archive.Close() // it was not read
	return true
}

// putBundle keeps a bundle, once all of it is the release's.
func (x *Relay) putBundle(w http.ResponseWriter, r *http.Request) error {
	turn, cancel := context.WithTimeout(r.Context(), turnWithin)
	defer cancel()
	select {
	case x.receiving <- struct{}{}:
		defer func() { <-x.receiving }()
	case <-turn.Done():
		w.Header().Set("Retry-After", "2")
		http.Error(w, "other bundles are on their way: try again", http.StatusServiceUnavailable)
		return nil
	}
	body := http.MaxBytesReader(w, r.Body, bundle.MaxPiece)
	release := r.PathValue("release")
	if !bundle.IsRelease(release) {
		return wrong("expected sha256: and 64 hex digits")
	}
	b, err := bundle.ReadHead(body, release)
	if err != nil {
		return err
	}
	if err := x.bundles.Add(r.Context(), b, body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}
