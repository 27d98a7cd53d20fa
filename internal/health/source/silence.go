package source

import (
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
)

// Usual are events that some targets showed. Times are added up over targets.
type Usual struct {
	Events float64
	In     time.Duration
}

// beyondChance is how surprising silence is that healthy targets show less than once in 20,000
// times: the natural logarithm of that.
const beyondChance = 10

// Silenced refuses that targets have shown no event at all for so long, where everything that is
// known says that events were usual: series of such events are gone, which a release that renamed
// them does, too.
func Silenced(query string, silent time.Duration, known []Usual) Reading {
	least := math.Inf(1)
	for _, k := range known {
		if k.In <= 0 || k.Events <= 0 || k.surprise(silent) < beyondChance {
			return Reading{}
		}
		least = min(least, k.Events*silent.Seconds()/k.In.Seconds())
	}
	if math.IsInf(least, 1) {
		return Reading{}
	}
	return NoData(query, "the exposed targets have no series of such events any more, of which about %s were expected: "+
		"has the release renamed them? If there are none, a counter that is 0 would show it", humanize.Integer(least))
}

// surprise is minus the logarithm of how likely it is, at any rate of events, that all of them came
// in one time and none in another.
func (k Usual) surprise(silent time.Duration) float64 {
	return k.Events * math.Log1p(silent.Seconds()/k.In.Seconds())
}
