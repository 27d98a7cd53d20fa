package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/health"
)

// decide is the rule of every gate. Only PASS promotes; FAIL goes back; anything
// else holds. A person may pass a hold, and a FAIL only by saying so.
func decide(r health.Report, override *Control) (Decision, string) {
	verdict := r.Verdict()
	evidence := words(r, verdict)
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

// mandate is a decision of a person that lets a stage pass, which still holds when the
// stage must wait before it is left.
type mandate struct {
	By Control `json:"by"`
	// Failed are the checks that failed when it was used.
	Failed []string `json:"failed,omitempty"`
}

// over is what the person has decided of a later report. It passes no other failure
// than those that it was used for.
func (m *mandate) over(r health.Report) *Control {
	c := m.By
	for _, check := range failed(r) {
		c.Override = c.Override && slices.Contains(m.Failed, check)
	}
	return &c
}

// failed are the checks that make a report a FAIL.
func failed(r health.Report) []string {
	var out []string
	for _, res := range r.Results {
		if res.Verdict == health.Fail && !res.Advisory {
			out = append(out, res.Check)
		}
	}
	return out
}

// words are the sentences of the checks that made the verdict.
func words(r health.Report, v health.Verdict) string {
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

// passed counts the checks that decided, and names those that only advise and do not
// agree.
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
	return fmt.Sprintf("all %d checks pass", decided) + others
}
