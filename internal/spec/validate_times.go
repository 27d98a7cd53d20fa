package spec

import (
	"cmp"
	"slices"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// times checks the times of health against each other. It goes before what is held against them:
// where one of them is wrong, nothing is said of what follows from it.
func (v *validator) times(h Health) {
	if !v.Given("health") || v.IsBad("health") {
		return
	}
	if v.Has("health.every") && h.Every < minEvery {
		v.Bad("health.every", "is %s, expected at least %s", h.Every, minEvery)
	}
	v.Positive("health.window", h.Window)
	v.Positive("health.staleAfter", h.StaleAfter)
	if longest, at := v.longestBake(); longest > 0 {
		// With one stage it is its bake that is wrong, unless nothing else fits either.
		several := len(v.spec.Stages) > 1
		switch {
		case v.Has("health.every") && h.Every > longest && (several || h.Every > cmp.Or(h.Window, defaultWindow)):
			v.Bad("health.every",
				"is %s, expected at most the longest bake, %s at %s: a bake would end before the first look", h.Every, longest, v.At(at))
		case v.Has("health.warmup") && h.Warmup >= longest && several:
			v.Bad("health.warmup",
				"is %s, expected less than the longest bake, %s at %s: samples of the warm-up do not count", h.Warmup, longest, v.At(at))
		}
	}
	switch {
	case v.IsBad("health.window"):
	case v.Has("health.window") && h.Window < v.every():
		v.Bad("health.window", "is %s, expected at least %s, the time between two looks (health.every)", h.Window, every(h))
	case !v.Given("health.window") && defaultWindow < v.every():
		v.Bad("health.every", "is %s, expected at most the window, which is %s unless health.window is set", h.Every, defaultWindow)
	}
	v.absence(h)
}

// every is the time between two looks; 0 where the file says it wrongly or lacks health as a whole,
// and nothing can be held against it.
func (v *validator) every() Duration {
	if v.IsBad("health.every") || !v.Given("health") {
		return 0
	}
	return every(v.spec.Health)
}

// longestBake is the longest bake and its place; 0 where one is not known.
func (v *validator) longestBake() (longest Duration, at string) {
	for i, s := range v.spec.Stages {
		path := strictyaml.Index("stages", i) + ".bake"
		if v.Has(path + ".max") {
			path += ".max"
		}
		switch d := s.Written.Max; {
		case !v.Has(path) || v.IsBad(path) || d <= 0:
			return 0, ""
		case d > longest:
			longest, at = d, path
		}
	}
	return longest, at
}

// absence checks that a window can be long enough to tell that requests are missing: a Prometheus
// must have read a target twice before an increase over it says anything.
func (v *validator) absence(h Health) {
	window, stale := cmp.Or(h.Window, defaultWindow), staleAfter(h)
	if v.source == nil || !v.source.Traits().Spans || window >= stale || slices.Contains(h.Without, CheckTraffic) || v.misspelt(h) {
		return
	}
	if slices.ContainsFunc([]string{"health.window", "health.staleAfter", "health.every"}, v.IsBad) {
		return
	}
	path := "health.window"
	if !v.Given(path) {
		path = "health.staleAfter"
	}
	v.Bad(path,
		"the window of %s is shorter than staleAfter (%s), so missing traffic would not be noticed: expected a window of at least two of "+
			"Prometheus' scrape intervals, and staleAfter set to them", window, stale)
}

// canPass checks that a stage is watched for long enough to ever pass: a Prometheus must have
// counted requests for staleAfter before anybody can tell that they are missing, and the gate looks
// once more.
func (v *validator) canPass(path string, s Stage) {
	h, at := v.spec.Health, path+".decideWithin"
	if v.source == nil || !v.source.Traits().Spans || slices.Contains(h.Without, CheckTraffic) || v.misspelt(h) {
		return
	}
	times := []string{at, path + ".bake", "health.warmup", "health.every", "health.staleAfter"}
	if !v.Has(at) || s.Written.Max <= 0 || slices.ContainsFunc(times, v.IsBad) {
		return // decideWithin is a minute or more by default
	}
	if need := h.Warmup + staleAfter(h) + every(h); s.Written.Max+s.DecideWithin < need {
		v.Bad(at, "is %s, which no release can pass: with the bake that is %s, and the check %s needs %s "+
			"(health.warmup %s, health.staleAfter %s, health.every %s) to tell that no request is missing; expected at least %s",
			s.DecideWithin, s.Written.Max+s.DecideWithin, CheckTraffic, need, h.Warmup, staleAfter(h), every(h), need-s.Written.Max)
	}
}
