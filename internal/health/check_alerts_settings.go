package health

import (
	"errors"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/matchers"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Alerts asks an Alertmanager whether an alert fires that began after the stage was applied.
// Silenced and inhibited ones do not count.
type Alerts struct {
	// Alertmanager is its base URL, as the worker reaches it.
	Alertmanager string `yaml:"alertmanager" json:"alertmanager"`
	// Access is what the Alertmanager wants of who asks it.
	dial.Access `yaml:",inline"`
	// Match are matchers as Alertmanager writes them, all of which an alert must fulfil to count,
	// with $unit, $release, $previous and $stage in their values.
	Match []string `yaml:"match" json:"match" jsonschema:"minItems=1,maxItems=20"`
	// IgnoreOlder lets the check pass while alerts fire that fired before the stage, too. Without,
	// it holds until they are over.
	IgnoreOlder bool `yaml:"ignoreOlder,omitempty" json:"ignoreOlder,omitempty"`
	// Watchdog are matchers of an alert that always fires. When it does not, nobody evaluates
	// alerts and the check is NODATA.
	Watchdog []string `yaml:"watchdog,omitempty" json:"watchdog,omitempty" jsonschema:"maxItems=20"`
}

// maxMatchers bounds Alerts.Match.
const maxMatchers = 20

// Check checks whom to ask, and the matchers.
func (a *Alerts) Check(s spec.Section) {
	if s.Needs("alertmanager") && !s.IsBad("alertmanager") {
		s.BaseURL("alertmanager", a.Alertmanager, "the base URL of an Alertmanager, such as http://alertmanager:9093")
	}
	s.Access(a.Access)
	if s.Needs("match") {
		checkMatchers(s, "match", a.Match)
	}
	if s.Given("watchdog") {
		checkMatchers(s, "watchdog", a.Watchdog)
	}
}

// SetDefaults has nothing to set.
func (a *Alerts) SetDefaults() {}

// Traits of the form.
func (a *Alerts) Traits() spec.FormTraits {
	return spec.FormTraits{Shared: []string{"tolerate"}, Opaque: true}
}

func checkMatchers(s spec.Section, field string, all []string) {
	if n := len(all); !s.IsBad(field) && (n == 0 || n > maxMatchers) {
		s.Bad(field, "has %d matchers, expected 1 to %d, such as severity=critical", n, maxMatchers)
		return
	}
	for i, text := range all {
		at := strictyaml.Index(field, i)
		if s.IsBad(at) {
			continue
		}
		if _, err := matchers.Parse(text); err != nil {
			if inside, ok := errors.AsType[*matchers.Error](err); ok {
				s.BadInside(at, inside.Offset, inside.Message)
				continue
			}
			s.Bad(at, "%s", err)
		}
	}
}
