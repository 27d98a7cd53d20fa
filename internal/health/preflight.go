package health

import (
	"cmp"
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// beforeTheChange words a result for a fleet of which nothing is exposed yet. Where there is no
// data, since a query names what no target has ever shown, it says so: that is a mistake of the
// spec, and no ailment of the fleet.
func (m *Evaluator) beforeTheChange(ctx context.Context, at time.Time, c spec.Check, r *Result) {
	r.Sentence = unexposed(r.Sentence, m.stage.binding.Stage)
	if r.Verdict != NoData {
		return
	}
	r.Sentence = cmp.Or(m.stage.misspelt(ctx, at, c, c.Value, c.Total, c.Bad), r.Sentence)
}

// misspelt says what a check's expressions name and no target has ever shown; empty where there is
// nothing such. Of the forms that a histogram may have one is enough.
func (m *Stage) misspelt(ctx context.Context, at time.Time, c spec.Check, all ...string) string {
	past := source.HistoryOf(m.source)
	for _, expr := range all {
		if expr == "" {
			continue
		}
		if why := past.Misspelt(ctx, expr, at); why != "" {
			return why
		}
	}
	first := ""
	if c.Slow != nil {
		for _, q := range source.HistogramsOf(m.source).Slow(*c.Slow) {
			why := past.Misspelt(ctx, q.Total, at)
			if why == "" {
				return ""
			}
			first = cmp.Or(first, why)
		}
	}
	return first
}

var (
	exposedTargets = regexp.MustCompile(`(\d|\bthe) exposed target`)
	exposedArm     = regexp.MustCompile(`(^|: |looks )exposed (.*?) vs control `)
)

// unexposed words a sentence without those who are exposed: there are the targets of the first
// stage, and the others.
func unexposed(sentence, stage string) string {
	sentence = exposedTargets.ReplaceAllString(sentence, "$1 target")
	first := "the targets of " + strings.ReplaceAll(cmp.Or(stage, "the first stage"), "$", "$$")
	return exposedArm.ReplaceAllString(sentence, "${1}"+first+" $2 vs the others ")
}
