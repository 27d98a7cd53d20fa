package health

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// alertSkew is by how much an Alertmanager's clock may differ from ours where an
// older alert is ignored: one that began shortly before the stage still counts.
const alertSkew = time.Minute

// firing is one alert, as Alertmanager's API (v2) answers it.
type firing struct {
	Labels   map[string]string `json:"labels"`
	StartsAt *time.Time        `json:"startsAt"`
	Status   struct {
		State string `json:"state"`
	} `json:"status"`
}

// alerts asks whether alerts fire that match.
func (m *Meter) alerts(ctx context.Context, c spec.Check, at moment) judged {
	query := url.Values{"active": {"true"}, "silenced": {"false"}, "inhibited": {"false"}, "unprocessed": {"true"}, "filter": c.Alerts.Match}
	where := strings.TrimRight(c.Alerts.Alertmanager, "/") + "/api/v2/alerts?" + query.Encode()
	body, r := m.fetchJSON(ctx, http.MethodGet, where, nil, secretless, queryTimeout)
	r.query = "alerts " + strings.Join(c.Alerts.Match, ", ")
	var found []firing
	if r.verdict == "" && (json.Unmarshal(body, &found) != nil || found == nil) { // null is no list
		r.verdict, r.why = NoData, "it answered no list of alerts: is this the address of an Alertmanager?"
	}
	return judgeAlerts(c, found, r, m.binding.Since, at.streak)
}

// judgeAlerts is the verdict on the alerts that fire. It is pure. What began after
// the stage was applied is harm; what fired already is not, but nothing passes
// beside it unless the spec says so.
func judgeAlerts(c spec.Check, found []firing, r reading, since time.Time, streak int) judged {
	res := Result{Check: c.Name}
	res.evidence(r)
	if r.verdict != "" {
		return judged{Result: res.without(r)}
	}
	limit := since
	if c.Alerts.IgnoreOlder {
		limit = since.Add(-alertSkew)
	}
	var fresh, older []string
	for _, f := range found {
		switch {
		case len(f.Labels) == 0 || f.StartsAt == nil || f.Status.State == "":
			return judged{Result: res.without(noData("", "it answered an alert without labels, start or state"))}
		case f.Status.State == "suppressed":
		case !f.StartsAt.Before(limit):
			fresh = append(fresh, f.String())
		default:
			older = append(older, f.String())
		}
	}
	slices.Sort(fresh)
	slices.Sort(older)
	switch {
	case len(fresh) > 0:
		res.Sentence = fmt.Sprintf("%d alerts fire: %s", len(fresh), named(fresh))
		return tolerate(c, res, true, streak)
	case len(older) > 0 && !c.Alerts.IgnoreOlder:
		res.Verdict = Unexercised
		res.Sentence = fmt.Sprintf("%d alerts fired already before the stage, so nothing is shown by their firing: %s", len(older), named(older))
		return judged{Result: res}
	}
	res.Sentence = "no alert fires"
	if len(older) > 0 {
		res.Sentence = fmt.Sprintf("no alert has begun since the stage; %d fired before: %s", len(older), named(older))
	}
	return tolerate(c, res, false, streak)
}

// String is the alert's name with what tells it from others.
func (f firing) String() string {
	name := f.Labels["alertname"]
	for _, label := range []string{"instance", "service", "severity"} {
		if v := f.Labels[label]; v != "" {
			name += " " + label + "=" + v
		}
	}
	return cut(strings.TrimSpace(name), 100)
}
