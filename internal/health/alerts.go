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

	"github.com/sluicehq/sluice/internal/matchers"
	"github.com/sluicehq/sluice/internal/spec"
)

// Limits on what is asked of an Alertmanager.
const (
	alertsTimeout = 10 * time.Second
	// maxFiring bounds how many alerts a baseline keeps for a check, since it goes
	// into the rollout's history.
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
}

// readyAlerts refuses what cannot be asked.
func (m *Meter) readyAlerts(c spec.Check) error {
	for _, texts := range [][]string{c.Alerts.Match, c.Alerts.Watchdog} {
		if _, err := m.matchers(texts); err != nil {
			return err
		}
	}
	if len(c.Alerts.Match) == 0 {
		return errors.New("alerts.match: is empty")
	}
	return nil
}

// matchers are filled for the stage.
func (m *Meter) matchers(texts []string) ([]matchers.Matcher, error) {
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

// alerts asks what fires.
func (m *Meter) alerts(ctx context.Context, c spec.Check, at moment) judged {
	res := Result{Check: c.Name}
	match, err := m.matchers(c.Alerts.Match)
	if err != nil { // refused when the Meter was opened
		return judged{Result: res.without(noData("", "%s", cut(err.Error(), 200)))}
	}
	res.Queries = []string{cut("alerts "+filter(match), maxQuery)}
	if bad := m.watched(ctx, *c.Alerts); bad.verdict != "" {
		return judged{Result: res.without(bad)}
	}
	firing, bad := m.firing(ctx, *c.Alerts, match, false)
	if bad.verdict != "" {
		return judged{Result: res.without(bad)}
	}
	b := m.binding
	before, measured := b.Before.Alerts[c.Name]
	if !measured {
		before.Missing = "it was not measured"
	}
	return judgeAlerts(c, res, firing, stage{
		since: b.Since, baseline: b.Before.At, before: before,
		doubt: ahead(m.spec, 0), streak: at.streak,
	})
}

// watched refuses what an Alertmanager says while an alert that always fires does
// not: then nobody evaluates alerts, or nobody hands them on.
func (m *Meter) watched(ctx context.Context, a spec.Alerts) reading {
	if len(a.Watchdog) == 0 {
		return reading{}
	}
	match, err := m.matchers(a.Watchdog)
	if err != nil {
		return noData("", "%s", cut(err.Error(), 200))
	}
	firing, bad := m.firing(ctx, a, match, true)
	if bad.verdict == "" && len(firing) == 0 {
		return noData("", "the watchdog %s does not fire, so nothing tells whether alerts are evaluated at all", cut(filter(match), 200))
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

// firing asks for the alerts that fire and match; muted ones only if they are asked
// for, too.
func (m *Meter) firing(ctx context.Context, a spec.Alerts, match []matchers.Matcher, muted bool) ([]alert, reading) {
	u, err := url.Parse(strings.TrimRight(a.Alertmanager, "/") + "/api/v2/alerts")
	if err != nil || u.Host == "" {
		return nil, noData("", "expected the base URL of an Alertmanager")
	}
	q := url.Values{"active": {"true"}, "silenced": {fmt.Sprint(muted)}, "inhibited": {fmt.Sprint(muted)}}
	for _, one := range match {
		q.Add("filter", one.String())
	}
	u.RawQuery = q.Encode()
	data, err := m.ask(ctx, asking{method: http.MethodGet, url: u.String(), limit: alertsTimeout, most: maxAnswer})
	var all []alert
	if err == nil {
		all, err = parseAlerts(data, match, muted)
	}
	if err != nil {
		return nil, noData("", "no usable answer from %s: %s", u.Host, cut(err.Error(), 200))
	}
	return all, reading{}
}

// parseAlerts reads an Alertmanager's answer strictly: what is missing from one
// alert is not known of any.
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
			return nil, fmt.Errorf("alert %d has the state %q, which is not known", i, cut(w.Status.State, 40))
		case slices.ContainsFunc(match, func(m matchers.Matcher) bool { return !m.Matches(w.Labels) }):
			return nil, fmt.Errorf("it answers alerts that were not asked for (%s): is its filter ignored?", alertName(w.Labels))
		case w.Status.State == "suppressed" && !muted:
			return nil, errors.New("it answers silenced or inhibited alerts, which were not asked for")
		}
		out = append(out, alert{fingerprint: w.Fingerprint, labels: w.Labels, began: w.StartsAt})
	}
	return out, nil
}

