package health

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Probing targets.
const (
	// probeAttempts is how often a target that is silent, or answers wrong, is asked in a look.
	probeAttempts = 2
	// maxProbed bounds what is read of an answer.
	maxProbed = 64 << 10
	// enoughFlaws ends a look's probing: they establish what there is to establish, and a fleet
	// that is down would take long to ask.
	enoughFlaws = 1000
)

// ProbeForm is a check that sends a request to every exposed target.
func ProbeForm() Form {
	return Form{Name: "probe", New: func() spec.FormSettings { return new(Probe) }, Open: openProbe, Slow: true}
}

// probeCheck asks the targets themselves.
type probeCheck struct {
	stageCheck
	probe  Probe
	client *dial.Client
}

// openProbe refuses a probe that some exposed target cannot be asked.
func openProbe(s *Stage, c spec.Check) (Check, error) {
	m := probeCheck{stageCheck: stageCheck{s, c}}
	if err := c.Form.Decode(&m.probe); err != nil {
		return nil, err
	}
	m.client = m.probe.access().Client(s.transport)
	for _, t := range s.binding.Exposed {
		if _, err := probed(m.probe, t); err != nil {
			return nil, fmt.Errorf("target %s: %w", t.ID, err)
		}
	}
	return m, nil
}

// probed is where a probe of a target goes.
func probed(p Probe, t fleet.Target) (string, error) {
	values := tmpl.ForTarget(t.ID, t.Address, t.Labels)
	if p.TCP == "" {
		where, _, err := tmpl.FillURL(p.HTTP, values)
		if err != nil {
			return "", fmt.Errorf("probe.http: %w", err)
		}
		return where, nil
	}
	where, err := tmpl.FillEscaped(p.TCP, values, func(name, value, before string) (string, error) {
		if name == tmpl.Address {
			value, _, _ = strings.Cut(value, "/") // an address may have a path
		}
		return tmpl.EscapeURL(name, value, before)
	})
	if err != nil {
		return "", fmt.Errorf("probe.tcp: %w", err)
	}
	if host, port, err := net.SplitHostPort(where); err != nil || host == "" || port == "" {
		return "", fmt.Errorf("probe.tcp: %q is not host:port", where)
	}
	return where, nil
}

// Judge asks targets, several at once.
func (m probeCheck) Judge(ctx context.Context, at Look) Judged {
	c := m.check
	wait := probeAttempts*m.probe.Timeout.Std() + 2*alivePause
	flaws, asked := failures(ctx, at.Ask, enoughFlaws+m.binding.Silent, wait, func(ctx context.Context, t fleet.Target) failure {
		return m.probeFailure(ctx, m.probe, t)
	})
	res := Result{Samples: float64(asked), Queries: []string{source.Cut(request(m.probe), maxQuery)}}
	if ctx.Err() != nil || asked == 0 {
		return res.without(source.NoData("", "nothing was asked"))
	}
	return judgeProbe(c, res, probing{
		flaws: flaws, asked: asked, of: len(m.binding.Exposed), silent: m.binding.Silent,
		streak: at.Streak, before: at.Before,
	})
}

func request(p Probe) string {
	if p.TCP != "" {
		return "connect to " + p.TCP
	}
	return cmp.Or(p.Method, ProbeGET) + " " + p.HTTP
}

// probing is what a look's probes have shown.
type probing struct {
	flaws     []failure
	asked, of int
	silent    int // how many may leave the question unanswered
	streak    int
	before    LookCount
}

