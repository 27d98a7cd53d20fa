package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/health"
)

// Decide is the rule of every gate. Only PASS promotes; FAIL goes back; anything else holds. A
// person may pass a hold, and a FAIL only by saying so.
func Decide(r health.Report, override *Control) (Decision, string) {
	verdict := r.Verdict()
	evidence := Evidence(r, verdict)
	switch {
	case verdict == health.Pass:
		return Promote, evidence
	case verdict == health.Fail && (override == nil || !override.Override):
		return RollBack, evidence
	case override != nil:
		return Promote, fmt.Sprintf("promoted by %s (%s) although: %s", override.By, override.Why, evidence)
	default:
		return Hold, evidence
	}
}

// Admit is the rule of the look before the first stage. Harm that is there already refuses, and so
// do a source that answers nothing or nobody whom it does not know, and a check that nothing will
// ever answer: nobody would see what the change does. Too little traffic does not: the gates will
// want more.
func Admit(r health.Report, override *ControlRequest) (Decision, string) {
	verdict := r.Verdict()
	evidence := Evidence(r, verdict)
	switch {
	case verdict == health.Pass:
		return Promote, evidence
	case verdict != health.Fail && !r.Mute() && !r.Impossible() && !r.Refused():
		return Promote, "no harm seen; not every check has enough to judge by yet: " + evidence
	case override != nil:
		return Promote, fmt.Sprintf("started by %s (%s) although: %s", PlainText(override.By), PlainText(override.Why), evidence)
	}
	return Refuse, evidence
}

// OverrideGrant is the decision of a person to let a stage pass against the evidence. It still
// holds while the stage waits, for example for an approval, before it is left.
type OverrideGrant struct {
	By Control `json:"by"`
	// Failed are the checks that failed when it was used.
	Failed []string `json:"failed,omitempty"`
}

// For is what the person has decided of a later report. It passes no failure but those that it was
// used for: a check that fails later takes the rollout back.
func (m *OverrideGrant) For(r health.Report) *Control {
	c := m.By
	for _, check := range FailedChecks(r) {
		c.Override = c.Override && slices.Contains(m.Failed, check)
	}
	return &c
}

// FailedChecks are the checks that make a report a FAIL.
func FailedChecks(r health.Report) []string {
	var out []string
	for _, res := range r.Results {
		if res.Verdict == health.Fail && !res.Advisory {
			out = append(out, res.Check)
		}
	}
	return out
}

// Evidence joins the sentences of the checks that made the verdict.
func Evidence(r health.Report, v health.Verdict) string {
	if v == health.Pass {
		return passed(r)
	}
	var out []string
	for _, res := range r.Results {
		if res.Advisory {
			continue
		}
		if res.Verdict == v || v != health.Fail && res.Verdict != health.Pass {
			out = append(out, fmt.Sprintf("%s %s: %s", res.Check, res.Verdict, res.Sentence))
		}
	}
	if len(out) == 0 {
		return "no check has answered"
	}
	return strings.Join(out, "; ")
}

// passed counts the checks that decided, and names those that only advise and do not agree.
func passed(r health.Report) string {
	decided, others := 0, ""
	for _, res := range r.Results {
		switch {
		case !res.Advisory:
			decided++
		case res.Verdict != health.Pass:
			others += fmt.Sprintf("; %s %s: %s", res.Name(), res.Verdict, res.Sentence)
		}
	}
	if decided == 1 {
		return "the one check passes" + others
	}
	return fmt.Sprintf("all %d checks pass", decided) + others
}
