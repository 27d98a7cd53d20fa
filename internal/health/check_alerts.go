package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/matchers"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/spec"
)

// Limits on what is asked of an Alertmanager.
const (
	alertsTimeout = 10 * time.Second
	// maxAlerts bounds an answer, in bytes.
	maxAlerts = 4 << 20
	// maxFiring bounds how many alerts a baseline keeps for a check, since it goes into the
	// rollout's history.
	maxFiring = 100
	// maxFingerprint is longer than any: they have 16 digits.
	maxFingerprint = 64
)

// Firing is what a check of alerts found firing before a stage.
type Firing struct {
	// Began is when each of them began, by its fingerprint.
	Began map[string]time.Time `json:"began,omitempty"`
	// Missing says why they are not known, or not all of them; empty when they are.
	Missing string `json:"missing,omitempty"`
}

// alert is one that fires.
type alert struct {
	fingerprint string
	labels      map[string]string
	began       time.Time
	ahead       time.Duration // how far the clock that began is of was ahead of the look's
}

// AlertsForm is a check that no alert fires.
func AlertsForm() Form {
	return Form{Name: "alerts", New: func() spec.FormSettings { return new(Alerts) }, Open: openAlerts}
}

// alertsCheck asks an Alertmanager.
type alertsCheck struct {
	stageCheck
	alerts          Alerts
	client          *dial.Client
	match, watchdog []matchers.Matcher
}

// openAlerts refuses what cannot be asked.
func openAlerts(s *Stage, c spec.Check) (Check, error) {
	m := alertsCheck{stageCheck: stageCheck{s, c}}
	err := c.Form.Decode(&m.alerts)
	if err != nil {
		return nil, err
	}
	m.client = m.alerts.Client(s.transport)
	if m.match, err = m.matchers(m.alerts.Match); err != nil {
		return nil, err
	}
	if m.watchdog, err = m.matchers(m.alerts.Watchdog); err != nil {
		return nil, err
	}
	if len(m.match) == 0 {
		return nil, errors.New("alerts.match: is empty")
	}
	return m, nil
}

// matchers are filled for the stage.
func (m alertsCheck) matchers(texts []string) ([]matchers.Matcher, error) {
	out := make([]matchers.Matcher, 0, len(texts))
	b := m.binding
	for _, text := range texts {
		match, err := matchers.Parse(text)
		if err == nil {
			match, err = match.Fill(matchers.Values{Unit: b.Unit, Release: b.Release, Previous: b.Previous, Stage: b.Stage})
		}
		if err != nil {
			return nil, fmt.Errorf("matcher %q: %w", text, err)
		}
		out = append(out, match)
	}
	return out, nil
}

// Judge asks what fires.
func (m alertsCheck) Judge(ctx context.Context, at Look) Judged {
	c := m.check
	res := Result{Queries: []string{source.Cut("alerts "+filter(m.match), maxQuery)}}
	if bad := m.watched(ctx); bad.Verdict != "" {
		return res.without(bad)
	}
	firing, bad := m.firing(ctx, m.match, false)
	if bad.Verdict != "" {
		return res.without(bad)
	}
	b := m.binding
	before, measured := b.Before.Alerts[c.Name]
	if !measured {
		before.Missing = "it was not measured"
	}
	return judgeAlerts(c, res, firing, alertBaseline{
		ignoreOlder: m.alerts.IgnoreOlder,
		since:       b.Since, baseline: b.Before.At, before: before,
		doubt: source.Ahead(m.spec, 0), streak: at.Streak,
	})
}

// watched refuses what an Alertmanager says while an alert that always fires does not: then nobody
// evaluates alerts, or nobody hands them on.
func (m alertsCheck) watched(ctx context.Context) source.Reading {
	if len(m.watchdog) == 0 {
		return source.Reading{}
	}
	firing, bad := m.firing(ctx, m.watchdog, true)
	if bad.Verdict == "" && len(firing) == 0 {
		return source.NoData(
			"", "the watchdog %s does not fire, so nothing tells whether alerts are evaluated at all", source.Cut(filter(m.watchdog), 200),
		)
	}
	return bad
}

func filter(match []matchers.Matcher) string {
	words := make([]string, len(match))
	for i, m := range match {
		words[i] = m.String()
	}
	return "{" + strings.Join(words, ",") + "}"
}

