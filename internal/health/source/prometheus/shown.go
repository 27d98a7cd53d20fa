package prometheus

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/promql"
)

// usual is how many events must have been expected for none at all to be no chance: healthy targets
// show none less than once in 20,000 times.
const usual = 10

// changed says that something was applied, so that there is a time before it.
func (p *server) changed() bool { return !p.scope.Since.IsZero() }

// before is what an expression of the exposed targets answered over the window before the stage.
func (p *server) before(ctx context.Context, expr string) source.Reading {
	at := p.scope.Since.Truncate(time.Millisecond)
	query, err := p.fill(expr, source.Exposed, source.Window{From: at.Add(-p.spec.Window.Std()), At: at})
	if err != nil {
		return source.NoData(expr, "the query cannot be filled: %s", err)
	}
	return p.query(ctx, query, at).Usable()
}

// missing refuses what exposed targets answer while some of them no longer show series that they
// showed before the stage: the answer is then of the others, or of nothing.
func (p *server) missing(ctx context.Context, query string, w source.Window) source.Reading {
	window := p.spec.Window.Std()
	elapsed := min(w.At.Sub(p.begin()), window)
	if !p.changed() || elapsed < p.Absence() {
		return source.Reading{}
	}
	for _, s := range p.ownSelectors(query) {
		then := fmt.Sprintf("count by (%s) (%s) > 0", p.spec.Identify.Label, s.text)
		least := 0.0
		if s.counter {
			then = fmt.Sprintf("sum by (%s) (increase(%s[%s])) > 0", p.spec.Identify.Label, s.text, model.Duration(window))
			least = usual * float64(window) / float64(elapsed)
		}
		was, wrong := p.byTarget(ctx, then, p.scope.Since.Truncate(time.Millisecond))
		if wrong.Verdict != "" {
			return wrong
		}
		maps.DeleteFunc(was, func(_ string, n float64) bool { return n < least })
		if len(was) == 0 {
			continue
		}
		is, wrong := p.byTarget(ctx, fmt.Sprintf("count by (%s) (%s)", p.spec.Identify.Label, s.text), w.At)
		if wrong.Verdict != "" {
			return wrong
		}
		var gone []string
		for value := range was {
			if _, there := is[value]; !there {
				gone = append(gone, value)
			}
		}
		if slices.Sort(gone); len(gone) > 0 && !p.maySilent(ctx, s, gone, w.At) {
			return source.NoData(query, "%d of the exposed targets show no series such as %s any more, as they did before the stage: %s",
				len(gone), source.Cut(s.words, 80), source.Cut(strings.Join(gone[:min(len(gone), 3)], ", "), 180))
		}
	}
	return source.Reading{}
}

// maySilent says that no more targets are gone than may leave questions unanswered, and that the
// server reads nothing at all of them.
func (p *server) maySilent(ctx context.Context, s ownSelector, gone []string, at time.Time) bool {
	if len(gone) > p.scope.Silent {
		return false
	}
	up, _ := p.byTarget(ctx, "max by ("+p.spec.Identify.Label+") (up{"+s.targets+"})", at)
	return !slices.ContainsFunc(gone, func(value string) bool {
		n, known := up[value]
		return !known || n != 0
	})
}

// byTarget are the numbers of a query by the label that names targets. Where there is no usable
// answer, the reading says why: what was not answered in full is not taken for nothing.
func (p *server) byTarget(ctx context.Context, query string, at time.Time) (map[string]float64, source.Reading) {
	g := p.evaluate(ctx, query, at)
	if g.Verdict != "" {
		return nil, g.Reading
	}
	v, _ := g.value.(model.Vector)
	out := make(map[string]float64, len(v))
	for _, s := range v {
		if r := sampled(s).Usable(); r.Verdict == "" {
			out[string(s.Metric[model.LabelName(p.spec.Identify.Label)])] = r.Value
		}
	}
	return out, source.Reading{}
}

// ownSelector finds series of the same metric and with the same labels on the same targets,
// whatever the labels' values.
type ownSelector struct {
	text, words string
	targets     string // the matchers that name them
	counter     bool   // it is read over a range
}

// ownSelectors are those of a filled query that are about targets.
func (p *server) ownSelectors(query string) []ownSelector {
	var out []ownSelector
	eachSelector(query, func(sel *parser.VectorSelector, path []parser.Node) {
		one := ownSelector{text: p.alike(sel, true), words: loosened(p.alike(sel, true)), counter: ranges(path) > 0}
		for _, m := range sel.LabelMatchers {
			if m.Name == p.spec.Identify.Label {
				one.targets = m.String()
			}
		}
		if one.text != "" && !slices.Contains(out, one) {
			out = append(out, one)
		}
	})
	return out
}

