package prometheus

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// places are labels that tell apart where a target is, in the order in which they are named.
// Targets of two places may appear under the same name.
var places = []string{
	"cluster", "cluster_name", "cluster_id", "k8s_cluster", "k8s_cluster_name", "kubernetes_cluster",
	"region", "datacenter", "dc", "site", "environment", "env", "prometheus", "prometheus_replica", "replica", "__replica__",
}

// placesBy are the labels that tell apart targets where nothing is known of them but the name that
// they have under a label.
func placesBy(label string) []string {
	out := slices.Clone(places)
	switch label {
	case "instance":
		out = append(out, "job")
	case "pod", "pod_name", "kubernetes_pod_name":
		out = append(out, "namespace")
	}
	return out
}

// shared refuses what a filled query answers while series that it reads are of more targets than it
// asks about: targets of other clusters have the same names, or two servers have read the same
// target. Its events would count for those that were asked about.
func (p *server) shared(ctx context.Context, query string, w source.Window) source.Reading {
	var refused source.Reading
	eachSelector(query, func(sel *parser.VectorSelector, _ []parser.Node) {
		if refused.Verdict == "" {
			refused = p.sharedBy(ctx, sel, w)
		}
	})
	return refused
}

// sharedBy refuses a selector whose series are of more targets than it names.
func (p *server) sharedBy(ctx context.Context, sel *parser.VectorSelector, w source.Window) source.Reading {
	var names []*labels.Matcher
	all := map[string]bool{} // labels of which the selector says that it wants every value
	for _, m := range sel.LabelMatchers {
		switch {
		case m.Name == p.spec.Identify.Label:
			names = append(names, m)
		case m.Type == labels.MatchRegexp && (m.Value == ".*" || m.Value == ".+"):
			all[m.Name] = true
		}
	}
	if len(names) == 0 {
		return source.Reading{}
	}
	read := p.evaluate(ctx, written("up", names...), w.At)
	if read.Verdict != "" {
		return read.Reading
	}
	up, _ := read.value.(model.Vector)
	by := placesBy(p.spec.Identify.Label)
	for _, s := range up {
		for name := range s.Metric {
			if !slices.Contains(by, string(name)) && name != model.MetricNameLabel {
				by = append(by, string(name))
			}
		}
	}
	slices.Sort(by[len(placesBy(p.spec.Identify.Label)):])
	by = slices.DeleteFunc(by, func(name string) bool { return all[name] || name == p.spec.Identify.Label })
	text := written(sel.Name, sel.LabelMatchers...)
	query := fmt.Sprintf("count by (%s) (%s)", strings.Join(append([]string{p.spec.Identify.Label}, by...), ", "), text)
	if read = p.evaluate(ctx, query, w.At); read.Verdict != "" {
		return read.Reading
	}
	series, _ := read.value.(model.Vector)
	if why := crowd(p.spec.Identify.Label, by, p.named, up, series); why != "" {
		r := source.NoData(text, "%s", why)
		r.Impossible = true // before anything was changed it need not be waited for
		return r
	}
	return source.Reading{}
}

// crowd says which name has series of more targets than asked; empty where none has. A target is an
// up series of which some series have all labels. What fits none of them is another target only
// where its place is another: exporters may show labels of their own.
func crowd(label string, by []string, asked map[string]int, up, series model.Vector) string {
	ups, shown := byName(label, up), byName(label, series)
	for _, of := range ups { // those with most labels first: others fit less
		slices.SortStableFunc(of, func(a, b *model.Sample) int { return len(b.Metric) - len(a.Metric) })
	}
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		known := placesBy(label)
		if len(ups[name]) > 0 {
			known = slices.DeleteFunc(known, func(l string) bool {
				return !slices.ContainsFunc(ups[name], func(s *model.Sample) bool { return s.Metric[model.LabelName(l)] != "" })
			})
		}
		known = slices.DeleteFunc(known, func(l string) bool { return !slices.Contains(by, l) })
		targets, there := map[string]model.Metric{}, map[string]bool{}
		var strays []model.Metric
		for _, s := range shown[name] {
			i := slices.IndexFunc(ups[name], func(u *model.Sample) bool { return fits(by, u.Metric, s.Metric) })
			if i < 0 {
				strays = append(strays, s.Metric)
				continue
			}
			targets[tuple(by, ups[name][i].Metric)] = s.Metric
			there[tuple(known, s.Metric)] = true
		}
		for _, m := range strays {
			if key := tuple(known, m); !there[key] {
				there[key], targets["\x00"+key] = true, m
			}
		}
		if n := max(1, asked[name]); len(targets) > n {
			return crowded(label, name, by, slices.Collect(maps.Values(targets)), n)
		}
	}
	return ""
}

// fits says that a series has all labels of a target that count.
func fits(by []string, target, series model.Metric) bool {
	return !slices.ContainsFunc(by, func(l string) bool {
		want := target[model.LabelName(l)]
		return want != "" && want != series[model.LabelName(l)]
	})
}

// tuple are the values of labels.
func tuple(by []string, m model.Metric) string {
	var out []string
	for _, l := range by {
		out = append(out, string(m[model.LabelName(l)]))
	}
	return strings.Join(out, "\x00")
}

// naming is how many of the targets have each value of the label.
func naming(id spec.Identify, arms ...[]fleet.Target) (map[string]int, error) {
	out := map[string]int{}
	for _, targets := range arms {
		values, err := identities(id, targets)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			out[v]++
		}
	}
	return out, nil
}

// byName are the series by the name of their target.
func byName(label string, v model.Vector) map[string]model.Vector {
	out := map[string]model.Vector{}
	for _, s := range v {
		if name := s.Metric[model.LabelName(label)]; name != "" {
			out[string(name)] = append(out[string(name)], s)
		}
	}
	return out
}

// crowded are the words of crowd, with the first label that tells the targets apart.
func crowded(label, name string, by []string, targets []model.Metric, asked int) string {
	why := fmt.Sprintf("%s=%q has series of %d targets instead of %d", label, source.Cut(name, 60), len(targets), asked)
	for _, l := range by {
		var values []string
		for _, m := range targets {
			values = append(values, fmt.Sprintf("%q", source.Cut(string(m[model.LabelName(l)]), 40)))
		}
		slices.Sort(values)
		if values = slices.Compact(values); len(values) < 2 {
			continue
		}
		some := strings.Join(values[:min(len(values), 3)], ", ")
		if len(values) > 3 {
			some += ", …"
		}
		if strings.Contains(l, "replica") {
			return fmt.Sprintf("%s, by %s (%s), so events count several times: let the server deduplicate, or name one in the query (%s=%s)",
				why, l, some, l, values[len(values)-1])
		}
		return fmt.Sprintf("%s, by %s (%s): name the right one in the query, as in %s=%s, or all of them by %s=~\".+\"",
			why, l, some, l, values[len(values)-1], l)
	}
	return why
}
