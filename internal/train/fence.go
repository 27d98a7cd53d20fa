package train

// Term dates the fences of a unit's rollouts. A fence says who may write: a target refuses an order
// whose fence is below the newest that it has taken.
//
// Within a term, a younger rollout's applies are above an older one's, every way back is above
// every apply, and an older one's way back is above a younger one's. So whoever goes back needs to
// ask nobody: no late apply of a younger rollout, and no way back of one that has not heard yet,
// can undo it. After a way back, a new term begins before anything else is applied, and only once
// every rollout under way has heard of it.
//
// The zero value is before any term.
type Term struct {
	Number int64 `json:"number"`
	// First is the oldest rollout under way when the term began.
	First Number `json:"first"`
}

// slots is how many fences a term has: half for applies, half for ways back.
const slots = 1 << 16

// Apply is the fence of a rollout's applies, for a rollout that began in the term.
func (t Term) Apply(n Number) int64 { return t.Number*slots + 1 + int64(n-t.First) }

// Back is the fence of a rollout's way back, for a rollout that knows of the term.
func (t Term) Back(n Number) int64 { return (t.Number+1)*slots - 1 - int64(n-t.First) }

// Top is a fence that is above all of the term.
func (t Term) Top() int64 { return (t.Number + 1) * slots }

// full says that a term has no fence left for a number.
func (t Term) full(n Number) bool { return n-t.First >= slots/2-1 }

// next is a later term, above every fence up to floor, for rollouts from first on.
func (t Term) next(floor int64, first Number) Term {
	return Term{Number: max(t.Number, floor/slots) + 1, First: first}
}
