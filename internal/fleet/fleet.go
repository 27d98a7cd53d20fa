// Package fleet holds the inventory: the places where a unit runs.
package fleet

// Target is one place where a unit runs: a host, a site, a cluster.
type Target struct {
	// ID is unique in its fleet, 1 to 128 characters of letters, digits, '.',
	// '_', ':', '@' and '-', starting with a letter or a digit.
	ID string `yaml:"id" json:"id"`
	// Address is what drivers and sources fill into {{address}}, usually
	// host:port; a path may follow.
	Address string `yaml:"address" json:"address"`
	// Labels are used to choose targets (where, spread) and in templates.
	Labels map[string]string `yaml:"labels,omitempty" json:"labels,omitempty"`
}

// Fleet is an inventory. Its targets are sorted by id and unique.
type Fleet struct {
	Targets []Target `yaml:"targets" json:"targets"`
}

// IDs are the ids of targets, in their order.
func IDs(ts []Target) []string {
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = t.ID
	}
	return out
}

// Set answers which ids are among some.
func Set(ids []string) map[string]bool {
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out
}
