package spec

import (
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// partial checks what a fleet that is not whole may do: targets without a release,
// and labels that the first stage must show.
func (v *validator) partial() {
	if v.spec.Fallback != nil && !v.IsBad("fallback") {
		v.fallback(*v.spec.Fallback)
	}
	seen := map[string]string{}
	for i, label := range v.spec.Represent {
		path := strictyaml.Index("represent", i)
		if !labelForm.MatchString(label) {
			v.Bad(path, "%s is not a label, expected letters, digits, '_', '.' and '-', beginning with a letter or '_'", strictyaml.Quote(label))
		} else if first, ok := seen[label]; ok {
			v.Bad(path, "%s is listed twice, first at %s", strictyaml.Quote(label), v.At(first))
		}
		seen[label] = path
	}
}

// tolerance checks what a stage forgives.
func (v *validator) tolerance(path string, s Stage) {
	if s.Tolerate != nil && !v.Given(path+".tolerate.unreachable") {
		v.Bad(path+".tolerate", "tolerates nothing, expected unreachable: with a share such as 2%%, or a count")
	}
}

func (v *validator) fallback(f Fallback) {
	switch path := "fallback.release"; {
	case v.Given(path) && f.Remove:
		v.Bad(path, "cannot be combined with remove: keep one of them")
	case v.IsBad(path):
	case v.Given(path) && !isRelease(f.Release):
		v.Bad(path,
			"%s is not a release, expected 1 to 128 printable characters without spaces, not beginning with '-'", strictyaml.Quote(f.Release))
	case v.Given(path) && f.Release == v.spec.Release:
		v.Bad(path, "is the release that is rolled out, at %s, expected one to go back to, or fallback: %s", v.At("release"), FallbackRemove)
	case !v.Given(path) && !f.Remove && !v.IsBad("fallback.remove"):
		v.Bad("fallback", `says nothing, expected %s, or {release: "1.0.0"}`, FallbackRemove)
	}
}
