package judge

import "github.com/sluicehq/sluice/internal/sequential"

// Trace is how both arms did since the change, in few points for a drawing: at most maxTrace, each
// of which stands for as many looks as any other but the last.
type Trace []Point

// Point is what both arms counted in some looks in a row.
type Point struct {
	sequential.Pair
	Looks int `json:"looks"`
}

// maxTrace is even, so that neighbours can be joined.
const maxTrace = 40

// add answers the trace with one look more. It may reuse the trace's memory.
func (t Trace) add(p sequential.Pair) Trace {
	span := 1
	if len(t) > 0 {
		span = t[0].Looks
	}
	if n := len(t); n > 0 && t[n-1].Looks < span {
		t[n-1] = Point{t[n-1].Plus(p), t[n-1].Looks + 1}
		return t
	}
	if len(t) < maxTrace {
		return append(t, Point{p, 1})
	}
	joined := make(Trace, 0, maxTrace)
	for i := 0; i < len(t); i += 2 {
		joined = append(joined, Point{t[i].Plus(t[i+1].Pair), t[i].Looks + t[i+1].Looks})
	}
	return append(joined, Point{p, 1})
}

// without are the sums of the trace without so many looks in a row, or half of it, wherever they
// are.
func (t Trace) without(looks int) []sequential.Pair {
	if len(t) == 0 {
		return nil
	}
	each := max(1, t[0].Looks)
	n := min((looks+each-1)/each, len(t)/2)
	var out []sequential.Pair
	for from := range len(t) - n + 1 {
		var sum sequential.Pair
		for i, p := range t {
			if i < from || i >= from+n {
				sum = sum.Plus(p.Pair)
			}
		}
		out = append(out, sum)
	}
	return out
}
