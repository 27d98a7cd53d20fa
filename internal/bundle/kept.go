package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/google/renameio/v2"
	godigest "github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sluicehq/sluice/internal/store"
)

// Kept are the bundles of a content store. The store's folder is an OCI image layout, which other
// tools can read; Sluice itself finds bundles by digest, and reads its index for what is attached
// to them only.
type Kept struct{ Store store.Store }

// Build keeps the files of a folder as a bundle.
func (k Kept) Build(ctx context.Context, dir string) (Bundle, error) {
	var b Bundle
	_, err := k.Store.Write(ctx, func(w io.Writer) (err error) {
		b, err = Build(ctx, dir, w)
		return err
	})
	if err != nil {
		return Bundle{}, err
	}
	return b, k.name(ctx, b)
}

// Add keeps a bundle whose archive comes from elsewhere, once it has been verified.
func (k Kept) Add(ctx context.Context, b Bundle, archive io.Reader) error {
	_, err := k.Store.Write(ctx, func(w io.Writer) error {
		return b.VerifyArchive(io.TeeReader(archive, w))
	})
	if err != nil {
		return err
	}
	return k.name(ctx, b)
}

// name keeps what finds an archive: the table, and the manifest for other tools.
func (k Kept) name(ctx context.Context, b Bundle) error {
	if _, err := k.Store.Put(ctx, b.config); err != nil {
		return err
	}
	manifest := b.Manifest()
	if _, err := k.Store.Put(ctx, manifest); err != nil {
		return err
	}
	return k.list(b, MediaType, manifest)
}

// Get answers the bundle of a release; store.ErrNotFound where it is not kept.
func (k Kept) Get(ctx context.Context, release string) (Bundle, error) {
	if !IsRelease(release) {
		return Bundle{}, invalid("%.100q is not the name of a bundle, expected sha256: and 64 hex digits", release)
	}
	config, err := k.Store.Get(ctx, release)
	if err != nil {
		return Bundle{}, err
	}
	return Parse(config, release)
}

// Open answers the archive of a bundle, not verified.
func (k Kept) Open(ctx context.Context, b Bundle) (io.ReadCloser, error) {
	return k.Store.Open(ctx, b.Archive.Digest)
}

// Verify reads the archive of a bundle to its end, and says why it is not whole.
func (k Kept) Verify(ctx context.Context, b Bundle) error {
	archive, err := k.Open(ctx, b)
	if err != nil {
		return err
	}
	return errors.Join(b.VerifyArchive(archive), archive.Close())
}

// Manifest is the OCI image manifest of the bundle: always the same bytes for the same release.
func (b Bundle) Manifest() []byte {
	m := v1.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    v1.MediaTypeImageManifest,
		ArtifactType: MediaType,
		Config:       descriptor(MediaTypeConfig, b.Release(), int64(len(b.config))),
		Layers:       []v1.Descriptor{descriptor(MediaTypeArchive, b.Archive.Digest, b.Archive.Size)},
		Annotations:  map[string]string{v1.AnnotationCreated: created},
	}
	m.Layers[0].Annotations = map[string]string{v1.AnnotationTitle: "bundle.tar"}
	data, _ := json.Marshal(m) // text and numbers only
	return data
}

// created is when everything was created: a release has no clock.
const created = "1970-01-01T00:00:00Z"

// list adds a bundle, or what is attached to it, to the index of the layout.
func (k Kept) list(b Bundle, artifactType string, manifest []byte) (err error) {
	root := k.Store.Folder()
	defer func() {
		if err != nil {
			err = fmt.Errorf("list %s in the store's index.json: %w", b.Release(), err)
		}
	}()
	lock, err := os.OpenFile(filepath.Join(root, ".index.lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // which gives the lock back
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	index, err := k.index()
	if err != nil {
		return err
	}
	d := descriptor(v1.MediaTypeImageManifest, Digest(manifest), int64(len(manifest)))
	if slices.ContainsFunc(index.Manifests, func(m v1.Descriptor) bool { return m.Digest == d.Digest }) {
		return nil
	}
	d.ArtifactType, d.Annotations = artifactType, map[string]string{annotationRelease: b.Release()}
	index.Manifests = append(index.Manifests, d)
	data, err := json.Marshal(index)
	if err != nil {
		return err
	}
	layout := fmt.Sprintf(`{"imageLayoutVersion":%q}`, v1.ImageLayoutVersion)
	if err := renameio.WriteFile(filepath.Join(root, v1.ImageLayoutFile), []byte(layout), 0o640, renameio.WithTempDir(root)); err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(root, v1.ImageIndexFile), data, 0o640, renameio.WithTempDir(root))
}

// index reads the index of the layout. One that is damaged is left for a person to look at, since
// what is attached to bundles is listed there only.
func (k Kept) index() (v1.Index, error) {
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
	at := filepath.Join(k.Store.Folder(), v1.ImageIndexFile)
	data, err := os.ReadFile(at)
	if errors.Is(err, fs.ErrNotExist) {
		return index, nil
	}
	if err == nil {
		if err = json.Unmarshal(data, &index); err != nil {
			err = fmt.Errorf("%s is damaged (%w): move it away, and sign again what was signed; bundles are found without it", at, err)
		}
	}
	return index, err
}

// annotationRelease is what the index says of a manifest.
const annotationRelease = "io.github.sluicehq.sluice.release"

func descriptor(mediaType, digest string, size int64) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: godigest.Digest(digest), Size: size}
}
