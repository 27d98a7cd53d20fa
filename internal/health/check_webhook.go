package health

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// WebhookJudge asks a judge of the user's own for a verdict.
type WebhookJudge struct {
	// URL is asked with POST, by the contract of docs/health.md. Redirects are not followed.
	URL string `yaml:"url" json:"url"`
	// Access is what the judge wants of who asks it.
	dial.Access `yaml:",inline"`
	// Timeout bounds one attempt. Default 5s.
	Timeout spec.Duration `yaml:"timeout,omitempty" json:"timeout"`
}

// Check checks whom to ask.
func (w *WebhookJudge) Check(s spec.Section) {
	if s.Needs("url") && !s.IsBad("url") {
		s.URL("url", w.URL, spec.TokenBeside)
	}
	s.Access(w.Access)
	s.AtMost("timeout", w.Timeout, spec.MaxAsk)
}

// SetDefaults bounds an attempt.
func (w *WebhookJudge) SetDefaults() { w.Timeout = cmp.Or(w.Timeout, spec.Duration(5*time.Second)) }

// Traits of the form.
func (w *WebhookJudge) Traits() spec.FormTraits {
	return spec.FormTraits{Shared: []string{"tolerate"}, Opaque: true}
}

const (
	// webhookTargets is how many exposed targets a judge is told by name.
	webhookTargets = 200
	// maxRuling bounds a judge's answer, and maxReason what of its reason is kept.
	maxRuling = 64 << 10
	maxReason = 500
)

// question is what a judge of the user's own is asked: the body that docs/health.md documents.
type question struct {
	Check string `json:"check"`
	Unit  string `json:"unit"`
	// Release is the one that is rolled out; empty before anything is changed.
	Release  string `json:"release"`
	Previous string `json:"previous"`
	Stage    string `json:"stage"`
	// Exposed is how many targets were changed so far, and Targets are ids of some of them, those
	// of the newest stage first.
	Exposed int      `json:"exposed"`
	Targets []string `json:"targets"`
	// Since is when the stage was applied; left out before anything is changed.
	Since time.Time `json:"since,omitzero"`
	At    time.Time `json:"at"`
}

// WebhookForm is a judge of the user's own.
func WebhookForm() Form {
	return Form{
		Name: "webhook", New: func() spec.FormSettings { return new(WebhookJudge) },
		Open: func(s *Stage, c spec.Check) (Check, error) {
			m := webhookCheck{stageCheck: stageCheck{s, c}}
			err := c.Form.Decode(&m.judge)
			m.client = m.judge.Client(s.transport)
			return m, err
		},
	}
}

// webhookCheck asks it.
type webhookCheck struct {
	stageCheck
	judge  WebhookJudge
	client *dial.Client
}

// Judge asks a judge of the user's own. Whatever is not an answer by the contract is NODATA.
func (m webhookCheck) Judge(ctx context.Context, at Look) Judged {
	c := m.check
	var res Result
	u, err := url.Parse(m.judge.URL)
	if err != nil || u.Host == "" {
		return res.without(source.NoData("", "webhook.url: is not a URL"))
	}
	res.Queries = []string{source.Cut("POST to "+u.Host, maxQuery)} // its path may hold what nobody should read
	res.Verdict, res.Sentence, err = m.rule(ctx, at.At)
	if err != nil {
		return res.without(source.NoAnswer("", u.Host, err, m.client.Redact))
	}
	if res.Sentence = said(res.Sentence, maxReason, m.client); strings.TrimSpace(res.Sentence) == "" {
		res.Sentence = "the judge gave no reason"
	}
	if res.Verdict == Pass || res.Verdict == Fail {
		return tolerate(c, res, res.Verdict == Fail, at.Streak)
	}
	return Judged{Result: res}
}

// said is what the other side says, cut to n bytes: secrets are taken out first, or a part of it
// could be left at the end.
func said(text string, n int, client *dial.Client) string { return source.Cut(client.Redact(text), n) }

// rule sends the question and reads the answer.
func (m webhookCheck) rule(ctx context.Context, at time.Time) (Verdict, string, error) {
	b := m.binding
	q := question{
		Check: m.check.Name, Unit: b.Unit, Release: b.Release, Previous: b.Previous, Stage: b.Stage,
		Exposed: len(b.Exposed), Targets: []string{}, Since: b.Since.UTC(), At: at.UTC(),
	}
	for _, t := range b.few(webhookTargets) {
		q.Targets = append(q.Targets, t.ID)
	}
	body, err := json.Marshal(q)
	if err != nil {
		return "", "", err
	}
	data, err := ask(ctx, jsonRequest{
		method: http.MethodPost, url: m.judge.URL, body: body, client: m.client, limit: m.judge.Timeout.Std(), most: maxRuling,
	})
	if err != nil {
		return "", "", err
	}
	return parseRuling(data, m.client)
}

// parseRuling reads a judge's answer strictly: a verdict that is known, once, and maybe why. Other
// fields are left alone.
func parseRuling(data []byte, client *dial.Client) (Verdict, string, error) {
	fields, err := object(data, client)
	if err != nil {
		return "", "", err
	}
	var verdict Verdict
	var why string
	if raw, ok := fields["verdict"]; !ok {
		return "", "", errors.New(`it has no "verdict"`)
	} else if err := json.Unmarshal(raw, &verdict); err != nil {
		return "", "", errors.New(`its "verdict" is not text`)
	}
	if raw, ok := fields["why"]; ok && json.Unmarshal(raw, &why) != nil {
		return "", "", errors.New(`its "why" is not text`)
	}
	switch verdict {
	case Pass, Fail, NoData, Stale, Unexercised:
		return verdict, why, nil
	}
	return "", "", fmt.Errorf("its verdict is %q, expected one of PASS, FAIL, NODATA, STALE and UNEXERCISED",
		said(string(verdict), 40, client))
}

// object reads one JSON object, with every field once, and nothing after it.
func object(data []byte, client *dial.Client) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("it is not a JSON object")
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errors.New("it is not a JSON object")
		}
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("it has %q twice", said(name, 40, client))
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, errors.New("it is not a JSON object")
		}
		fields[name] = raw
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("it is cut off")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return fields, nil
}
