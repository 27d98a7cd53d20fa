package health

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/spec"
)

// question is what a judge of the user's own is asked.
type question struct {
	Unit     string `json:"unit"`
	Release  string `json:"release"`
	Previous string `json:"previous"`
	Stage    string `json:"stage"`
	// Exposed is how many targets run the release; Targets names some of them.
	Exposed int      `json:"exposed"`
	Targets []string `json:"targets"`
	// Since is when the stage was applied, absent before the first; At is now.
	Since time.Time `json:"since,omitzero"`
	At    time.Time `json:"at"`
}

// webhook asks a judge of the user's own.
func (m *Meter) webhook(ctx context.Context, c spec.Check, at moment) judged {
	b := m.binding
	q := question{
		Unit: b.Unit, Release: b.Release, Previous: b.Previous, Stage: b.Stage, Exposed: len(b.Exposed),
		Targets: []string{}, Since: b.Since, At: at.at,
	}
	for _, t := range b.few(matcherSample) {
		q.Targets = append(q.Targets, t.ID)
	}
	body, err := json.Marshal(q)
	if err != nil {
		return judged{Result: Result{Check: c.Name}.without(noData("", "the question cannot be written: %s", err))}
	}
	token := secretless
	if c.Webhook.Token != "" {
		if token, err = secret.Resolve(c.Webhook.Token); err != nil {
			return judged{Result: Result{Check: c.Name}.without(noData("", "webhook.token: %s", err))}
		}
	}
	answer, r := m.fetchJSON(ctx, http.MethodPost, c.Webhook.URL, body, token, c.Webhook.Timeout.Std())
	return judgeAnswer(c, answer, r, token, at.streak)
}

// judgeAnswer is the verdict that a judge's answer gives. It is pure. Whatever is
// not exactly a verdict is none.
func judgeAnswer(c spec.Check, answer []byte, r reading, token secret.Secret, streak int) judged {
	res := Result{Check: c.Name}
	if r.verdict != "" {
		return judged{Result: res.without(r)}
	}
	var said struct {
		Verdict Verdict `json:"verdict"`
		Why     string  `json:"why"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return judged{Result: res.without(noData("", "it answered no verdict in JSON"))}
	}
	res.Sentence = cut(token.Redact(said.Why), 300)
	if strings.TrimSpace(res.Sentence) == "" {
		res.Sentence = "the judge gave no reason"
	}
	switch said.Verdict {
	case Pass, Fail:
		return tolerate(c, res, said.Verdict == Fail, streak)
	case NoData, Stale, Unexercised:
		res.Verdict = said.Verdict
		return judged{Result: res}
	}
	return judged{Result: res.without(noData("", "it answered the verdict %q, expected PASS, FAIL, NODATA, STALE or UNEXERCISED", cut(token.Redact(string(said.Verdict)), 40)))}
}

// secretless is sent no token.
var secretless secret.Secret

// fetchJSON asks once more after trouble on the way, and answers what came or why
// nothing usable did. Neither the URL nor the token is in the reason.
func (m *Meter) fetchJSON(ctx context.Context, method, where string, body []byte, token secret.Secret, timeout time.Duration) ([]byte, reading) {
	for n := 1; ; n++ {
		answer, err := m.askJSON(ctx, method, where, body, token, timeout)
		if err == nil {
			return answer, reading{}
		}
		if final(err) || n == queryAttempts || pause(ctx, queryPause) != nil {
			return nil, noData("", "no usable answer from %s: %s", hostOf(where), cut(token.Redact(promapi.Cause(err).Error()), 200))
		}
	}
}

func (m *Meter) askJSON(ctx context.Context, method, where string, body []byte, token secret.Secret, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it took longer than %s", timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, where, reader(body))
	if err != nil {
		return nil, promapi.Refusal("its URL cannot be asked")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "sluice")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if value := token.Reveal(); value != "" {
		if strings.ContainsAny(value, "\r\n\x00") {
			return nil, promapi.Refusal("the token is more than one line")
		}
		req.Header.Set("Authorization", "Bearer "+value)
	}
	res, err := m.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	return jsonOf(res)
}
