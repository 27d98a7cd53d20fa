package driver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

const (
	// silentAfter is how old a report is that says nothing any more: agents send one each 20
	// seconds.
	silentAfter = time.Minute
	// reportWait is how long the relay keeps a question for a new report open.
	reportWait = 10 * time.Second
	// relayTimeout is how long the relay may take for an answer, beyond what it is asked to wait;
	// less where an order may.
	relayTimeout = 10 * time.Second
)

// checkVia checks what belongs to a relay.
func (x *Agent) checkVia(s spec.Section) {
	s.AtMostOne("url", "via")
	if !s.Given("via") {
		for field, text := range map[string]string{"key": x.Key, "cohort": x.Cohort} {
			if text != "" {
				s.Bad(field, "means something with via only, expected via, too")
			}
		}
		return
	}
	s.BaseURL("via", x.Via, "where the relay listens, such as https://relay:7312")
	if s.Needs("key") {
		s.Token("key", x.Key)
	}
	s.Template("cohort", x.Cohort, tmpl.Label)
}

// viaRelay is the driver that speaks to agents by way of a relay.
func (x *Agent) viaRelay(via http.RoundTripper) relayDriver {
	at := func(path string) httpDriver {
		return httpDriver{name: "agent", via: via, settings: HTTP{
			URL: strings.TrimSuffix(x.Via, "/") + path, Token: x.Token, TLS: x.TLS, Timeout: min(spec.Duration(relayTimeout), x.Timeout),
		}}
	}
	return relayDriver{settings: *x, orders: at(x.atRelay("orders")), reports: at(x.atRelay("reports")), bundles: at("/sluice/v1/bundles/")}
}

// atRelay is where a relay has a target's order or report.
func (x *Agent) atRelay(what string) string {
	return "/sluice/v1/" + what + "/{{unit}}/" + x.Cohort + "/{{id}}"
}

// relayDriver publishes an order for each target at a relay, from where its agent takes it, and
// reads there what came of it. A document is for one target, so that an order for one rewrites none
// of the others' and wakes none of the others. An order ends to be good when nobody waits for it
// any more.
type relayDriver struct {
	settings Agent
	// orders, reports and bundles ask the relay in the place of targets.
	orders, reports, bundles httpDriver
	content                  Content
}

// Carrying is the driver with content to bring.
func (r relayDriver) Carrying(c Content) Driver {
	r.content = c
	return r
}

// Timeout bounds one order.
func (r relayDriver) Timeout() time.Duration { return r.settings.Timeout.Std() }

// Prepares is true.
func (relayDriver) Prepares() bool { return true }

// CheckOrder refuses what is no bundle, and targets whose ids no relay takes.
func (r relayDriver) CheckOrder(t fleet.Target, o Order) error {
	if !order.IsID(t.ID) {
		return refused(fmt.Errorf("%q takes no orders from a relay: its id has other characters than letters, digits and . _ : @ -", t.ID))
	}
	return agentDriver{}.CheckOrder(t, o)
}

// Validate asks nobody.
func (r relayDriver) Validate(ctx context.Context, t fleet.Target, o Order) error {
	return r.orders.Validate(ctx, t, o)
}

// report is what an agent has said last.
type report struct {
	state  State
	answer order.Answer
	tag    string
	age    time.Duration
}

// Observe reads the target's newest report. One that is old is silence.
func (r relayDriver) Observe(ctx context.Context, t fleet.Target, unit string) (State, error) {
	got, err := r.reported(ctx, t, unit, "", 0)
	switch {
	case err != nil:
		return State{}, err
	case got == nil:
		return State{}, fmt.Errorf("%s has never reported to the relay for the unit %s", t.ID, unit)
	case got.age > silentAfter:
		return State{}, fmt.Errorf("%s has not reported to the relay for %s", t.ID, spec.Duration(got.age.Truncate(time.Second)))
	}
	return got.state, nil
}

// reported answers the newest report, as soon as it is another one than that with the tag; nil
// where there is none, or no other within the wait.
func (r relayDriver) reported(ctx context.Context, t fleet.Target, unit, have string, wait time.Duration) (*report, error) {
	a, err := r.reports.do(ctx, t, call{
		method: http.MethodGet, unit: unit, timeout: wait + r.reports.Timeout(),
		query: "have=" + have + "&wait=" + strconv.Itoa(int(wait.Seconds())),
	})
	switch {
	case err != nil:
		return nil, err
	case a.status == http.StatusNoContent:
		return nil, nil //nolint:nilnil // there is none
	case a.status != http.StatusOK:
		return nil, a.failure("expected status 200")
	}
	got := &report{tag: order.Tag(a.body)}
	var who self
	if got.state, who, err = parseState(a.body, a.token); err != nil {
		return nil, a.failure(err.Error())
	}
	if err := who.check(t, unit); err != nil {
		return nil, fmt.Errorf("%s: %w", a.request.URL, err)
	}
	seconds, err := strconv.Atoi(a.header.Get(order.AgeHeader))
	if err != nil {
		return nil, a.failure("the relay does not say how old it is")
	}
	got.age = time.Duration(seconds) * time.Second
	var more struct {
		Answer order.Answer `json:"answer"`
	}
	if err := json.Unmarshal(a.body, &more); err != nil {
		return nil, a.failure(err.Error())
	}
	got.answer = more.Answer
	return got, nil
}

// Prepare has the agent fetch, unpack and check the release beside the running one.
func (r relayDriver) Prepare(ctx context.Context, t fleet.Target, o Order) error {
	if err := r.CheckOrder(t, o); err != nil {
		return err
	}
	if o.Release == "" {
		return refused(errors.New("there is no release to prepare"))
	}
	err := r.stock(ctx, t, o)
	if err == nil {
		err = r.give(ctx, t, o, order.Prepare)
	}
	return ownTrouble(err)
}

