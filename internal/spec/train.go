package spec

// Train lets releases of the unit overlap: a newer one begins while older ones bake further on.
type Train struct {
	// Every says that each release must reach every stage. Without it a newer release that waits
	// for the same stage goes on in place of older ones. Default false.
	Every bool `yaml:"every,omitempty" json:"every,omitempty"`
}
