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
	if v.IsBad("fleet") || f.File != "" && !v.Has("fleet.file") { // the short form
		return
	}
	var forms []string
	for _, form := range []string{"file", "command", "prometheus"} {
		if v.Given("fleet." + form) {
			forms = append(forms, form)
		}
	}
	switch len(forms) {
	case 0:
		v.Bad("fleet", "has no source, expected exactly one of file, command and prometheus, such as fleet: fleet.yaml")
		return
	case 1:
	default:
		v.Bad("fleet", "has %s, expected exactly one source", strings.Join(forms, " and "))
		return
	}
	if v.Has("fleet.timeout") {
		v.Positive("fleet.timeout", f.Timeout)
		if f.Timeout > MaxFleetTimeout {
			v.Bad("fleet.timeout", "is %s, expected at most %s", f.Timeout, MaxFleetTimeout)
		}
	}
	switch forms[0] {
	case "file":
		v.In("fleet").Foreign("a fleet from a file", "query", "id", "address", "labels", "timeout")
		if v.Has("fleet.file") && f.File == "" {
			v.Bad("fleet.file", "%s", errNoFleetPath)
		}
	case "command":
		v.In("fleet").Foreign("a fleet from a command", "query", "id", "address", "labels")
		v.fleetCommand(f.Command)
	case "prometheus":
		v.fleetPrometheus(f)
	}
}

// fleetCommand checks an argv in which nothing is filled: there is no target yet.
func (v *validator) fleetCommand(argv []string) {
	const path = "fleet.command"
	if v.IsBad(path) {
		return
	}
	for i, arg := range argv {
		if strings.Contains(arg, "{{") {
			v.Bad(strictyaml.Index(path, i), "has a placeholder, expected none: there is no target yet")
			return
		}
	}
	v.Argv(path, argv)
}

func (v *validator) fleetPrometheus(f FleetSource) {
	if v.Has("fleet.prometheus") {
		v.BaseURL("fleet.prometheus", f.Prometheus, prometheusURL)
	}
	if v.Needs("fleet.query") && v.Has("fleet.query") {
		v.fleetQuery(f.Query)
	}
	for field, text := range map[string]string{"id": f.ID, "address": f.Address} {
		path := "fleet." + field
		if v.Has(path) && v.Template(path, text, tmpl.Label) && !strings.Contains(text, "{{") {
			v.Bad(path, "%s is the same for every target, expected a template over {{label.NAME}}", strictyaml.Quote(text))
		}
	}
	if v.Has("fleet.address") && !v.IsBad("fleet.address") {
		v.addressHasPort("fleet.address", f.Address)
	}
	if len(f.Labels) > maxFleetLabels {
		v.Bad("fleet.labels", "has %d labels, expected at most %d", len(f.Labels), maxFleetLabels)
		return
	}
	for i, name := range f.Labels {
		path := strictyaml.Index("fleet.labels", i)
		if !metricLabel.MatchString(name) {
			v.Bad(path, "%s is not a label, expected letters, digits and '_', not beginning with a digit", strictyaml.Quote(name))
		} else if first := slices.Index(f.Labels, name); first < i {
			v.Bad(path, "%s is listed twice, first at %s", strictyaml.Quote(name), v.At(strictyaml.Index("fleet.labels", first)))
		}
	}
}

func (v *validator) fleetQuery(query string) {
	const path = "fleet.query"
	if strings.TrimSpace(query) == "" {
		v.Bad(path, "is empty, expected a query such as up{job=\"edge\"}")
		return
	}
	if at, ok := errors.AsType[*promql.Error](promql.CheckSeries(query)); ok {
		v.BadInside(path, at.Offset, at.Message)
	}
}
