package source

import (
	"context"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Breakdown is a source that tells apart, by the values of labels, the events among which a query
// of bad events picks some.
type Breakdown interface {
	// Breakdown are the events of an arm in the window. Before anything was applied, a source
	// without a past answers what its counters have counted since they began.
	Breakdown(ctx context.Context, bad, total string, a Arm, w Window) (Values, Reading)
}

// Values are events by what of their labels keeps them from being bad. Its zero value knows
// nothing.
type Values struct {
	// Total are all events, those included that are not told apart.
	Total float64 `json:"total"`
	// Of are those that are told apart, most first.
	Of []Value `json:"of,omitempty"`
}

// Value are events that miss the same matchers of bad for the same values.
type Value struct {
	// Missed are the labels for whose values bad does not pick the events; none where it does.
	Missed []Label `json:"missed,omitempty"`
	Events float64 `json:"events"`
}

// Label is a label of a series with its value, which is empty where the series lacks it.
type Label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// MostValues is how many values are told apart, at most: what is not among the most frequent ones
// is not common.
const MostValues = 50

// mostLabel is how much of a label's value is kept, in bytes.
const mostLabel = 100

// BreakdownOf tells a source's events apart; nothing, where it cannot.
func BreakdownOf(s Source) Breakdown {
	if b, ok := s.(Breakdown); ok {
		return b
	}
	return lacking{}
}

func (lacking) Breakdown(context.Context, string, string, Arm, Window) (Values, Reading) {
	return Values{}, Reading{}
}

// Picks are the matchers by which bad picks some of the events of a metric that total counts.
type Picks []*labels.Matcher

// PicksOf are those of the matchers of bad that total, which asks for the same metric, has not got;
// where it asks for another one, those that do not say which targets are meant. Bounds of
// histograms pick no kind of event.
func PicksOf(bad, total []*labels.Matcher, same bool) Picks {
	var out Picks
	for _, m := range bad {
		text := m.String()
		switch {
		case m.Name == model.MetricNameLabel, m.Name == model.BucketLabel, m.Name == model.QuantileLabel:
		case !same && slices.Contains(ofTargets, m.Name):
		case !slices.ContainsFunc(total, func(other *labels.Matcher) bool { return other.String() == text }):
			out = append(out, m)
		}
	}
	return out
}

// Rest are the matchers of total that all events fulfil that may have been bad: values of the
// labels by which bad picks may be new, so that total does not name them.
func (p Picks) Rest(total []*labels.Matcher) (rest []*labels.Matcher, whole bool) {
	rest = slices.DeleteFunc(slices.Clone(total), func(m *labels.Matcher) bool {
		return (m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp) && slices.Contains(p.Names(), m.Name)
	})
	return rest, len(rest) == len(total)
}

// ofTargets are labels that say which targets are meant, and not what has happened.
var ofTargets = []string{
	"instance", "job", "host", "hostname", "node", "pod", "namespace", "container", "service", "app",
	"cluster", "region", "zone", "datacenter", "dc", "site", "environment", "env",
}

// Names are the labels by which events are picked.
func (p Picks) Names() []string {
	var out []string
	for _, m := range p {
		if !slices.Contains(out, m.Name) {
			out = append(out, m.Name)
		}
	}
	slices.Sort(out)
	return out
}

// Missed are the labels for whose values events are not picked. Values that a matcher takes out by
// name, as in code!="499", are known to whoever wrote it: it is said to be meant so.
func (p Picks) Missed(value func(name string) string) (missed []Label, meant bool) {
	for _, m := range p {
		v := value(m.Name)
		switch {
		case m.Matches(v):
		case m.Type == labels.MatchNotEqual, m.Type == labels.MatchNotRegexp:
			return nil, true
		default:
			l := Label{Name: m.Name, Value: Cut(v, mostLabel)}
			if !slices.Contains(missed, l) {
				missed = append(missed, l)
			}
		}
	}
	return missed, false
}

// Add counts events; those that are meant to be missed in the total only.
func (v *Values) Add(missed []Label, meant bool, events float64) {
	v.Total += events
	if meant {
		return
	}
	if i := v.index(missed); i >= 0 {
		v.Of[i].Events += events
		return
	}
	v.Of = append(v.Of, Value{Missed: missed, Events: events})
}

// index is where the events are that miss the same; -1 where there are none.
func (v Values) index(missed []Label) int {
	return slices.IndexFunc(v.Of, func(one Value) bool { return slices.Equal(one.Missed, missed) })
}

// Has says that some events miss the same.
func (v Values) Has(missed []Label) bool { return v.index(missed) >= 0 }

// Join adds the events of another.
func (v *Values) Join(other Values) {
	for _, one := range other.Of {
		v.Add(one.Missed, false, one.Events)
		v.Total -= one.Events
	}
	v.Total += other.Total
}

// Since is what counters have counted since they were read before: one that is new or fell has
// begun at zero meanwhile.
func (v Values) Since(before Values) Values {
	out := Values{Total: since(before.Total, v.Total)}
	for _, one := range v.Of {
		was := 0.0
		if i := before.index(one.Missed); i >= 0 {
			was = before.Of[i].Events
		}
		if one.Events = since(was, one.Events); one.Events > 0 {
			out.Of = append(out.Of, one)
		}
	}
	return out
}

func since(before, now float64) float64 {
	if now < before {
		return now
	}
	return now - before
}

// Clone is a copy of its own.
func (v Values) Clone() Values {
	v.Of = slices.Clone(v.Of)
	return v
}

// Most are the most frequent values.
func (v Values) Most() Values {
	v.Of = slices.DeleteFunc(slices.Clone(v.Of), func(one Value) bool { return one.Events <= 0 })
	slices.SortFunc(v.Of, func(a, b Value) int {
		switch {
		case a.Events > b.Events:
			return -1
		case a.Events < b.Events:
			return 1
		}
		return strings.Compare(key(a.Missed), key(b.Missed))
	})
	v.Of = v.Of[:min(len(v.Of), MostValues)]
	return v
}

// key is a text of its own for labels.
func key(of []Label) string {
	var out strings.Builder
	for _, l := range of {
		out.WriteString(l.Name + "\xff" + l.Value + "\xfe")
	}
	return out.String()
}
