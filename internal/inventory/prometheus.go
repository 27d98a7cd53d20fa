package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// maxSeries is the largest fleet that a query may list, and maxAnswer what it may take, in bytes.
const (
	maxSeries = 100_000
	maxAnswer = fleet.MaxBytes
)

// maxShown bounds how much of a series or of an API's words is repeated, in bytes.
const maxShown = 300

// fromPrometheus asks a Prometheus API once, about one moment.
func fromPrometheus(ctx context.Context, f spec.FleetSource, d Deps) (fleet.Fleet, error) {
	client := f.Client(d.Transport)
	c, err := promapi.New(f.Prometheus, client.Transport, maxAnswer)
	if err != nil {
		return fleet.Fleet{}, final(fmt.Errorf("prometheus: %w", err))
	}
	asking, cancel := context.WithTimeoutCause(ctx, f.Timeout.Std(), fmt.Errorf("it took longer than %s", f.Timeout))
	defer cancel()
	// Infos are about how the query is written; warnings are about what was answered.
	value, warnings, _, err := c.Query(asking, f.Query, d.Now(), promv1.WithTimeout(f.Timeout.Std()))
	switch {
	case ctx.Err() != nil:
		return fleet.Fleet{}, context.Cause(ctx)
	case err != nil && asking.Err() != nil:
		return fleet.Fleet{}, fmt.Errorf("no usable answer from %s: %w", c.Host, context.Cause(asking))
	case err != nil:
		return fleet.Fleet{}, unusable(c.Host, err, client.Redact)
	case len(warnings) > 0:
		return fleet.Fleet{}, fmt.Errorf(
			"%s answered with a warning, so targets may be missing: %s", c.Host, terminal.OneLine(client.Redact(warnings[0]), maxShown))
	}
	vector, ok := value.(model.Vector)
	switch {
	case !ok:
		return fleet.Fleet{}, final(fmt.Errorf("%s answered no instant vector, expected a series for each target", c.Host))
	case len(vector) == 0:
		return fleet.Fleet{}, fmt.Errorf("%s has no series for %s, expected one for each target", c.Host, terminal.OneLine(f.Query, maxShown))
	case len(vector) > maxSeries:
		return fleet.Fleet{}, final(fmt.Errorf("%s answered %d series, expected at most %d", c.Host, len(vector), maxSeries))
	}
	out, err := targets(f, vector)
	if err != nil {
		return fleet.Fleet{}, final(fmt.Errorf("%s listed no valid fleet: %w", c.Host, err))
	}
	return out, nil
}

// unusable words an error of the API.
func unusable(host string, err error, redact func(string) string) error {
	text := promapi.Cause(err).Error()
	if e, ok := errors.AsType[*promv1.Error](err); ok && e.Detail != "" {
		text += ": " + e.Detail
	}
	worded := fmt.Errorf("no usable answer from %s: %s", host, terminal.OneLine(redact(text), maxShown))
	if _, forbidden := errors.AsType[*dial.RefusedError](err); forbidden || promapi.Final(err) {
		return final(worded)
	}
	return worded
}

// targets makes a target of each series, sorted by id. It is pure.
func targets(f spec.FleetSource, series model.Vector) (fleet.Fleet, error) {
	out := fleet.Fleet{Targets: make([]fleet.Target, 0, len(series))}
	owners := make(map[string]model.Metric, len(series))
	for _, s := range series {
		if s == nil || len(s.Metric) == 0 {
			return fleet.Fleet{}, errors.New("a series has no labels: is the query an aggregation?")
		}
		t, err := targetOf(f, s.Metric)
		if err != nil {
			return fleet.Fleet{}, fmt.Errorf("series %s: %w", shown(s.Metric), err)
		}
		if other, taken := owners[t.ID]; taken {
			return fleet.Fleet{}, fmt.Errorf(
				"series %s and %s are both target %s, expected one for each target", shown(other), shown(s.Metric), t.ID)
		}
		owners[t.ID] = s.Metric
		out.Targets = append(out.Targets, t)
	}
	slices.SortFunc(out.Targets, func(a, b fleet.Target) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// targetOf is the target that a series stands for.
func targetOf(f spec.FleetSource, m model.Metric) (fleet.Target, error) {
	labels := make(map[string]string, len(m))
	for name, value := range m {
		if value != "" { // which is how a Prometheus says that there is none
			labels[string(name)] = string(value)
		}
	}
	var t fleet.Target
	var err error
	values := tmpl.ForTarget("", "", labels)
	if t.ID, err = tmpl.Fill(f.ID, values); err != nil {
		return t, fmt.Errorf("it lacks a label that id asks for, %s", f.ID)
	}
	if t.Address, err = tmpl.Fill(f.Address, values); err != nil {
		return t, fmt.Errorf("it lacks a label that address asks for, %s", f.Address)
	}
	for _, name := range f.Labels {
		value, ok := labels[name]
		if !ok {
			return t, fmt.Errorf("it has no label %s, expected every series to have those of labels", name)
		}
		if t.Labels == nil {
			t.Labels = make(map[string]string, len(f.Labels))
		}
		t.Labels[name] = value
	}
	return t, t.Check()
}

// shown names a series in a message, without a value that may hold a password.
func shown(m model.Metric) string {
	safe := make(model.Metric, len(m))
	for name, value := range m {
		if strings.Contains(string(value), "@") {
			value = "…"
		}
		safe[name] = value
	}
	return terminal.OneLine(safe.String(), maxShown)
}
