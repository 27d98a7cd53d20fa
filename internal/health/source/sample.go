package source

import "github.com/sluicehq/sluice/internal/fleet"

// EachSample is how many targets a check of each target asks about, at most.
const EachSample = 2000

// Sample picks n of the targets evenly, always the same ones.
func Sample(ts []fleet.Target, n int) []fleet.Target {
	if len(ts) <= n {
		return ts
	}
	out := make([]fleet.Target, n)
	for i := range out {
		out[i] = ts[i*len(ts)/n]
	}
	return out
}
