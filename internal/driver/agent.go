package driver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Agent are the settings of the driver that speaks to a sluice-agent on every target: the contract
// of the http driver, and what bundles need beside it. docs/agent.md spells it out.
type Agent struct {
	// URL is where the agent listens, a template over {{id}}, {{address}} and {{label.NAME}}.
	// Default "http://{{address}}", with TLS https in place of http.
	URL string `yaml:"url,omitempty" json:"url,omitempty"`
	// Via is where a sluice-relay listens, from which agents take their orders in place of URL.
	Via string `yaml:"via,omitempty" json:"via,omitempty"`
	// Key is a reference to the private key that signs orders at the relay, as minisign -G -W makes
	// it. It is resolved on the worker.
	Key string `yaml:"key,omitempty" json:"key,omitempty"`
	// Cohort is the group of agents in which ids are unique at the relay, a template over
	// {{label.NAME}}. Default "default".
	Cohort string `yaml:"cohort,omitempty" json:"cohort,omitempty"`
	// Token is a reference, ${env:NAME} or file:/path, sent as a bearer token. It is resolved on
	// the worker.
	Token string `yaml:"token,omitempty" json:"token,omitempty"`
	// TLS is how the worker and the agent, or the relay, prove who they are.
	TLS *dial.TLS `yaml:"tls,omitempty" json:"tls,omitempty"`
	// Timeout bounds one request. An order is answered once the consumer has been checked, reloaded
	// and seen to run the release. Default 1m.
	Timeout spec.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

const (
	// agentUnits is where an agent has its units, and agentBundles where it takes bundles, seen
	// from one.
	agentUnits, agentBundles = "/sluice/v1/units/{{unit}}", "../../bundles/"
	// uploadTimeout bounds how long a bundle is on its way.
	uploadTimeout = 5 * time.Minute
	// maxWords bounds what a consumer says of a release, as an agent does.
	maxWords = 3 << 10
)

// errStore says that a worker cannot read a bundle that an agent lacks. It is neither the release's
// fault nor the target's.
var errStore = errors.New("the worker's store")

// Check checks the address, the token and the certificates.
func (x *Agent) Check(s spec.Section) {
	s.URLTemplate("url", x.URL, spec.TokenBeside, tmpl.ID, tmpl.Address, tmpl.Label)
	x.checkVia(s)
	s.Token("token", x.Token)
	s.TLS(x.TLS)
	needsHTTPS(s, "url", x.URL)
	needsHTTPS(s, "via", x.Via)
	s.Positive("timeout", x.Timeout)
	if strings.Contains(x.URL, "?") {
		s.Bad("url", "has a query (?), expected where the agent listens, such as http://{{address}}")
	}
}

// SetDefaults asks an agent at the target's own address.
func (x *Agent) SetDefaults() {
	if x.Via != "" {
		x.Cohort = cmp.Or(x.Cohort, order.DefaultCohort)
	} else {
		x.URL = cmp.Or(x.URL, schemeOf(x.TLS)+"://{{address}}")
	}
	x.Timeout = cmp.Or(x.Timeout, spec.Duration(time.Minute))
}

// AddressUses is the URL of a unit, unless nobody connects to targets.
func (x *Agent) AddressUses() []spec.AddressUse {
	if x.Via != "" {
		return nil
	}
	return []spec.AddressUse{{Path: "url", Template: x.Place()}}
}

// Place is the URL of a unit.
func (x *Agent) Place() string {
	if x.Via != "" {
		return strings.TrimSuffix(x.Via, "/") + x.atRelay("orders")
	}
	return strings.TrimSuffix(x.URL, "/") + agentUnits
}

// NeedsBundle says that an agent takes nothing else.
func (x *Agent) NeedsBundle() {}

// Driver asks agents by HTTP.
func (x *Agent) Driver(via http.RoundTripper) Driver {
	if x.Via != "" {
		return x.viaRelay(via)
	}
	settings := HTTP{URL: x.Place(), Token: x.Token, TLS: x.TLS, Timeout: x.Timeout}
	return agentDriver{httpDriver: httpDriver{name: "agent", settings: settings, via: via}}
}

// agentDriver asks agents by HTTP, and brings them the bundles that they lack.
type agentDriver struct {
	httpDriver
	content Content
}

// Carrying is the driver with content to bring.
func (a agentDriver) Carrying(c Content) Driver {
	a.content = c
	return a
}

// Prepares is true.
func (agentDriver) Prepares() bool { return true }

// CheckOrder refuses what is no bundle.
func (agentDriver) CheckOrder(_ fleet.Target, o Order) error {
	if o.Release != "" && !bundle.IsRelease(o.Release) {
		return refused(fmt.Errorf("an agent takes bundles only, and %q is not the name of one: "+
			"write bundle: FOLDER in place of release", o.Release))
	}
	return nil
}

// Prepare has the agent unpack and check the release beside the running one. A worker that cannot
// bring it is in trouble itself: nothing has begun that could not wait for it.
func (a agentDriver) Prepare(ctx context.Context, t fleet.Target, o Order) error {
	return ownTrouble(a.withContent(ctx, t, o, call{method: http.MethodPost, unit: o.Unit, below: "prepare", order: &o}))
}

// ownTrouble marks what a worker's store is to blame for.
func ownTrouble(err error) error {
	if errors.Is(err, errStore) {
		return workers{err}
	}
	return err
}

// workers is trouble of the worker's own.
type workers struct{ error }

// Is matches dial.ErrOwn.
func (workers) Is(target error) bool { return target == dial.ErrOwn }

func (w workers) Unwrap() error { return w.error }

// Apply has the agent switch to the release.
func (a agentDriver) Apply(ctx context.Context, t fleet.Target, o Order) error {
	return a.withContent(ctx, t, o, call{method: http.MethodPut, unit: o.Unit, order: &o})
}

// Settle tells the agent that the release is good.
func (a agentDriver) Settle(ctx context.Context, t fleet.Target, o Order) error {
	got, err := a.do(ctx, t, call{method: http.MethodPost, unit: o.Unit, below: "settle", order: &o})
	if err != nil {
		return err
	}
	return got.done(t, o)
}

// withContent gives an order, after the bundle where the agent lacks it.
func (a agentDriver) withContent(ctx context.Context, t fleet.Target, o Order, c call) error {
	if err := a.CheckOrder(t, o); err != nil {
		return err
	}
	got, err := a.do(ctx, t, c)
	if err != nil {
		return err
	}
	if got.status != http.StatusFailedDependency && got.status != http.StatusPreconditionRequired {
		return got.told(t, o)
	}
	var signed [][]byte
	if got.status == http.StatusPreconditionRequired {
		if signed, err = signaturesFor(ctx, a.content, o); err != nil {
			return err
		}
	}
	if err := a.bring(ctx, t, o, signed); err != nil {
		return fmt.Errorf("bring %s: %w", o.Release, err)
	}
	if got, err = a.do(ctx, t, c); err != nil {
		return err
	}
	if got.status == http.StatusFailedDependency {
		return got.failure("it was given the bundle, and lacks it still")
	}
	return got.told(t, o)
}

// told is done in the agent's own words where it refuses a release: they say what its consumer
// said, or which signature it asks for.
func (a answer) told(t fleet.Target, o Order) error {
	if a.status != http.StatusUnprocessableEntity && a.status != http.StatusPreconditionRequired {
		return a.done(t, o)
	}
	words := strings.TrimPrefix(terminal.OneLine(a.token.Redact(string(a.body)), maxWords), "refused: ")
	return refused(errors.New(cmp.Or(words, "it says no more")))
}

// signaturesFor are those in the worker's store that may be of an order's bundle, for its unit.
func signaturesFor(ctx context.Context, from Content, o Order) ([][]byte, error) {
	b, err := table(ctx, from, o)
	if err != nil {
		return nil, err
	}
	attached, err := from.Attached(ctx, b, signature.MediaType)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStore, err)
	}
	return signature.Candidates(o.Unit, attached), nil
}

