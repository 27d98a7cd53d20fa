package sequential

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
)

// Packed are numbers that become short text in JSON, without loss. Unlike JSON's own numbers they
// may be infinite.
type Packed []float64

// MarshalText is base64 of the numbers' bytes.
func (p Packed) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 8*len(p))
	for _, v := range p {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return base64.RawStdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText reads what MarshalText wrote.
func (p *Packed) UnmarshalText(text []byte) error {
	raw, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	if len(raw)%8 != 0 {
		return fmt.Errorf("%d bytes are no whole numbers", len(raw))
	}
	*p = make(Packed, len(raw)/8)
	for i := range *p {
		(*p)[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return nil
}

// pack are the logarithms of a mixture's components.
func (m mixture) pack() []float64 {
	out := make([]float64, len(m.acc))
	for j, a := range m.acc {
		out[j] = math.Log(a.Value) + a.Shift
	}
	return out
}

// unpack sets the components from their logarithms.
func (m mixture) unpack(from []float64) {
	for j := range m.acc {
		switch ln := from[j]; {
		case math.IsInf(ln, -1) || math.IsNaN(ln):
			m.acc[j] = scaled{}
		case math.Abs(ln) < near:
			m.acc[j] = scaled{Value: math.Exp(ln)}
		default:
			m.acc[j] = scaled{Value: 1, Shift: ln}
		}
	}
}