// alike is a selector on the same targets, with any values of the labels that it asks for, or
// without asking for labels; empty for one that names no target.
func (p *server) alike(sel *parser.VectorSelector, labelled bool) string {
	loose, targets := loosen(sel, p.spec.Identify.Label, labelled)
	if len(targets) == 0 {
		return ""
	}
	return written(sel.Name, append(loose, targets...)...)
}

// ownOf is alike of a selector that is written; itself, where it names no target.
func (p *server) ownOf(selector string) string {
	tree, err := parse(selector)
	if sel, ok := tree.(*parser.VectorSelector); err == nil && ok {
		if own := p.alike(sel, true); own != "" {
			return own
		}
	}
	return loosened(selector)
}

// mostSilence is how far back a question reaches of what did not happen.
const mostSilence = 6 * time.Hour

// silenced refuses none at all where many were usual, by the time before and by the control: in all
// the time in which targets run the release, those of earlier stages longer than the stage.
func (p *server) silenced(ctx context.Context, expr string, w source.Window) source.Reading {
	if !p.changed() || len(p.exposed) == 0 {
		return source.Reading{}
	}
	whole := source.Window{From: source.Later(p.begin(), w.At.Add(-mostSilence)), At: w.At}
	long := whole.Length()
	if long < w.Length() {
		whole, long = w, w.Length()
	}
	about, ran := len(p.exposed), p.scope.Ran*time.Duration(len(p.exposed))/time.Duration(max(1, len(p.scope.Exposed)))
	if promql.OnlyCohort(expr) {
		about, ran = len(p.cohort), 0
	}
	known, wrong := p.usualEvents(ctx, expr, whole)
	if wrong.Verdict != "" {
		return wrong
	}
	none := source.Silenced(expr, time.Duration(about)*long+ran, known)
	if none.Verdict == "" || long == w.Length() {
		return none
	}
	query, err := p.fill(expr, source.Exposed, whole) // targets that restarted may have shown some
	if err != nil {
		return none
	}
	switch r := p.query(ctx, query, w.At); {
	case r.Empty:
		return none
	case r.Verdict != "":
		return r
	}
	return source.Reading{}
}

// usualEvents are those of the stage's own targets before it, and of the control meanwhile. What
// came at once in some part of the time before is not usual.
func (p *server) usualEvents(ctx context.Context, expr string, whole source.Window) (known []source.Usual, wrong source.Reading) {
	own := len(p.cohort)
	if own == 0 {
		own = len(p.exposed)
	}
	long, since := whole.Length(), p.scope.Since
	if at := p.scope.Baseline.At; !at.IsZero() && at.Before(since) { // since then it was applied, target by target
		since = at
	}
	since = since.Truncate(time.Millisecond)
	count := func(a source.Arm, w source.Window) (float64, bool) {
		query, err := p.fillOwn(expr, a, w)
		if err != nil {
			return 0, false
		}
		r := p.query(ctx, query, w.At).Usable()
		if r.Verdict != "" && !r.Empty {
			wrong = r
		}
		return r.Value, r.Verdict == ""
	}
	another := source.During(p.scope.Earlier, since.Add(-long), since, 0) // rollout: it may have been silent, too
	if n, ok := count(source.Exposed, source.Window{From: since.Add(-long), At: since}); ok && !another {
		if long > p.spec.Window.Std() {
			half, _ := count(source.Exposed, source.Window{From: since.Add(-long / 2), At: since})
			n = 2 * max(0, min(half, n-half))
		}
		known = append(known, source.Usual{Events: n, In: time.Duration(own) * long})
	}
	if n := len(p.control); n > 0 && wrong.Verdict == "" {
		if events, ok := count(source.Control, whole); ok {
			known = append(known, source.Usual{Events: events, In: time.Duration(n) * long})
		}
	}
	return known, wrong
}

// gone says that a query answered before the stage, and now lacks series on targets that go on
// counting others; empty where that is not so.
func (p *server) gone(ctx context.Context, expr, query string, w source.Window) string {
	selectors := p.ownSelectors(query)
	if !p.changed() || len(selectors) == 0 || p.before(ctx, expr).Verdict != "" {
		return ""
	}
	lacks, goes := "", ""
	tree, _ := parse(query)
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		sel, ok := node.(*parser.VectorSelector)
		if !ok || ranges(path) == 0 {
			return nil
		}
		bare := written(sel.Name, sel.LabelMatchers...)
		grown := p.query(ctx, fmt.Sprintf("sum(increase(%s[%s]))", bare, model.Duration(w.Length().Truncate(time.Millisecond))), w.At).Usable()
		switch {
		case grown.Verdict == "" && grown.Value >= usual:
			goes = bare
		case p.newest(ctx, bare, w.At).Empty:
			lacks = bare
		}
		return nil
	})
	if lacks == "" || goes == "" {
		return ""
	}
	return fmt.Sprintf("no series of %s is left, as there was before the stage, while %s goes on", source.Cut(lacks, 80), source.Cut(goes, 80))
}
