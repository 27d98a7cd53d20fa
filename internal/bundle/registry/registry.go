package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	godigest "github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/store"
)

// Table answers a bundle without its archive, verified.
func (a Access) Table(ctx context.Context, from Reference) (bundle.Bundle, error) {
	s, err := a.side(from)
	if err != nil {
		return bundle.Bundle{}, err
	}
	return table(ctx, s, from)
}

func table(ctx context.Context, s side, from Reference) (bundle.Bundle, error) {
	if from.Manifest == "" {
		return bundle.Bundle{}, invalid("%s names no bundle, expected @sha256:… after it, as bundle push prints it", from)
	}
	ctx, cancel := context.WithTimeout(ctx, tableWithin)
	defer cancel()
	manifest, err := readManifest(ctx, s, from.Manifest)
	if right, ok := byRelease(ctx, s, from, err); ok {
		return bundle.Bundle{}, invalid("%s has the digest of the release, expected that of its manifest: %s", from, right)
	}
	if err != nil {
		return bundle.Bundle{}, at(from, err)
	}
	var m v1.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return bundle.Bundle{}, invalid("%s is no manifest", from)
	}
	if m.ArtifactType != bundle.MediaType {
		kind := cmp.Or(m.ArtifactType, m.Config.MediaType)
		return bundle.Bundle{}, invalid("%s is an artifact of type %.100q, expected a bundle (%s)", from, kind, bundle.MediaType)
	}
	if !bundle.IsRelease(m.Config.Digest.String()) || m.Config.Size < 0 || m.Config.Size > bundle.MaxConfig {
		return bundle.Bundle{}, invalid("%s names no table of at most %d bytes", from, bundle.MaxConfig)
	}
	in, err := s.blob(ctx, m.Config)
	if err != nil {
		return bundle.Bundle{}, at(from, err)
	}
	config, err := bundle.ReadAtMost(in, m.Config.Size)
	if err != nil {
		return bundle.Bundle{}, at(from, err)
	}
	b, err := bundle.Parse(config, m.Config.Digest.String())
	if err != nil {
		return bundle.Bundle{}, at(from, err)
	}
	if !bytes.Equal(b.Manifest(), manifest) {
		return bundle.Bundle{}, invalid("%s is not the manifest that a bundle with its table has, expected %s", from, bundle.Digest(b.Manifest()))
	}
	return b, nil
}

// byRelease is the reference that a bundle has whose name, the digest of its table, stands where
// that of its manifest should; not ok where it is something else. In a folder both are files; a
// registry says that it has no such manifest.
func byRelease(ctx context.Context, s side, from Reference, err error) (right Reference, ok bool) {
	if _, folder := s.(folderSide); !folder && !errors.Is(err, errAbsent) {
		return from, false
	}
	in, err := s.table(ctx, from.Manifest)
	if err != nil {
		return from, false
	}
	data, err := bundle.ReadAtMost(in, bundle.MaxConfig)
	if err != nil {
		return from, false
	}
	b, err := bundle.Parse(data, from.Manifest)
	if err != nil {
		return from, false
	}
	from.Manifest = bundle.Digest(b.Manifest())
	return from, true
}

// readManifest answers a manifest, verified.
func readManifest(ctx context.Context, s side, digest string) ([]byte, error) {
	if !bundle.IsRelease(digest) {
		return nil, invalid("%.100q is no digest", digest)
	}
	in, err := s.manifest(ctx, digest)
	if err != nil {
		return nil, err
	}
	data, err := bundle.ReadAtMost(in, bundle.MaxManifest)
	if err != nil {
		return nil, err
	}
	if got := bundle.Digest(data); got != digest {
		return nil, invalid("the manifest there is %s", got)
	}
	return data, nil
}

// Pull keeps a bundle with what is attached to it of one type, and answers how many that were.
// Everything is verified before it is kept.
func (a Access) Pull(ctx context.Context, from Reference, kept bundle.Kept, mediaType string) (bundle.Bundle, int, error) {
	s, err := a.side(from)
	if err != nil {
		return bundle.Bundle{}, 0, err
	}
	b, err := table(ctx, s, from)
	if err != nil {
		return b, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, archiveWithin)
	defer cancel()
	attached, err := s.attached(ctx, b, mediaType)
	if err != nil {
		return b, 0, at(from, err)
	}
	archive, err := s.blob(ctx, archiveOf(b))
	if err != nil {
		return b, 0, at(from, err)
	}
	if err := keep(ctx, kept, b, archive, attached); err != nil {
		return b, 0, at(from, err)
	}
	return b, len(attached), nil
}

