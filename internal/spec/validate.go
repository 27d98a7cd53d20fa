package spec

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// validator finds what is wrong with the meaning of a spec that was decoded. It looks at the spec
// as written, before any default is filled in, and goes on after every problem.
type validator struct {
	Section // the whole file
	spec    *Spec
	kinds   Kinds
	// source is the only source of health; nil where that is not known.
	source SourceSettings
}

func (v *validator) run() {
	if given := v.given("health", v.kinds.SourceNames()); len(given) == 1 {
		v.source, _ = v.doc.Opened("health." + given[0]).(SourceSettings)
	}
	v.identity()
	if !v.Given("parts") && v.Needs("driver") {
		v.spec.Driver = v.driver(v.Section, v.spec.Release)
	}
	v.times(v.spec.Health)
	v.bounds()
	v.partial()
	v.drill()
	v.activates()
	v.notify()
	if v.Needs("stages") {
		v.stages()
	}
	if v.Needs("health") {
		v.health()
	}
	if v.Given("fleet") { // last, since how targets are reached is known now
		v.fleet(v.spec.Fleet)
	}
}

var (
	unitForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

func (v *validator) identity() {
	v.unit(v.spec.Unit)
	if v.Given("parts") {
		v.parts()
	} else {
		v.alone()
	}
	v.Needs("fleet")
}

// unit checks the name of a unit.
func (s Section) unit(name string) {
	if s.Needs("unit") && !s.IsBad("unit") && !unitForm.MatchString(name) {
		s.Bad("unit",
			"%s is not a unit, expected 1 to 64 lower-case letters, digits, '.', '_' and '-', beginning with a letter or a digit",
			strictyaml.Quote(name))
	}
}

// alone checks what a unit without parts is to run.
func (v *validator) alone() {
	v.which(v.Section, v.spec.Release, v.spec.Bundle)
	if v.Has("version") && v.release("version", v.spec.Version) && !v.Given("bundle") {
		v.Bad("version", "goes with bundle: without one, the release is the version")
	}
	v.validators(v.Section, v.spec.Validate)
}

// which checks what is to be released: a release by name, or a bundle.
func (v *validator) which(s Section, release, bundle string) {
	switch {
	case s.Given("release") && s.Given("bundle"):
		s.Bad("bundle", "stands beside release, expected one of them: the name of a bundle is the digest of its files")
	case s.Given("bundle"):
		if s.Has("bundle") && strings.TrimSpace(bundle) == "" {
			s.Bad("bundle", "is empty, expected a folder of files, such as ./features")
		}
	case !s.Given("release"):
		s.Bad("release", "is required, or bundle: a folder of files, such as ./features")
	case s.Has("release"):
		s.release("release", release)
	}
}

// BundleTaker is settings of a driver that takes no other releases than bundles.
type BundleTaker interface{ NeedsBundle() }

// release checks that a text can be an element of an argv, a word on a line and a field of a table.
func (s Section) release(path, text string) bool {
	if IsWord(text) && utf8.RuneCountInString(text) <= 128 && len(text) <= MaxRelease && text[0] != '-' {
		return true
	}
	s.Bad(path, "%s is not a release, expected 1 to 128 printable characters without spaces, not beginning with '-'", strictyaml.Quote(text))
	return false
}

// MaxGuard bounds a guard.
const MaxGuard = Duration(30 * 24 * time.Hour)

// MaxRelease bounds a release in bytes: a version or a digest is far shorter.
const MaxRelease = 256

// IsWord says whether a text is one printable word.
func IsWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r) || r == utf8.RuneError
	})
}

// driver checks that a section has exactly one driver, and its settings, for a release.
func (v *validator) driver(of Section, release string) (chosen Driver) {
	s, known := of.In("driver"), names(v.kinds.Drivers)
	s.one(known, fmt.Sprintf("has no driver, expected exactly one of %s, such as %s: {}", list(known), known[0]), "driver")
	for _, name := range known {
		if settings, ok := v.doc.Opened(s.full(name)).(Settings); ok {
			settings.Check(s.In(name))
			settings.SetDefaults()
			chosen = Driver{Choose(name, settings)}
			s.In(name).ownPlace(settings)
			if _, only := settings.(BundleTaker); only && of.Has("release") && !of.IsBad("release") && !bundle.IsRelease(release) {
				of.Bad("release", "the driver %s takes bundles: expected bundle: in its place, a folder of files such as ./features", name)
			}
		}
	}
	return chosen
}

// takesBundles says whether the driver takes bundles only.
func (v *validator) takesBundles() bool {
	_, only := v.doc.Opened("driver." + v.spec.Driver.Name).(BundleTaker)
	return only
}

func (v *validator) bounds() {
	v.Between("apply.batch", v.spec.Apply.Batch, 1, MaxBatch)
	v.Between("apply.parallel", v.spec.Apply.Parallel, 1, 10_000)
	v.Between("apply.attempts", v.spec.Apply.Attempts, 1, 100)
	v.Between("rollback.parallel", v.spec.Rollback.Parallel, 1, 10_000)
	v.Positive("guard", v.spec.Guard)
	if v.spec.Guard > MaxGuard {
		v.Bad("guard", "is %s, expected at most 720h (30 days)", v.spec.Guard)
	}
	v.Positive("rollback.deadline", v.spec.Rollback.Deadline)
	v.Positive("rollback.recover", v.spec.Rollback.Recover)
}
