package health

import "github.com/sluicehq/sluice/internal/fleet"

// sample picks n of the targets evenly, always the same ones.
func sample(ts []fleet.Target, n int) []fleet.Target {
	if len(ts) <= n {
		return ts
	}
	out := make([]fleet.Target, n)
	for i := range out {
		out[i] = ts[i*len(ts)/n]
	}
	return out
}