// firing asks for the alerts that fire and match; muted ones only if they are asked for, too.
func (m alertsCheck) firing(ctx context.Context, match []matchers.Matcher, muted bool) ([]alert, source.Reading) {
	u, err := url.Parse(strings.TrimRight(m.alerts.Alertmanager, "/") + "/api/v2/alerts")
	if err != nil || u.Host == "" {
		return nil, source.NoData("", "expected the base URL of an Alertmanager")
	}
	q := url.Values{"active": {"true"}, "silenced": {fmt.Sprint(muted)}, "inhibited": {fmt.Sprint(muted)}}
	for _, one := range match {
		q.Add("filter", one.String())
	}
	u.RawQuery = q.Encode()
	var written time.Time
	data, err := ask(ctx, jsonRequest{
		client: m.client, method: http.MethodGet, url: u.String(), limit: alertsTimeout, most: maxAlerts, written: &written,
	})
	var all []alert
	if err == nil {
		all, err = parseAlerts(data, match, muted)
	}
	for i, by := 0, m.ahead(written); i < len(all); i++ {
		all[i].ahead = by
	}
	if err != nil {
		return nil, source.NoAnswer("", u.Host, err, m.client.Redact)
	}
	return all, source.Reading{}
}

// ahead is how far the clock of who has just answered is ahead of the look's, where that is more
// than a Date can tell.
func (m *Stage) ahead(written time.Time) time.Duration {
	if m.now == nil || written.IsZero() {
		return 0
	}
	by := written.Sub(m.now())
	if by.Abs() <= 2*promapi.Second {
		return 0
	}
	return by
}

// parseAlerts reads an Alertmanager's answer strictly: what is missing from one alert is not known
// of any.
func parseAlerts(data []byte, match []matchers.Matcher, muted bool) ([]alert, error) {
	var wire []struct {
		Labels      map[string]string `json:"labels"`
		Fingerprint string            `json:"fingerprint"`
		StartsAt    time.Time         `json:"startsAt"`
		Status      struct {
			State string `json:"state"`
		} `json:"status"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return nil, fmt.Errorf("not a list of alerts (%w)", err)
	}
	if wire == nil {
		return nil, errors.New("null instead of a list of alerts")
	}
	var out []alert
	for i, w := range wire {
		switch known := slices.Contains([]string{"active", "unprocessed", "suppressed"}, w.Status.State); {
		case w.Labels == nil:
			return nil, fmt.Errorf("alert %d has no labels", i)
		case w.StartsAt.IsZero():
			return nil, fmt.Errorf("alert %d has no startsAt", i)
		case w.Fingerprint == "" || len(w.Fingerprint) > maxFingerprint:
			return nil, fmt.Errorf("alert %d has no usable fingerprint", i)
		case !known:
			return nil, fmt.Errorf("alert %d has the state %q, which is not known", i, source.Cut(w.Status.State, 40))
		case slices.ContainsFunc(match, func(m matchers.Matcher) bool { return !m.Matches(w.Labels) }):
			return nil, fmt.Errorf("it answers alerts that were not asked for (%s): is its filter ignored?", alertName(w.Labels))
		case w.Status.State == "suppressed" && !muted:
			return nil, errors.New("it answers silenced or inhibited alerts, which were not asked for")
		}
		out = append(out, alert{fingerprint: w.Fingerprint, labels: w.Labels, began: w.StartsAt})
	}
	return out, nil
}

// measure keeps what fires before a stage.
func (m alertsCheck) measure(ctx context.Context, _ source.Window, b *Baseline) {
	keep(&b.Alerts, m.check.Name, m.firingOf(ctx))
}

func (m alertsCheck) firingOf(ctx context.Context) Firing {
	all, bad := m.firing(ctx, m.match, false)
	if bad.Verdict != "" {
		return Firing{Missing: bad.Why}
	}
	f := Firing{}
	if len(all) > maxFiring {
		f.Missing = fmt.Sprintf("%d alerts fired, more than are kept", len(all))
		all = all[:maxFiring]
	}
	for _, one := range all {
		keep(&f.Began, one.fingerprint, one.began)
	}
	return f
}
