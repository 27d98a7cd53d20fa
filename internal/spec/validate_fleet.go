package spec

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// maxFleetLabels bounds what a target's labels take.
const maxFleetLabels = 50

// fleet checks that there is exactly one place where targets are listed, and that
// nothing is said that means nothing there.
func (v *validator) fleet(f FleetSource) {
	if v.doc.Bad("fleet") || f.File != "" && !v.doc.Has("fleet.file") { // the short form
		return
	}
	var forms []string
	for _, form := range []string{"file", "command", "prometheus"} {
		if v.given("fleet." + form) {
			forms = append(forms, form)
		}
	}
	switch len(forms) {
	case 0:
		v.bad("fleet", "has no source, expected exactly one of file, command and prometheus, such as fleet: fleet.yaml")
		return
	case 1:
	default:
		v.bad("fleet", "has %s, expected exactly one source", strings.Join(forms, " and "))
		return
	}
	if v.doc.Has("fleet.timeout") {
		v.positive("fleet.timeout", f.Timeout)
		if f.Timeout > MaxFleetTimeout {
			v.bad("fleet.timeout", "is %s, expected at most %s", f.Timeout, MaxFleetTimeout)
		}
	}
	switch forms[0] {
	case "file":
		v.fleetOthers("a fleet from a file", "query", "id", "address", "labels", "timeout")
		if v.doc.Has("fleet.file") && f.File == "" {
			v.bad("fleet.file", "%s", errNoFleetPath)
		}
	case "command":
		v.fleetOthers("a fleet from a command", "query", "id", "address", "labels")
		v.fleetCommand(f.Command)
	case "prometheus":
		v.fleetPrometheus(f)
	}
}

// fleetOthers refuses fields that mean nothing for this source.
func (v *validator) fleetOthers(source string, fields ...string) {
	for _, field := range fields {
		if v.given("fleet." + field) {
			v.bad("fleet."+field, "means nothing for %s, expected it left out", source)
		}
	}
}

// fleetCommand checks an argv in which nothing is filled: there is no target yet.
func (v *validator) fleetCommand(argv []string) {
	const path = "fleet.command"
	if v.doc.Bad(path) {
		return
	}
	for i, arg := range argv {
		if strings.Contains(arg, "{{") {
			v.bad(strictyaml.Index(path, i), "has a placeholder, expected none: there is no target yet")
			return
		}
	}
	v.argv(path, argv, true, nil)
}

func (v *validator) fleetPrometheus(f FleetSource) {
	if v.doc.Has("fleet.prometheus") {
		v.baseURL("fleet.prometheus", f.Prometheus)
	}
	if v.needs("fleet.query") && v.doc.Has("fleet.query") {
		v.fleetQuery(f.Query)
	}
	for field, text := range map[string]string{"id": f.ID, "address": f.Address} {
		path := "fleet." + field
		if v.doc.Has(path) && v.template(path, text, tmpl.Label) && !strings.Contains(text, "{{") {
			v.bad(path, "%s is the same for every target, expected a template over {{label.NAME}}", strictyaml.Quote(text))
		}
	}
	if v.doc.Has("fleet.address") && !v.doc.Bad("fleet.address") {
		v.addressHasPort("fleet.address", f.Address)
	}
	if len(f.Labels) > maxFleetLabels {
		v.bad("fleet.labels", "has %d labels, expected at most %d", len(f.Labels), maxFleetLabels)
		return
	}
	for i, name := range f.Labels {
		path := strictyaml.Index("fleet.labels", i)
		if !metricLabel.MatchString(name) {
			v.bad(path, "%s is not a label, expected letters, digits and '_', not beginning with a digit", strictyaml.Quote(name))
		} else if first := slices.Index(f.Labels, name); first < i {
			v.bad(path, "%s is there twice, first at %s", strictyaml.Quote(name), v.at(strictyaml.Index("fleet.labels", first)))
		}
	}
}

func (v *validator) fleetQuery(query string) {
	const path = "fleet.query"
	if strings.TrimSpace(query) == "" {
		v.bad(path, "is empty, expected a query such as up{job=\"edge\"}")
		return
	}
	if at, ok := errors.AsType[*promql.Error](promql.CheckSeries(query)); ok {
		v.doc.AddInside(path, at.Offset, at.Message)
	}
}