// Apply has the agent switch to the release. The way back needs no bundle where the agent has it.
func (r relayDriver) Apply(ctx context.Context, t fleet.Target, o Order) error {
	if err := r.CheckOrder(t, o); err != nil {
		return err
	}
	return r.give(ctx, t, o, order.Apply)
}

// Settle tells the agent that the release is good.
func (r relayDriver) Settle(ctx context.Context, t fleet.Target, o Order) error {
	return r.give(ctx, t, o, order.Settle)
}

// give has an order carried out, after the bundle was brought where relay and agent lack it, and
// with its signatures where the agent asks for them.
func (r relayDriver) give(ctx context.Context, t fleet.Target, o Order, step order.Step) error {
	stocked, signed := false, [][]byte(nil)
	for {
		got, err := r.publish(ctx, t, o, step, signed)
		switch {
		case err != nil:
			return err
		case got.status == http.StatusPreconditionRequired && signed == nil:
			if signed, err = signaturesFor(ctx, r.content, o); err != nil {
				return err
			}
			signed = append([][]byte{}, signed...) // it is asked for once
		case got.status == http.StatusFailedDependency && !stocked:
			if err := r.stock(ctx, t, o); err != nil {
				return err
			}
			stocked = true
		case got.status == http.StatusFailedDependency:
			return got.failure("the relay has the bundle, and the agent lacks it still")
		default:
			return got.told(t, o)
		}
	}
}

// publish puts an order at the relay, and waits until the target's report answers it: with the
// status and the words that its agent would have answered itself.
func (r relayDriver) publish(ctx context.Context, t fleet.Target, o Order, step order.Step, signed [][]byte) (answer, error) {
	until := time.Now().Add(r.Timeout())
	document, err := r.sign(t, o, step, until, signed)
	if err != nil {
		return answer{}, err
	}
	got, err := r.orders.do(ctx, t, call{method: http.MethodPut, unit: o.Unit, body: bytes.NewReader(document), size: int64(len(document))})
	if err != nil || got.status != http.StatusNoContent {
		return got, err // a newer order is there: 409
	}
	have, last := "", fmt.Errorf("%s has not answered the order at the relay within %s, and it is good no more", t.ID, r.settings.Timeout)
	for {
		left := time.Until(until)
		if left <= 0 {
			return answer{}, last
		}
		news, err := r.reported(ctx, t, o.Unit, have, min(reportWait, left.Truncate(time.Second)))
		switch {
		case ctx.Err() != nil:
			return answer{}, context.Cause(ctx)
		case errors.Is(err, ErrOther):
			return answer{}, err
		case err != nil: // the relay may be back soon
			last = err
			if err := pause.For(ctx, time.Second); err != nil {
				return answer{}, err
			}
		case news == nil && left < time.Second: // a wait is in whole seconds
			if err := pause.For(ctx, left); err != nil {
				return answer{}, err
			}
		case news != nil && news.answer.Document == order.Tag(document):
			got.status, got.body = news.answer.Status, []byte(news.answer.Why)
			return got, nil
		case news != nil:
			have = news.tag
		}
	}
}

// sign makes the document of an order for one target.
func (r relayDriver) sign(t fleet.Target, o Order, step order.Step, until time.Time, signed [][]byte) ([]byte, error) {
	cohort, err := tmpl.Fill(r.settings.Cohort, tmpl.ForTarget(t.ID, t.Address, t.Labels))
	if err != nil {
		return nil, refused(fmt.Errorf("driver.agent.cohort: %w", err))
	}
	file, err := secret.Resolve(r.settings.Key)
	if err != nil {
		return nil, fmt.Errorf("driver.agent.key: %w", err)
	}
	by, err := signature.ParseSigner([]byte(file.Reveal()), "")
	if err != nil {
		return nil, fmt.Errorf("driver.agent.key: %w", err)
	}
	document, err := order.Document{
		Unit: o.Unit, Cohort: cohort, Selector: []string{t.ID},
		Step: step, Release: o.Release, Fence: o.Fence, Back: o.Back && step == order.Apply,
		Signatures: signed, NotAfter: until,
	}.Sign(by)
	if err != nil {
		return nil, refused(err)
	}
	return document, nil
}

// stocking is the bundles that are on their way to relays: many targets want the same one.
var stocking singleflight.Group

// stock brings the relay a bundle that it lacks. It goes on after its caller has left: others may
// wait for it, too.
func (r relayDriver) stock(ctx context.Context, t fleet.Target, o Order) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	result := stocking.DoChan(r.settings.Via+" "+o.Release, func() (any, error) {
		ctx := context.WithoutCancel(ctx)
		has, err := r.bundles.do(ctx, t, call{method: http.MethodHead, unit: o.Unit, below: o.Release})
		if err != nil || has.status == http.StatusNoContent {
			return nil, err
		}
		if has.status != http.StatusNotFound {
			return nil, has.failure("expected status 204 or 404")
		}
		return nil, carry(ctx, r.content, t, o, func(body io.Reader, size int64) (answer, error) {
			return r.bundles.do(ctx, t, call{method: http.MethodPut, unit: o.Unit, below: o.Release, timeout: uploadTimeout, body: body, size: size})
		})
	})
	var err error
	select {
	case <-ctx.Done():
		err = context.Cause(ctx)
	case done := <-result:
		err = done.Err
	}
	if err != nil {
		return fmt.Errorf("bring %s to the relay: %w", o.Release, err)
	}
	return nil
}
