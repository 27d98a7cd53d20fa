package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sluicehq/sluice/internal/store"
)

// MaxManifest is how large a manifest is: that of a bundle has less than 1 KiB.
const MaxManifest = 64 << 10

// Attachment is what somebody says about a bundle, such as a signature. Next to the bundle it is an
// OCI artifact whose subject is the bundle's manifest. Anybody who can write there can add one: it
// proves nothing by itself.
type Attachment struct {
	// Type is the media type of the data, and of the artifact.
	Type string
	Data []byte
}

// MaxAttachment is how large an attachment's data is, in bytes, and mostAttached how many of a type
// are read of one bundle.
const MaxAttachment, mostAttached = 16 << 10, 100

// EmptyConfig is the config of an attachment, as OCI has it.
var EmptyConfig = []byte("{}")

// Manifest is the OCI image manifest of an attachment: always the same bytes for the same data.
func (a Attachment) Manifest(b Bundle) []byte {
	subject := b.Manifest()
	about := descriptor(v1.MediaTypeImageManifest, Digest(subject), int64(len(subject)))
	data, _ := json.Marshal(v1.Manifest{ // text and numbers only
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    v1.MediaTypeImageManifest,
		ArtifactType: a.Type,
		Config:       descriptor(v1.MediaTypeEmptyJSON, Digest(EmptyConfig), int64(len(EmptyConfig))),
		Layers:       []v1.Descriptor{descriptor(a.Type, Digest(a.Data), int64(len(a.Data)))},
		Subject:      &about,
		Annotations:  map[string]string{v1.AnnotationCreated: created},
	})
	return data
}

// Attachment reads the manifest of an attachment of the bundle, and its data by fetch. What is not
// of that form and type is ErrInvalid.
func (b Bundle) Attachment(manifest []byte, mediaType string, fetch func(v1.Descriptor) (io.ReadCloser, error)) (Attachment, error) {
	var m v1.Manifest
	err := json.Unmarshal(manifest, &m)
	if err != nil || len(m.Layers) != 1 || !IsRelease(m.Layers[0].Digest.String()) || m.Layers[0].Size > MaxAttachment {
		return Attachment{}, invalid("what is attached to it is not of one part of at most %d bytes", MaxAttachment)
	}
	in, err := fetch(m.Layers[0])
	if err != nil {
		return Attachment{}, err
	}
	data, err := ReadAtMost(in, MaxAttachment)
	if err != nil {
		return Attachment{}, err
	}
	a := Attachment{Type: mediaType, Data: data}
	if !bytes.Equal(a.Manifest(b), manifest) {
		return Attachment{}, invalid("what is attached to it is not of the form of %.100q", a.Type)
	}
	return a, nil
}

// ReadAtMost reads everything, refuses more than most bytes, and closes.
func ReadAtMost(in io.ReadCloser, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, invalid("more than %d bytes, where less than that is expected", most)
	}
	return data, nil
}

// Attach keeps an attachment of a bundle that is kept.
func (k Kept) Attach(ctx context.Context, b Bundle, a Attachment) error {
	if len(a.Data) > MaxAttachment {
		return invalid("the attachment has %d bytes, at most %d", len(a.Data), MaxAttachment)
	}
	manifest := a.Manifest(b)
	for _, data := range [][]byte{EmptyConfig, a.Data, manifest} {
		if _, err := k.Store.Put(ctx, data); err != nil {
			return err
		}
	}
	return k.list(b, a.Type, manifest)
}

// Attached answers what is attached to a bundle of one type. What is not of its form, or no longer
// there, is left out.
func (k Kept) Attached(ctx context.Context, b Bundle, mediaType string) ([]Attachment, error) {
	index, err := k.index()
	if err != nil {
		return nil, err
	}
	var out []Attachment
	for _, d := range index.Manifests {
		of := d.Annotations[annotationRelease]
		if d.ArtifactType != mediaType || of != "" && of != b.Release() || len(out) == mostAttached {
			continue
		}
		a, err := k.attachment(ctx, b, d, mediaType)
		if errors.Is(err, ErrInvalid) || errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func (k Kept) attachment(ctx context.Context, b Bundle, manifest v1.Descriptor, mediaType string) (Attachment, error) {
	fetch := func(d v1.Descriptor) (io.ReadCloser, error) { return k.Store.Open(ctx, d.Digest.String()) }
	in, err := fetch(manifest)
	if err != nil {
		return Attachment{}, err
	}
	data, err := ReadAtMost(in, MaxManifest)
	if err != nil {
		return Attachment{}, err
	}
	return b.Attachment(data, mediaType, fetch)
}