// table answers that of an order's bundle.
func table(ctx context.Context, from Content, o Order) (bundle.Bundle, error) {
	if from == nil {
		return bundle.Bundle{}, fmt.Errorf("%w: this worker has none", errStore)
	}
	b, err := from.Get(ctx, o.Release)
	if err != nil {
		return b, fmt.Errorf("%w: %w", errStore, err)
	}
	return b, nil
}

// bring sends a bundle, with signatures.
func (a agentDriver) bring(ctx context.Context, t fleet.Target, o Order, signed [][]byte) error {
	return carry(ctx, a.content, t, o, func(body io.Reader, size int64) (answer, error) {
		return a.do(ctx, t, call{
			method: http.MethodPut, unit: o.Unit, below: agentBundles + o.Release,
			timeout: uploadTimeout, body: body, size: size, signatures: signed,
		})
	})
}

// carry sends a bundle: the length of its table in 8 bytes, big-endian, the table, the archive.
func carry(ctx context.Context, from Content, t fleet.Target, o Order, send func(body io.Reader, size int64) (answer, error)) error {
	b, err := table(ctx, from, o)
	if err != nil {
		return err
	}
	archive, err := from.Open(ctx, b)
	if err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	defer func() { _ = archive.Close() }() // nothing was written
	head := b.Head()
	got, err := send(io.MultiReader(bytes.NewReader(head), &exactly{archive, b.Archive.Size}), int64(len(head))+b.Archive.Size)
	switch {
	case err != nil:
		return err
	case got.status == http.StatusCreated:
		return nil
	case got.status == http.StatusUnprocessableEntity: // the table was the release's, and the archive is not the table's
		return fmt.Errorf("%w: its copy is damaged: %w", errStore, got.failure("expected status 200 or 201"))
	}
	return got.told(t, o)
}

// exactly reads as many bytes as a table says that its archive has.
type exactly struct {
	archive io.Reader
	left    int64
}

func (r *exactly) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.archive.Read(p[:min(int64(len(p)), r.left)])
	switch r.left -= int64(n); {
	case errors.Is(err, io.EOF) && r.left > 0:
		return n, fmt.Errorf("%w: its copy ends %d bytes early", errStore, r.left)
	case err != nil && !errors.Is(err, io.EOF):
		return n, fmt.Errorf("%w: %w", errStore, err)
	}
	return n, err
}
