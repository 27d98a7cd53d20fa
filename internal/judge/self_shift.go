package judge

import (
	"math"
	"time"
)

// Limits of what is a shift of an arm's level in its own past, and no noise.
const (
	// shiftBlock is how long the blocks are in which the past is compared with itself, and
	// leastBlocks how many a level lasts at least: what fills one may be an incident.
	shiftBlock  = 10 * time.Minute
	leastBlocks = 2
	// shiftUnlike is by how many standard errors the parts before differ from those since.
	shiftUnlike = 4
)

// sinceShift are the looks since the level last shifted, all if it has not: what was before a shift
// would hide harm, or make harm of what was there. The past is split where its parts differ most,
// by a normal test of the logarithm of their ratio, whose variance is by how much blocks next to each
// other differ (at least Poisson's); and again, as long as they differ.
func sinceShift(before []ArmCounts) []ArmCounts {
	for {
		from := shifted(before)
		if from == 0 {
			return before
		}
		before = before[from:]
	}
}

// shifted is the look with which the newest level begins; 0 if there is one level only.
func shifted(before []ArmCounts) (from int) {
	blocks, starts := blocksOf(before)
	most := float64(shiftUnlike)
	for k := leastBlocks; k <= len(blocks)-leastBlocks; k++ {
		old, recent := blocks[:k], blocks[k:]
		if z := apart(old, recent); z > most {
			most, from = z, starts[k]
		}
	}
	return from
}

// blocksOf adds up the exposed arm in blocks that end at the change, and answers the look with
// which each begins. The first may be shorter. One without events is left out.
func blocksOf(before []ArmCounts) (blocks []levelBlock, starts []int) {
	for i, l := range before {
		if !sane(l.Exposed) || l.Exposed.Total == 0 {
			continue
		}
		n := int(-l.At / shiftBlock)
		if len(blocks) == 0 || blocks[len(blocks)-1].n != n {
			blocks, starts = append(blocks, levelBlock{n: n}), append(starts, i)
		}
		b := &blocks[len(blocks)-1]
		b.bad, b.total = b.bad+l.Exposed.Bad, b.total+l.Exposed.Total
	}
	return blocks, starts
}

// levelBlock is what was counted in the n-th block before the change.
type levelBlock struct {
	n          int
	bad, total float64
}

// apart is by how many standard errors the levels of two runs of blocks differ.
func apart(old, recent []levelBlock) float64 {
	a, b := sumOf(old), sumOf(recent)
	if a.total == 0 || b.total == 0 || a.bad+b.bad == 0 {
		return 0
	}
	phi := max(1, (jumps(old)+jumps(recent))/float64(max(1, len(old)+len(recent)-2)))
	ratio := math.Log((a.bad + 0.5) / a.total * b.total / (b.bad + 0.5))
	return math.Abs(ratio) / math.Sqrt(phi*(1/(a.bad+0.5)+1/(b.bad+0.5)))
}

func sumOf(blocks []levelBlock) (sum levelBlock) {
	for _, b := range blocks {
		sum.bad, sum.total = sum.bad+b.bad, sum.total+b.total
	}
	return sum
}

// jumps is how far each block is from the one before, squared, in units of what chance does; so a
// level that goes up or down slowly does not count as noise: von Neumann's successive differences
// (Annals of Mathematical Statistics 12, 1941), for shares.
func jumps(blocks []levelBlock) (x float64) {
	for i := 1; i < len(blocks); i++ {
		a, b := blocks[i-1], blocks[i]
		if rate := (a.bad + b.bad) / (a.total + b.total); rate > 0 {
			d := b.bad/b.total - a.bad/a.total
			x += d * d / (rate * (1/a.total + 1/b.total))
		}
	}
	return x
}
