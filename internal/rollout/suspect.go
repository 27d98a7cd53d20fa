package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// Suspect is a release that may have caused harm: of the rollout that saw it, which is the trigger,
// or the newest of a unit that the trigger may have woken.
type Suspect struct {
	Unit string `json:"unit"`
	// Release is empty where the unit never had a rollout, or nobody knows.
	Release string `json:"release,omitempty"`
	Version string `json:"version,omitempty"`
	// Phase is where its rollout is, or how it has ended.
	Phase Phase `json:"phase,omitempty"`
	// Exposed is how many targets run it by its rollout, and Since when that began.
	Exposed int       `json:"exposed,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Trigger bool      `json:"trigger,omitempty"`
	// ToldBack says that it was watched on, and was told to go back, too.
	ToldBack bool `json:"toldBack,omitempty"`
	// Unknown says why nothing is known of it; empty where something is.
	Unknown string `json:"unknown,omitempty"`
}

// SuspectOf is the newest rollout of a unit as a suspect.
func SuspectOf(s State) Suspect {
	out := Suspect{Unit: s.Unit, Release: s.Release, Version: s.Version, Phase: s.Phase, Exposed: s.Exposed, Since: s.StartedAt}
	if s.Phase.GoesBack() { // nobody runs it, or fewer and fewer do
		out.Exposed = 0
	}
	return out
}

// RankSuspects puts those first that most targets run, and of the same number the youngest: a
// release that nobody runs is the least likely, and one that was there for long has been innocent
// for long.
func RankSuspects(all []Suspect) []Suspect {
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.Exposed, a.Exposed), b.Since.Compare(a.Since))
	})
	return out
}

// SuspectWords name suspects in their order; empty for none but the trigger.
func SuspectWords(all []Suspect, now time.Time) string {
	var parts []string
	for _, s := range all {
		word := s.Unit + " " + cmp.Or(s.Version, s.Release)
		switch {
		case s.Unknown != "":
			word = s.Unit + ", of which nothing is known (" + s.Unknown + ")"
		case s.Release == "":
			word = s.Unit + ", which never had a rollout"
		default:
			word += fmt.Sprintf(" (%s, %d targets, %s old)", roleOf(s), s.Exposed, spec.Duration(now.Sub(s.Since).Round(time.Second)))
		}
		if s.ToldBack {
			word += ", which was told to go back"
		}
		parts = append(parts, word)
	}
	if len(all) < 2 {
		return ""
	}
	return "suspects: " + strings.Join(parts, "; ")
}

func roleOf(s Suspect) string {
	if s.Trigger {
		return "the trigger"
	}
	return string(s.Phase)
}
