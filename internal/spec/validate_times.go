package spec

import (
	"cmp"
	"slices"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// times checks the times of health against each other. It goes before what is held
// against them: where one of them is wrong, nothing is said of what follows from it.
func (v *validator) times(h Health) {
	if !v.given("health") || v.doc.Bad("health") {
		return
	}
	if v.doc.Has("health.every") && h.Every < minEvery {
		v.bad("health.every", "is %s, expected at least %s", h.Every, minEvery)
	}
	v.positive("health.window", h.Window)
	v.positive("health.staleAfter", h.StaleAfter)
	if longest, at := v.longestBake(); longest > 0 {
		// With one stage it is its bake that is wrong, unless nothing else fits either.
		several := len(v.spec.Stages) > 1
		switch {
		case v.doc.Has("health.every") && h.Every > longest && (several || h.Every > cmp.Or(h.Window, defaultWindow)):
			v.bad("health.every", "is %s, expected at most the bake of a stage, of which the longest is %s at %s: it would end before the first look", h.Every, longest, v.at(at))
		case v.doc.Has("health.warmup") && h.Warmup >= longest && several:
			v.bad("health.warmup", "is %s, expected less than the bake of a stage, of which the longest is %s at %s: warmup is no evidence", h.Warmup, longest, v.at(at))
		}
	}
	switch {
	case v.doc.Bad("health.window"):
	case v.doc.Has("health.window") && h.Window < v.every():
		v.bad("health.window", "is %s, expected at least %s, the time between two looks (health.every)", h.Window, every(h))
	case !v.given("health.window") && defaultWindow < v.every():
		v.bad("health.every", "is %s, expected at most the window, which is %s unless health.window is set", h.Every, defaultWindow)
	}
	v.absence(h)
}

// every is the time between two looks; 0 where the file says it wrongly or
// lacks health as a whole, and nothing can be held against it.
func (v *validator) every() Duration {
	if v.doc.Bad("health.every") || !v.given("health") {
		return 0
	}
	return every(v.spec.Health)
}

// longestBake is the longest bake and its place; 0 where one is not known.
func (v *validator) longestBake() (longest Duration, at string) {
	for i, s := range v.spec.Stages {
		path := strictyaml.Index("stages", i) + ".bake"
		if v.doc.Has(path + ".max") {
			path += ".max"
		}
		switch d := s.Written.Max; {
		case !v.doc.Has(path) || v.doc.Bad(path) || d <= 0:
			return 0, ""
		case d > longest:
			longest, at = d, path
		}
	}
	return longest, at
}

// absence checks that a window can be long enough to tell that requests are
// missing: a Prometheus must have read a target twice before an increase over it
// says anything.
func (v *validator) absence(h Health) {
	window, stale := cmp.Or(h.Window, defaultWindow), staleAfter(h)
	if h.Prometheus == "" || window >= stale || slices.Contains(h.Without, CheckTraffic) || v.misspelt(h) {
		return
	}
	for _, path := range []string{"health.window", "health.staleAfter", "health.every"} {
		if v.doc.Bad(path) {
			return
		}
	}
	path := "health.window"
	if !v.given(path) {
		path = "health.staleAfter"
	}
	v.bad(path, "the window of %s is shorter than staleAfter (%s), so missing traffic could never be told: expected a window of at least two of Prometheus' scrape intervals, and staleAfter set to them", window, stale)
}
