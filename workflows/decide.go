package workflows

import (
	"fmt"
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
