package health

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Limits on probes.
const (
	probeParallel = 100
	probeAttempts = 2
	maxProbe      = 64 << 10
)

// probe sends a request to every exposed target. An answer that is not as it should
// be is harm at once; silence, as with targets that are asked whether they are
// alive, when it lasts for three looks.
func (m *Meter) probe(ctx context.Context, c spec.Check, at moment) judged {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var ailing []ailment
	slots := make(chan struct{}, probeParallel)
	for _, t := range at.ask {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if a := m.probeOne(ctx, *c.Probe, t); a.why != "" {
				mu.Lock()
				defer mu.Unlock()
				ailing = append(ailing, a)
			}
		})
	}
	wg.Wait()
	res := Result{Check: c.Name, Samples: float64(len(at.ask))}
	switch {
	case ctx.Err() != nil || len(at.ask) == 0:
		return judged{Result: res.without(noData("", "nothing was asked"))}
	case len(ailing) > 0:
		return judgeAilments(res, ailing, aliveContext{asked: len(at.ask), streak: at.streak})
	}
	res.Verdict, res.Sentence = Pass, fmt.Sprintf("all %d exposed targets answer as they should", len(at.ask))
	if n := len(m.binding.Exposed); len(at.ask) < n {
		res.Sentence = fmt.Sprintf("all %d asked of %d exposed targets answer as they should", len(at.ask), n)
	}
	return judged{Result: res}
}

// probeOne says what is wrong with a target's answer; its why is empty if nothing
// is. Trouble on the way is tried once more.
func (m *Meter) probeOne(ctx context.Context, p spec.Probe, t fleet.Target) ailment {
	for n := 1; ; n++ {
		wrong, err := m.request(ctx, p, t)
		switch {
		case err == nil && wrong == "":
			return ailment{}
		case err == nil:
			return ailment{id: t.ID, why: cut(wrong, 160)}
		case n == probeAttempts || pause(ctx, alivePause) != nil:
			return ailment{id: t.ID, why: "does not answer (" + cut(promapi.Cause(err).Error(), 120) + ")", silent: true}
		}
	}
}

// request sends one probe. The word says what is wrong with an answer, the error
// why there was none.
func (m *Meter) request(ctx context.Context, p spec.Probe, t fleet.Target) (wrong string, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout.Std())
	defer cancel()
	values := tmpl.ForTarget(t.ID, t.Address, t.Labels)
	if p.TCP != "" {
		where, err := tmpl.Fill(p.TCP, values)
		if err != nil {
			return "cannot be asked: " + err.Error(), nil
		}
		conn, err := m.dial(ctx, "tcp", where)
		if err != nil {
			return "", err
		}
		return "", conn.Close()
	}
	where, err := tmpl.Fill(p.HTTP, values)
	if err != nil {
		return "cannot be asked: " + err.Error(), nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return "cannot be asked: " + promapi.Cause(err).Error(), nil
	}
	res, err := m.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProbe))
	if err != nil {
		return "", err
	}
	return answerOf(p, res.StatusCode, body), nil
}

// answerOf says what is wrong with an HTTP answer; empty if nothing is.
func answerOf(p spec.Probe, status int, body []byte) string {
	switch {
	case p.Status != 0 && status != p.Status:
		return fmt.Sprintf("answered %d, expected %d", status, p.Status)
	case p.Status == 0 && status/100 != 2:
		return fmt.Sprintf("answered %d %s", status, http.StatusText(status))
	case !bytes.Contains(body, []byte(p.Contains)):
		return fmt.Sprintf("answered without %q", cut(p.Contains, 60))
	}
	return ""
}