// judgeProbe is the verdict on what targets answered. It is pure.
func judgeProbe(c spec.Check, res Result, p probing) Judged {
	who := fmt.Sprintf("%s exposed targets", humanize.Integer(float64(p.asked)))
	if p.asked < p.of {
		who = fmt.Sprintf("%s asked of %s exposed targets", humanize.Integer(float64(p.asked)), humanize.Integer(float64(p.of)))
	}
	if len(p.flaws) == 0 {
		if res.Sentence = "all " + who + " answer as they should"; who == "1 exposed targets" {
			res.Sentence = "the exposed target answers as it should"
		}
		return tolerate(c, res, false, 0)
	}
	var words []string
	wrong := 0
	for _, a := range p.flaws {
		words = append(words, source.Cut(a.id, 128)+" "+a.why)
		if !a.silent {
			wrong++
		}
	}
	slices.Sort(words)
	res.Sentence = fmt.Sprintf("%s of %s: %s", humanize.Integer(float64(len(p.flaws))), who, named(words))
	if own := ownOf(p.flaws, p.asked); wrong == 0 && own != "" {
		return unasked(res, own)
	}
	if wrong > 0 || len(p.flaws) > p.silent {
		if wrong == 0 {
			res.Unsure = words[0]
		}
		if p.streak < c.Tolerate && p.before.again(c.Tolerate+1) {
			p.streak = c.Tolerate
			res.Sentence += p.before.words()
		}
		out := tolerate(c, res, true, p.streak)
		if out.Verdict == Fail {
			out.Silent, _ = excusable(p.flaws, false)
		}
		return out
	}
	res.Sentence += fmt.Sprintf("; up to %d may be silent", p.silent)
	if len(p.flaws) == p.asked { // nothing is known of any
		res.Verdict = NoData
		return Judged{Result: res}
	}
	return tolerate(c, res, false, 0)
}

// probeFailure says how a target answers otherwise than it should; its why is empty if it does not.
// Silence is asked once more after a while, since one lost packet is none, and a wrong answer at
// once: a service that fails one request in a hundred serves its users.
func (m probeCheck) probeFailure(ctx context.Context, p Probe, t fleet.Target) failure {
	where, err := probed(p, t)
	if err != nil { // refused when the Evaluator was opened
		return failure{id: t.ID, why: source.Cut(err.Error(), 120)}
	}
	for n := 1; ; n++ {
		why, err := m.request(ctx, p, where)
		switch {
		case err == nil && why != "" && n < probeAttempts:
			continue
		case err == nil:
			return failure{id: t.ID, why: why}
		}
		if n >= probeAttempts || pause.For(ctx, alivePause) != nil {
			why := "does not answer (" + source.Cut(m.client.Redact(err.Error()), 120) + ")"
			return failure{id: t.ID, why: why, silent: true, whose: dial.Blame(err)}
		}
	}
}

// request asks a target once. It answers what is wrong with the answer; the error is that there is
// none.
func (m probeCheck) request(ctx context.Context, p Probe, where string) (wrong string, err error) {
	ctx, cancel := within(ctx, p.Timeout.Std())
	defer cancel()
	if p.TCP != "" {
		conn, err := m.dial(ctx, "tcp", where)
		if err != nil {
			return "", trouble(ctx, err)
		}
		return "", conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(p.Method, ProbeGET), where, nil)
	if err != nil {
		return "", promapi.Cause(err)
	}
	req.Header.Set("User-Agent", "sluice")
	req.Close = true // a connection of long ago says nothing of who may open one now
	res, err := m.client.Do(req)
	if err != nil {
		return "", trouble(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	switch code := res.StatusCode; {
	case p.Status != 0 && code != p.Status:
		return fmt.Sprintf("answered %d instead of %d", code, p.Status), nil
	case p.Status == 0 && code/100 == 3:
		return fmt.Sprintf("answered %d, and redirects are not followed", code), nil
	case p.Status == 0 && code/100 != 2:
		return fmt.Sprintf("answered %d", code), nil
	case p.Contains == "":
		return "", nil
	}
	return lacksText(ctx, res, p.Contains)
}

// lacksText says that an answer's body has not the text, which may be all of it that is read.
func lacksText(ctx context.Context, res *http.Response, text string) (string, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProbed))
	broke := ctx.Err() == nil && errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case bytes.Contains(body, []byte(text)):
		return "", nil
	case err != nil && !broke:
		return "", trouble(ctx, err)
	case broke:
		return fmt.Sprintf("answered %d, and its body broke off", res.StatusCode), nil
	case len(body) == maxProbed:
		return fmt.Sprintf("answered %d without %q in the first %d KiB", res.StatusCode, source.Cut(text, 40), maxProbed>>10), nil
	}
	return fmt.Sprintf("answered %d without %q", res.StatusCode, source.Cut(text, 40)), nil
}
