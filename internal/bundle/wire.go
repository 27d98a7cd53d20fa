package bundle

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Head is what goes before the archive where a bundle travels as one piece: the length of its table
// in 8 bytes, big-endian, and the table.
func (b Bundle) Head() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(len(b.config))), b.config...)
}

// MaxPiece is how large a bundle is as one piece, in bytes.
const MaxPiece = 8 + MaxConfig + MaxBytes

// ReadHead reads a Head, whose table must be the release's.
func ReadHead(r io.Reader, release string) (Bundle, error) {
	var length uint64
	if err := binary.Read(r, binary.BigEndian, &length); err != nil {
		return Bundle{}, fmt.Errorf("%w: it ends before its table", ErrInvalid)
	}
	if length > MaxConfig {
		return Bundle{}, fmt.Errorf("%w: its table has %d bytes, at most %d", ErrInvalid, length, MaxConfig)
	}
	config, err := io.ReadAll(io.LimitReader(r, int64(length)))
	if err != nil {
		return Bundle{}, err
	}
	return Parse(config, release)
}
