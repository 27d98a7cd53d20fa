package driver

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// FenceHeader carries an order's fence, in decimal.
const FenceHeader = "Sluice-Fence"

// BackHeader is "true" on an order that puts a release back; others have none.
const BackHeader = "Sluice-Back"

// TargetHeader says whom a request is meant for, by its id, escaped as a part of a path is.
const TargetHeader = "Sluice-Target"

// HTTP are the settings of the driver that speaks a small contract to every target. docs/drivers.md
// spells it out:
//
//	GET url → 200 {"release": "2.4.0", "fence": 12, "alive": true, "detail": "", "id": "web-1", "unit": "edge"}
//	PUT url   {"release": "2.4.1"}   with Sluice-Fence: 13 and Sluice-Target: web-1
//	        → 200 or 204   it is in effect, or was already
//	          421          it is another target
//	          409          a newer fence has been here
//	          other 4xx    it will never be accepted
//	          else         may be tried again
type HTTP struct {
	// URL is a template over {{id}}, {{address}}, {{unit}} and {{label.NAME}}. Default
	// "http://{{address}}/sluice/v1/units/{{unit}}", with TLS https in place of http.
	URL string `yaml:"url,omitempty" json:"url,omitempty"`
	// Token is a reference, ${env:NAME} or file:/path, sent as a bearer token. It is resolved on
	// the worker.
	Token string `yaml:"token,omitempty" json:"token,omitempty"`
	// TLS is how both sides prove who they are.
	TLS *dial.TLS `yaml:"tls,omitempty" json:"tls,omitempty"`
	// Timeout bounds one request. Default 5s.
	Timeout spec.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Check checks the address, the token and the certificates.
func (x *HTTP) Check(s spec.Section) {
	s.URLTemplate("url", x.URL, spec.TokenBeside, tmpl.ID, tmpl.Address, tmpl.Unit, tmpl.Label)
	s.Token("token", x.Token)
	s.TLS(x.TLS)
	needsHTTPS(s, "url", x.URL)
	s.Positive("timeout", x.Timeout)
}

// needsHTTPS refuses an address beside which tls has no effect.
func needsHTTPS(s spec.Section, field, address string) {
	if s.Has("tls") && s.Has(field) && !s.IsBad(field) && strings.HasPrefix(address, "http://") {
		s.Bad(field, "begins with http://, where tls has no effect: expected https://")
	}
}

// schemeOf is that of a default address.
func schemeOf(t *dial.TLS) string {
	if t != nil {
		return "https"
	}
	return "http"
}

// SetDefaults asks a target at its own address.
func (x *HTTP) SetDefaults() {
	x.URL = cmp.Or(x.URL, schemeOf(x.TLS)+"://{{address}}/sluice/v1/units/{{unit}}")
	x.Timeout = cmp.Or(x.Timeout, spec.Duration(5*time.Second))
}

// AddressUses is the URL.
func (x *HTTP) AddressUses() []spec.AddressUse {
	return []spec.AddressUse{{Path: "url", Template: x.URL}}
}

// Place is the URL.
func (x *HTTP) Place() string { return x.URL }

// Driver asks targets by HTTP.
func (x *HTTP) Driver(via http.RoundTripper) Driver {
	return httpDriver{name: "http", settings: *x, via: via}
}

// httpDriver asks targets by HTTP.
type httpDriver struct {
	name     string // of the driver in a spec
	settings HTTP
	// via carries requests, one each: it follows no redirect, which would carry the token and the
	// order somewhere else.
	via http.RoundTripper
}

// Timeout bounds one request.
func (h httpDriver) Timeout() time.Duration { return h.settings.Timeout.Std() }

// Transport is what the http driver should send its requests through: one for the process, since
// drivers come and go with every activity, and the connections to thousands of targets are worth
// keeping in between.
func Transport(g dial.Guard) *dial.Pool {
	t := g.Transport()
	t.DisableCompression = true // answers are small, and cannot be bombs
	// A target's headers are small; the default limit is 1 MB.
	t.MaxResponseHeaderBytes = maxAnswer
	return dial.NewPool(t)
}

// Observe asks the target with GET.
func (h httpDriver) Observe(ctx context.Context, t fleet.Target, unit string) (State, error) {
	a, err := h.do(ctx, t, call{method: http.MethodGet, unit: unit})
	if err != nil {
		return State{}, err
	}
	if a.status != http.StatusOK {
		return State{}, a.failure("expected status 200")
	}
	s, who, err := parseState(a.body, a.token)
	if err != nil {
		return State{}, a.failure(err.Error())
	}
	if err := who.check(t, unit); err != nil {
		return State{}, fmt.Errorf("%s: %w", a.request.URL, err)
	}
	return s, nil
}

// Validate asks nobody: the contract has no way to. It refuses only what cannot be a release.
func (h httpDriver) Validate(_ context.Context, _ fleet.Target, o Order) error {
	return checkOrdered(o)
}

// later are the statuses from 400 to 499 that ask to try again.
var later = []int{http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests}

// Apply orders the release with PUT.
func (h httpDriver) Apply(ctx context.Context, t fleet.Target, o Order) error {
	if err := checkOrdered(o); err != nil {
		return err
	}
	a, err := h.do(ctx, t, call{method: http.MethodPut, unit: o.Unit, order: &o})
	if err != nil {
		return err
	}
	return a.done(t, o)
}

// done words what a target answers to an order; nil where it is in effect.
func (a answer) done(t fleet.Target, o Order) error {
	switch {
	case a.status == http.StatusOK, a.status == http.StatusNoContent:
		return nil
	case a.status == http.StatusMisdirectedRequest:
		return fmt.Errorf("%w: %w", ErrOther, a.failure("it is not "+t.ID))
	case a.status == http.StatusConflict:
		return fmt.Errorf("%w: %w", ErrFenced, a.failure(fmt.Sprintf("it has seen a fence newer than %d", o.Fence)))
	case a.status >= 300 && a.status < 400:
		return refused(a.failure("redirects are not followed, put the final address into the driver's url"))
	case a.status >= 400 && a.status < 500 && !slices.Contains(later, a.status):
		return refused(a.failure("expected status 200 or 204"))
	default:
		return a.failure("expected status 200 or 204")
	}
}
