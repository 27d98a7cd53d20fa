package sequential

// Start spreads prior weight over the look at which a fault may begin: First of it
// on the first look, the rest evenly on the others of Looks. The zero value puts all
// of it on the first.
type Start struct {
	Looks int
	First float64
}

// at is the weight of a start at look i, counted from 0.
func (s Start) at(i int) float64 {
	switch {
	case s.Looks <= 1 && i == 0:
		return 1
	case i == 0:
		return s.First
	case i < s.Looks:
		return (1 - s.First) / float64(s.Looks-1)
	}
	return 0
}

// after is the weight of all starts from look i on.
func (s Start) after(i int) float64 {
	switch {
	case i == 0:
		return 1
	case i >= s.Looks:
		return 0
	}
	return (1 - s.First) * float64(s.Looks-i) / float64(s.Looks-1)
}