// keep keeps a bundle, once its archive is verified, and what is attached to it.
func keep(ctx context.Context, kept bundle.Kept, b bundle.Bundle, archive io.ReadCloser, attached []bundle.Attachment) error {
	if err := errors.Join(kept.Add(ctx, b, archive), archive.Close()); err != nil {
		return err
	}
	for _, one := range attached {
		if err := kept.Attach(ctx, b, one); err != nil {
			return err
		}
	}
	return nil
}

// Push brings a bundle that is kept, with what is attached to it of one type, and answers where it
// is then, and how many those were. Nothing gets a tag.
func (a Access) Push(ctx context.Context, to Reference, kept bundle.Kept, b bundle.Bundle, mediaType string) (Reference, int, error) {
	attached, err := kept.Attached(ctx, b, mediaType)
	if err != nil {
		return to, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, archiveWithin)
	defer cancel()
	if err := kept.Verify(ctx, b); err != nil {
		return to, 0, fmt.Errorf("%s in the store: %w", b.Release(), err)
	}
	if to.Folder != "" {
		err = toFolder(ctx, to.Folder, kept, b, attached)
	} else {
		err = a.toRegistry(ctx, to, kept, b, attached)
	}
	to.Manifest = bundle.Digest(b.Manifest())
	return to, len(attached), err
}

func toFolder(ctx context.Context, folder string, kept bundle.Kept, b bundle.Bundle, attached []bundle.Attachment) error {
	s, err := store.Dir(folder)
	if err != nil {
		return err
	}
	archive, err := kept.Open(ctx, b)
	if err != nil {
		return err
	}
	return keep(ctx, bundle.Kept{Store: s}, b, archive, attached)
}

// toRegistry sends what a manifest names before the manifest.
func (a Access) toRegistry(ctx context.Context, to Reference, kept bundle.Kept, b bundle.Bundle, attached []bundle.Attachment) error {
	s, err := a.dial(to)
	if err != nil {
		return err
	}
	archive, err := kept.Open(ctx, b)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }() // nothing was written
	if err := s.push(ctx, archiveOf(b), archive); err != nil {
		return err
	}
	parts := []part{{bundle.MediaTypeConfig, b.Config()}, {v1.MediaTypeImageManifest, b.Manifest()}}
	for _, one := range attached {
		parts = append(parts,
			part{v1.MediaTypeEmptyJSON, bundle.EmptyConfig},
			part{one.Type, one.Data},
			part{v1.MediaTypeImageManifest, one.Manifest(b)})
	}
	for _, p := range parts {
		if err := s.push(ctx, describe(p.mediaType, p.data), bytes.NewReader(p.data)); err != nil {
			return err
		}
	}
	return nil
}

// part is what is sent as it is.
type part struct {
	mediaType string
	data      []byte
}

// push sends a blob or a manifest, unless it is there.
func (s *remoteSide) push(ctx context.Context, d v1.Descriptor, content io.Reader) error {
	there, err := s.repo.Exists(ctx, d)
	if err == nil && !there {
		err = s.repo.Push(ctx, d, content)
	}
	return s.explain(fmt.Sprintf("push %s of %d bytes", kindOf(d.MediaType), d.Size), err)
}

func archiveOf(b bundle.Bundle) v1.Descriptor {
	return v1.Descriptor{MediaType: bundle.MediaTypeArchive, Digest: godigest.Digest(b.Archive.Digest), Size: b.Archive.Size}
}

// describe is the descriptor of data.
func describe(mediaType string, data []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: godigest.FromBytes(data), Size: int64(len(data))}
}

// kindOf is what a media type is called.
func kindOf(mediaType string) string {
	switch mediaType {
	case v1.MediaTypeImageManifest:
		return "the manifest"
	case bundle.MediaTypeConfig:
		return "the table"
	case bundle.MediaTypeArchive:
		return "the archive"
	}
	return "what is attached"
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{bundle.ErrInvalid}, args...)...)
}

// at says where an error is from.
func at(from Reference, err error) error { return fmt.Errorf("%s: %w", from, err) }
