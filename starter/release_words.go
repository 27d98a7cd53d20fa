package main

import (
	"encoding/json"

	"github.com/sluicehq/sluice/internal/bundle"
)

// releaseWords is a release as people read it: with its version, where it is a bundle that has one.
func releaseWords(release, version string) string {
	if version == "" {
		return bundle.Short(release)
	}
	return version + " (" + bundle.Short(release) + ")"
}

// shown is a rollout as people read it, where they do.
func (r *remote) shown(v view) view {
	if !r.short {
		return v
	}
	version := ""
	if v.State != nil {
		version = v.State.Version
		v.State = shortened(v.State)
	}
	v.Release, v.Live = releaseWords(v.Release, version), shortened(v.Live)
	return v
}

// shortened is bundle.Short in every text of a value that was read from JSON; the value itself,
// where there is nothing to cut.
func shortened[T any](v *T) *T {
	data, err := json.Marshal(v)
	if err != nil || bundle.Short(string(data)) == string(data) {
		return v
	}
	out := new(T)
	if json.Unmarshal([]byte(bundle.Short(string(data))), out) != nil {
		return v
	}
	return out
}