// stage is what alerts are judged by.
type stage struct {
	// since is when the stage was applied, zero when nothing has been; baseline is
	// when before was measured, zero when it was not.
	since, baseline time.Time
	before          Firing
	// doubt is how far clocks may disagree.
	doubt  time.Duration
	streak int
}

// age tells whose an alert is.
type age int

const (
	fresh  age = iota // it began with the stage
	older             // it fired before already, and has not ended since
	unsure            // it says that it began before, but was not seen then
)

// age decides by what fired before the stage, which no clock can get wrong. Only
// where that is not known do the clocks of two machines decide.
func (s stage) age(a alert) age {
	if s.since.IsZero() {
		return older
	}
	if began, ok := s.before.Began[a.fingerprint]; ok && !a.began.After(began) {
		return older
	}
	first := s.since
	if !s.baseline.IsZero() && s.before.Missing == "" {
		first = s.baseline.Add(-s.doubt)
	}
	if a.began.Before(first) {
		return unsure
	}
	return fresh
}

// judgeAlerts is the verdict on alerts that fire. It is pure.
func judgeAlerts(c spec.Check, res Result, firing []alert, s stage) judged {
	var of [3][]string
	for _, a := range firing {
		is := s.age(a)
		of[is] = append(of[is], fmt.Sprintf("%s since %s", alertName(a.labels), a.began.UTC().Format("15:04:05 MST")))
	}
	for _, words := range of {
		slices.Sort(words)
	}
	res.Samples = float64(len(firing))
	list := func(words []string) string { return cut(named(words), 1000) }
	harm := ""
	switch {
	case len(of[fresh]) > 0:
		harm = fmt.Sprintf("%s began with the stage: %s", alertsOf(len(of[fresh])), list(of[fresh]))
	case len(of[unsure]) > 0:
		res.Sentence = fmt.Sprintf("%s firing since before the stage by its own clock, but not seen then: %s", alertsOf(len(of[unsure])), list(of[unsure]))
		if why := s.before.Missing; why != "" {
			res.Sentence += "; what fired before is not known: " + cut(why, 200)
		}
	case len(of[older]) == 0:
		res.Sentence = "no alert fires"
		return tolerate(c, res, false, 0)
	case c.Alerts.IgnoreOlder:
		res.Sentence = fmt.Sprintf("no alert began with the stage; %s firing since before (ignoreOlder): %s", alertsOf(len(of[older])), list(of[older]))
		return tolerate(c, res, false, 0)
	case s.since.IsZero():
		harm = fmt.Sprintf("%s firing before the change: %s", alertsOf(len(of[older])), list(of[older]))
	default:
		res.Sentence = fmt.Sprintf("%s firing since before the stage: no harm of the change, and no health either while it lasts: %s", alertsOf(len(of[older])), list(of[older]))
	}
	if res.Verdict = Unexercised; harm != "" {
		res.Sentence = harm
		return tolerate(c, res, true, s.streak)
	}
	return judged{Result: res}
}

// alertsOf counts them.
func alertsOf(n int) string {
	if n == 1 {
		return "1 alert"
	}
	return integer(float64(n)) + " alerts"
}

// alertName names an alert by its labels, its name first.
func alertName(labels map[string]string) string {
	const few = 6
	var words []string
	for name, value := range labels {
		if name != "alertname" {
			words = append(words, fmt.Sprintf("%s=%s", name, cut(value, 60)))
		}
	}
	slices.Sort(words)
	if len(words) > few {
		words = append(words[:few], "…")
	}
	return cut(labels["alertname"], 100) + "{" + cut(strings.Join(words, ","), 200) + "}"
}

// firingBefore measures what fires before a stage.
func (m *Meter) firingBefore(ctx context.Context) map[string]Firing {
	var out map[string]Firing
	for _, c := range m.spec.Checks {
		if c.Alerts == nil {
			continue
		}
		if out == nil {
			out = map[string]Firing{}
		}
		out[c.Name] = m.firingOf(ctx, *c.Alerts)
	}
	return out
}

func (m *Meter) firingOf(ctx context.Context, a spec.Alerts) Firing {
	match, err := m.matchers(a.Match)
	if err != nil {
		return Firing{Missing: cut(err.Error(), 200)}
	}
	all, bad := m.firing(ctx, a, match, false)
	if bad.verdict != "" {
		return Firing{Missing: bad.why}
	}
	f := Firing{}
	if len(all) > maxFiring {
		f.Missing = fmt.Sprintf("%d alerts fired, more than are kept", len(all))
		all = all[:maxFiring]
	}
	for _, one := range all {
		if f.Began == nil {
			f.Began = map[string]time.Time{}
		}
		f.Began[one.fingerprint] = one.began
	}
	return f
}
