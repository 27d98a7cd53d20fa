package fleet

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/store"
)

// maxSnapshot bounds a snapshot once it is unpacked, in bytes: about three times what a fleet of
// 100,000 targets needs, and little enough that a decompression bomb is harmless.
const maxSnapshot = 64 << 20

// Encode pins a fleet: its targets as canonical JSON, sorted by id, in gzip. The same targets in
// any order give the same bytes. The digest is that of gz, the name by which a content store keeps
// it.
func Encode(f Fleet) (digest string, gz []byte, err error) {
	sorted := Fleet{Targets: slices.Clone(f.Targets)}
	slices.SortFunc(sorted.Targets, func(a, b Target) int { return strings.Compare(a.ID, b.ID) })
	if err := checkOrder(sorted.Targets); err != nil {
		return "", nil, fmt.Errorf("fleet snapshot: %w", err)
	}
	for i, t := range sorted.Targets {
		if len(t.Labels) == 0 { // none and empty are the same fleet
			sorted.Targets[i].Labels = nil
		}
	}
	data, err := json.Marshal(sorted)
	if err != nil {
		return "", nil, fmt.Errorf("fleet snapshot: %w", err)
	}
	if len(data) > maxSnapshot {
		return "", nil, fmt.Errorf("fleet snapshot: %d bytes, the limit is %d", len(data), maxSnapshot)
	}
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf) // no name and no time: the bytes depend on the fleet alone
	_, err = w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		return "", nil, fmt.Errorf("fleet snapshot: %w", err)
	}
	return store.Digest(buf.Bytes()), buf.Bytes(), nil
}

// Decode is the reverse of Encode. It verifies that there is at least one target and that ids are
// present, sorted and unique. It does not verify a digest.
func Decode(gz []byte) (Fleet, error) {
	var f Fleet
	data, err := unpack(gz)
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err == nil {
		err = checkOrder(f.Targets)
	}
	if err != nil {
		return Fleet{}, fmt.Errorf("fleet snapshot: %w", err)
	}
	return f, nil
}

func unpack(gz []byte) ([]byte, error) {
	in := bytes.NewReader(gz)
	r, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	data, err := io.ReadAll(io.LimitReader(r, maxSnapshot+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSnapshot {
		return nil, fmt.Errorf("unpacks to more than %d bytes", maxSnapshot)
	}
	if in.Len() > 0 {
		return nil, fmt.Errorf("%d bytes follow its end", in.Len())
	}
	return data, nil
}

func checkOrder(targets []Target) error {
	if len(targets) == 0 {
		return errors.New("no targets, expected at least one")
	}
	for i, t := range targets {
		if t.ID == "" {
			return fmt.Errorf("target %d has no id", i)
		}
		if i > 0 && targets[i-1].ID >= t.ID {
			return fmt.Errorf("target %q is there twice or out of order", t.ID)
		}
	}
	return nil
}
