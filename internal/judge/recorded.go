package judge

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/sequential"
)

// Recorded is one run of a series. It keeps its looks in about half of the room that they take in a
// file.
type Recorded struct {
	// Run is its name, as the file has it.
	Run  string
	rows []byte
	last time.Duration
	n    int
}

// What stands for a number of a row.
const (
	absent = iota
	bits   // eight bytes follow
	whole  // and above: twice a whole number and this
)

// add keeps a look. It answers false for one that is not later than the one before.
func (r *Recorded) add(l ArmCounts) bool {
	if r.n > 0 && l.At <= r.last {
		return false
	}
	r.rows = binary.AppendVarint(r.rows, int64(l.At-r.last))
	r.last = l.At
	r.n++
	for _, arm := range []*sequential.Counts{l.Exposed, l.Control} {
		if arm == nil {
			r.rows = append(r.rows, absent)
			continue
		}
		for _, v := range []float64{arm.Bad, arm.Total} {
			if v >= 0 && v < 1<<50 && v == math.Trunc(v) {
				r.rows = binary.AppendUvarint(r.rows, 2*uint64(v)+whole)
			} else {
				r.rows = binary.LittleEndian.AppendUint64(append(r.rows, bits), math.Float64bits(v))
			}
		}
	}
	return true
}

// Looks are in order of time.
func (r Recorded) Looks() []ArmCounts {
	out, rest, at := make([]ArmCounts, 0, r.n), r.rows, time.Duration(0)
	number := func() (v float64, there bool) {
		code, n := binary.Uvarint(rest)
		rest = rest[n:]
		switch code {
		case absent:
			return 0, false
		case bits:
			v, rest = math.Float64frombits(binary.LittleEndian.Uint64(rest)), rest[8:]
			return v, true
		}
		return float64((code - whole) / 2), true
	}
	arm := func() *sequential.Counts {
		bad, there := number()
		if !there {
			return nil
		}
		total, _ := number()
		return &sequential.Counts{Bad: bad, Total: total}
	}
	for range r.n {
		after, n := binary.Varint(rest)
		rest, at = rest[n:], at+time.Duration(after)
		out = append(out, ArmCounts{At: at, Exposed: arm(), Control: arm()})
	}
	return out
}

// Pace is the time between two looks of a run, as a rule: the median; 0 for fewer than two.
func Pace(looks []ArmCounts) time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(looks); i++ {
		gaps = append(gaps, looks[i].At-looks[i-1].At)
	}
	if len(gaps) == 0 {
		return 0
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// End is when the last look of a run ends, since the change; 0 where there is none.
func (r Recorded) End() time.Duration { return max(0, r.last) }
