package registry

import (
	"context"
	"errors"
	"io"
	"slices"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/store"
)

// side is where a bundle comes from. Nothing that it answers is verified.
type side interface {
	manifest(ctx context.Context, digest string) (io.ReadCloser, error)
	blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error)
	// table is the blob of a release, whose size nobody has said.
	table(ctx context.Context, release string) (io.ReadCloser, error)
	attached(ctx context.Context, b bundle.Bundle, mediaType string) ([]bundle.Attachment, error)
}

// side is that of a reference.
func (a Access) side(at Reference) (side, error) {
	if at.Folder == "" {
		return a.dial(at)
	}
	s, err := store.Dir(at.Folder)
	return folderSide{kept: bundle.Kept{Store: s}}, err
}

// folderSide is an OCI layout.
type folderSide struct{ kept bundle.Kept }

func (f folderSide) manifest(ctx context.Context, digest string) (io.ReadCloser, error) {
	return f.kept.Store.Open(ctx, digest)
}

func (f folderSide) blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	return f.kept.Store.Open(ctx, d.Digest.String())
}

func (f folderSide) table(ctx context.Context, release string) (io.ReadCloser, error) {
	return f.kept.Store.Open(ctx, release)
}

func (f folderSide) attached(ctx context.Context, b bundle.Bundle, mediaType string) ([]bundle.Attachment, error) {
	return f.kept.Attached(ctx, b, mediaType)
}

// remoteSide is a repository of a registry.
type remoteSide struct {
	at   Reference
	repo *remote.Repository
	sent *witness
}

func (s *remoteSide) manifest(ctx context.Context, digest string) (io.ReadCloser, error) {
	_, in, err := s.repo.Manifests().FetchReference(ctx, digest)
	return s.answer(kindOf(v1.MediaTypeImageManifest), in, err)
}

func (s *remoteSide) blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	in, err := s.repo.Blobs().Fetch(ctx, d)
	return s.answer(kindOf(d.MediaType), in, err)
}

func (s *remoteSide) table(ctx context.Context, release string) (io.ReadCloser, error) {
	_, in, err := s.repo.Blobs().FetchReference(ctx, release)
	return s.answer(kindOf(bundle.MediaTypeConfig), in, err)
}

// answer is an answer whose errors have words, also those that come while it is read.
func (s *remoteSide) answer(what string, in io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, s.explain(what, err)
	}
	return &explained{ReadCloser: in, explain: func(err error) error { return s.explain(what, err) }}, nil
}

type explained struct {
	io.ReadCloser
	explain func(error) error
}

// Read reads on; what breaks off says where.
func (e *explained) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = e.explain(err)
	}
	return n, err
}

// attached asks for the referrers of a bundle's manifest; registries that know none keep a list of
// them under a tag.
func (s *remoteSide) attached(ctx context.Context, b bundle.Bundle, mediaType string) ([]bundle.Attachment, error) {
	var found []v1.Descriptor
	err := s.repo.Referrers(ctx, describe(v1.MediaTypeImageManifest, b.Manifest()), "", func(page []v1.Descriptor) error {
		for _, d := range page { // some registries list the type of the config in place of the artifact's
			if slices.Contains([]string{mediaType, v1.MediaTypeEmptyJSON, ""}, d.ArtifactType) {
				found = append(found, d)
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.explain(kindOf(mediaType), err)
	}
	var out []bundle.Attachment
	for _, d := range found[:min(len(found), mostAttached)] {
		a, err := s.attachment(ctx, b, d, mediaType)
		if errors.Is(err, bundle.ErrInvalid) { // anybody's: the bundle is good without it
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func (s *remoteSide) attachment(ctx context.Context, b bundle.Bundle, d v1.Descriptor, mediaType string) (bundle.Attachment, error) {
	manifest, err := readManifest(ctx, s, d.Digest.String())
	if err != nil {
		return bundle.Attachment{}, err
	}
	return b.Attachment(manifest, mediaType, func(d v1.Descriptor) (io.ReadCloser, error) { return s.blob(ctx, d) })
}

// mostAttached bounds how many attachments are read.
const mostAttached = 100
