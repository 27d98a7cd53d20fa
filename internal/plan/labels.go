package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// labelValues are those of the whole fleet, worked out once.
func (c *cutter) labelValues() map[string][]string {
	if c.labels == nil {
		c.labels = c.fleet.LabelValues()
	}
	return c.labels
}

// known lists the fleet's labels, for an error about too few matches.
func (c *cutter) known() string {
	return "labels of the fleet: " + describe(c.labelValues())
}

func matching(where map[string]string) string {
	if len(where) == 0 {
		return ""
	}
	pairs := make([]string, 0, len(where))
	for _, name := range slices.Sorted(maps.Keys(where)) {
		pairs = append(pairs, name+": "+where[name])
	}
	return " matching {" + strings.Join(pairs, ", ") + "}"
}

// describe lists labels with their values, cut to what fits on a few lines.
func describe(labels map[string][]string) string {
	if len(labels) == 0 {
		return "none"
	}
	names := slices.Sorted(maps.Keys(labels))
	for i, name := range names {
		names[i] = name + " (" + cutList(labels[name]) + ")"
	}
	return cutList(names)
}

// cutList names the first of many.
func cutList(all []string) string {
	const most = 8
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(", and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}
