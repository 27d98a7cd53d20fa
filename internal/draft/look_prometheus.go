package draft

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// LookAtPrometheus asks a Prometheus what it knows of one target of a fleet, how often it reads it,
// and by which label it knows it.
func (l Looker) LookAtPrometheus(ctx context.Context, base string, targets []fleet.Target) (Seen, error) {
	s := Seen{Looked: true, source: base}
	if u, err := url.Parse(base); err == nil && u.User != nil {
		return s, errors.New("the URL has a user or a password, which a spec does not hold: see docs/spec.md, Access")
	}
	c, err := promapi.New(base, l.Via, maxBytes)
	if err != nil {
		return s, fmt.Errorf("%s: %w", base, err)
	}
	s.From = "Prometheus at " + c.Host
	ctx, cancel := context.WithTimeout(ctx, 3*lookLimit)
	defer cancel()
	up, err := vector(ctx, c, "up")
	if err == nil && len(up) == 0 {
		err = errors.New("it has no series up, by which targets are told apart")
	}
	if err == nil {
		s.who, err = identify(up, targets)
	}
	if errors.Is(err, errNoTarget) {
		s.who, err = identifyElsewhere(ctx, c, targets, err)
	}
	if err != nil {
		return s, fmt.Errorf("ask %s: %w", s.From, err)
	}
	if err := s.ask(ctx, c); err != nil {
		return s, fmt.Errorf("ask %s about %s=%q: %w", s.From, s.who.label, s.who.value, err)
	}
	for _, t := range targets {
		if s.Probe == "" && s.is(t) {
			s.Probe = l.probe(ctx, t, "/metrics")
		}
	}
	return s, nil
}

// identifyElsewhere looks for the label that names targets beyond up: one exporter may show many.
// Where there is none the error stays what it was, and says which labels there are.
func identifyElsewhere(ctx context.Context, c promapi.Client, targets []fleet.Target, was error) (identity, error) {
	const most = 100
	now := time.Now()
	known, _, _, err := c.LabelNames(ctx, nil, now.Add(-pastRead), now)
	if err != nil {
		return identity{}, was
	}
	var names []string
	for _, n := range known {
		if !strings.HasPrefix(string(n), "__") && n != model.BucketLabel && n != model.QuantileLabel && len(names) < most {
			names = append(names, string(n))
		}
	}
	var all []series
	for _, name := range names {
		values, _, _, err := c.LabelValues(ctx, name, nil, now.Add(-pastRead), now)
		if err != nil {
			continue // there are others
		}
		for _, v := range values {
			all = append(all, series{labels: map[string]string{name: string(v)}, value: 1})
		}
	}
	who, err := identify(all, targets)
	if err != nil {
		return who, fmt.Errorf("%w; nor has any other label: %s", was, strings.Join(names, ", "))
	}
	return who, nil
}

// is says whether a target is the one that was looked at.
func (s Seen) is(t fleet.Target) bool {
	v, err := tmpl.Fill(s.who.template, tmpl.ForTarget(t.ID, t.Address, t.Labels))
	return err == nil && v == s.who.value
}

// ask reads what Prometheus knows of the target as if it were its page.
func (s *Seen) ask(ctx context.Context, c promapi.Client) error {
	selector := "{" + matching(s.who.label, labels.MatchEqual, s.who.value).String() + "}"
	now, err := vector(ctx, c, selector)
	if err != nil {
		return err
	}
	// Without a declaration names tell: not every server keeps any.
	kinds, _ := promapi.Retry(ctx, func() (map[string][]promv1.Metadata, error) { return c.Metadata(ctx, "", "") })
	constant := []string{s.who.label, "instance", "job"}
	s.Page = pageFrom(now, kinds).without(constant...)
	s.Interval = interval(ctx, c, "up"+selector)
	if names := s.Page.names(); s.Interval == 0 && len(names) > 0 { // up does not tell targets apart
		s.Interval = interval(ctx, c, names[0]+selector)
	}
	if then, err := vector(ctx, c, selector+" offset "+strconv.Itoa(int(rated.Minutes()))+"m"); err == nil && len(then) > 0 {
		s.Earlier, s.Between = pageFrom(then, kinds).without(constant...), rated
	}
	return nil
}

func pageFrom(all []series, kinds map[string][]promv1.Metadata) Page {
	var p Page
	for name, about := range kinds {
		if len(about) > 0 {
			p.declare(name, model.MetricType(about[0].Type))
		}
	}
	for _, s := range all {
		if s.native {
			p.native = append(p.native, s.labels[model.MetricNameLabel])
			continue
		}
		p.add(s.labels, s.value)
	}
	return p
}

func vector(ctx context.Context, c promapi.Client, query string) ([]series, error) {
	v, err := promapi.Retry(ctx, func() (model.Value, error) {
		v, _, _, err := c.Query(ctx, query, time.Time{})
		return v, err
	})
	if err != nil {
		return nil, promapi.Cause(err)
	}
	all, ok := v.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("%s answers %T, expected a vector", query, v)
	}
	var out []series
	for _, s := range all {
		one := series{labels: map[string]string{}, value: float64(s.Value), native: s.Histogram != nil}
		for name, value := range s.Metric {
			one.labels[string(name)] = string(value)
		}
		out = append(out, one)
	}
	return out, nil
}

// interval is how often a series gets a sample; 0 where that is not known.
func interval(ctx context.Context, c promapi.Client, selector string) time.Duration {
	v, _, _, err := c.Query(ctx, selector+"["+strconv.Itoa(int(pastRead.Minutes()))+"m]", time.Time{})
	m, ok := v.(model.Matrix)
	if err != nil || !ok || len(m) == 0 || len(m[0].Values) < 3 {
		return 0
	}
	of := m[0].Values
	return of[len(of)-1].Timestamp.Sub(of[0].Timestamp) / time.Duration(len(of)-1)
}
