package draft

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// template is text with a placeholder of targets in it, and its value for a target.
type template struct {
	text string
	of   func(fleet.Target) string
}

// templates are the placeholders that every target of a fleet has a value for, the address first.
func templates(targets []fleet.Target) []template {
	out := []template{
		{"{{" + tmpl.Address + "}}", func(t fleet.Target) string { return t.Address }},
		{"{{" + tmpl.ID + "}}", func(t fleet.Target) string { return t.ID }},
	}
	for _, name := range commonLabels(targets) {
		out = append(out, template{"{{label." + name + "}}", func(t fleet.Target) string { return t.Labels[name] }})
	}
	return out
}

// commonLabels are those of every target, sorted.
func commonLabels(targets []fleet.Target) []string {
	if len(targets) == 0 {
		return nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(targets[0].Labels)) {
		if !slices.ContainsFunc(targets, func(t fleet.Target) bool { return t.Labels[name] == "" }) {
			out = append(out, name)
		}
	}
	return out
}

// errNobodys is matched where a page is not known to be one target's.
var errNobodys = errors.New("is no target's of the fleet")

// pageOf makes a template of the address of one target's page, unless it is one, and says whose
// page it is. Without any of the target in it, every target would be judged by the same page.
func pageOf(page string, targets []fleet.Target) (text string, target fleet.Target, err error) {
	if len(targets) > 0 && strings.Contains(page, "{{") {
		return page, targets[0], nil
	}
	u, err := url.Parse(page)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", target, errors.New("that is no page, expected a URL such as http://10.1.0.1:8080/metrics")
	case u.User != nil:
		return "", target, errors.New("the URL has a user or a password, which a spec does not hold: see docs/spec.md, Access")
	}
	where := strings.TrimPrefix(page, u.Scheme+"://")
	longest := 0
	for _, t := range templates(targets) {
		for _, one := range targets {
			value := t.of(one)
			tail, ok := strings.CutPrefix(where, value)
			ends := tail == "" || tail[0] == '/' || tail[0] == ':' || tail[0] == '?'
			if ok && ends && len(value) > longest {
				longest, text, target = len(value), u.Scheme+"://"+t.text+tail, one
			}
		}
	}
	if longest == 0 {
		err = fmt.Errorf("%s %w: no address, id or label is %s; give every target a label with that, such as metrics: %q",
			page, errNobodys, u.Host, u.Host)
	}
	return text, target, err
}

// identity is how a target appears in Prometheus.
type identity struct {
	label, template string
	// value is the value of the target to look at, and known how many targets are there; missing
	// are some of the others.
	value   string
	known   int
	missing []string
}

// defaultIdentity is what a spec means that says nothing.
func (i identity) isDefault() bool {
	return i.label == "instance" && i.template == "{{"+tmpl.Address+"}}"
}

// errNoTarget is matched where no label names a target.
var errNoTarget = errors.New("it knows no target of the fleet")

// identify finds the label whose values name most targets of a fleet, among series with one each,
// and a target of which is known that it works.
func identify(up []series, targets []fleet.Target) (identity, error) {
	var best identity
	names := slices.DeleteFunc(labelNames(up), func(n string) bool {
		return !plainName.MatchString(n) || strings.Contains(n, ":") || strings.HasPrefix(n, "__")
	})
	slices.SortStableFunc(names, func(a, b string) int { return truth(b == "instance") - truth(a == "instance") })
	for _, label := range names {
		works := map[string]bool{}
		for _, s := range up {
			if v := s.labels[label]; v != "" {
				works[v] = works[v] || s.value == 1
			}
		}
		for _, t := range templates(targets) {
			for _, end := range ends(works) {
				if i := match(works, targets, label, t, end); i.known > best.known {
					best = i
				}
			}
		}
	}
	if best.known == 0 {
		return best, fmt.Errorf("%w: no label of up has a target's address, id or label as its value (%d series, labels %s)",
			errNoTarget, len(up), strings.Join(names, ", "))
	}
	return best, nil
}

// ends are what may follow a host in the values of a label: nothing, or a port.
func ends(values map[string]bool) []string {
	ports := map[string]bool{"": true}
	for v := range values {
		if _, port, err := net.SplitHostPort(v); err == nil && len(ports) < 10 {
			ports[":"+port] = true
		}
	}
	return slices.Sorted(maps.Keys(ports))
}

func match(works map[string]bool, targets []fleet.Target, label string, t template, end string) identity {
	i := identity{label: label, template: t.text + end}
	up := false
	for _, target := range targets {
		value := t.of(target) + end
		w, there := works[value]
		switch {
		case !there:
			i.missing = append(i.missing, target.ID)
			continue
		case i.value == "" || w && !up:
			i.value, up = value, w
		}
		i.known++
	}
	return i
}

// spreadLabel is a label that says where targets are, of every target, with more than one value.
func spreadLabel(targets []fleet.Target) string {
	for _, name := range []string{"region", "zone", "az", "datacenter", "dc", "site", "rack"} {
		seen := map[string]bool{}
		for _, t := range targets {
			seen[t.Labels[name]] = true
		}
		if !seen[""] && len(seen) > 1 && len(seen) < len(targets) {
			return name
		}
	}
	return ""
}
