package main

import (
	"encoding/json"
	"regexp"
)

var bundleName = regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`)

// shortText is a text in which the digests of bundles are cut to twelve digits: nobody compares more.
func shortText(s string) string { return bundleName.ReplaceAllString(s, "$1") }

// releaseWords is a release as people read it: with its version, where it is a bundle that has one.
func releaseWords(release, version string) string {
	if version == "" {
		return shortText(release)
	}
	return version + " (" + shortText(release) + ")"
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

// shortened is shortText in every text of a value that was read from JSON; the value itself, where there is nothing
// to cut.
func shortened[T any](v *T) *T {
	data, err := json.Marshal(v)
	if err != nil || !bundleName.Match(data) {
		return v
	}
	out := new(T)
	if json.Unmarshal(bundleName.ReplaceAll(data, []byte("$1")), out) != nil {
		return v
	}
	return out
}
