// Package driver holds the drivers: how a release gets onto a target.
package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// Settings are what a spec says of a driver. A new driver is a type of settings and its Driver, and
// a line in package catalog.
type Settings interface {
	spec.Settings
	// Driver makes the driver of complete settings, which sends HTTP requests through via. It looks
	// up nothing and touches nothing: secrets are resolved, and programs found, when they are
	// needed.
	Driver(via http.RoundTripper) Driver
}

// Registry is the drivers of a build.
type Registry []spec.Kind[Settings]

// New makes the driver that a spec asks for, which sends HTTP requests through via; nil is a
// Transport of its own. It checks the settings and sets their defaults.
func (k Registry) New(d spec.Driver, via http.RoundTripper) (Driver, error) {
	if via == nil {
		via = Transport(dial.Guard{})
	}
	settings, err := spec.Open("driver", k, d.Choice)
	if err != nil {
		return nil, err
	}
	return settings.Driver(via), nil
}

// Driver puts releases onto targets. Every method is safe for concurrent use and honours its
// context. Implementations keep no state between calls that a crash could lose.
type Driver interface {
	// Observe says what the target runs now. An error means that the target did not answer or
	// answered nonsense: nothing is known about it. ErrOther: another one answers.
	Observe(ctx context.Context, t fleet.Target, unit string) (State, error)
	// Validate asks whether the release could be applied, changing nothing. A driver that cannot
	// know answers nil. An error that is ErrRefused means no.
	Validate(ctx context.Context, t fleet.Target, o Order) error
	// Apply puts the order's release on the target. It is idempotent: applying the same order twice
	// is as applying it once. An empty release removes the unit. Errors: ErrFenced when the target
	// has seen a newer fence, ErrRefused when the target will never accept the order; anything else
	// may be retried.
	Apply(ctx context.Context, t fleet.Target, o Order) error
}

// State is what a target runs.
type State struct {
	// Release is the version in effect; empty when nothing is installed.
	Release string `json:"release"`
	// Fence is the newest fence that the target has accepted; 0 when it keeps none.
	Fence int64 `json:"fence"`
	// Alive says whether the unit works, as far as the driver can tell.
	Alive bool `json:"alive"`
	// Detail is the target's own word on why it is not alive; may be empty.
	Detail string `json:"detail,omitempty"`
	// Refused says that the target has refused the newest order, by its own word: what it runs is
	// what it went back to by itself.
	Refused bool `json:"refused,omitempty"`
}

// self is whom a target takes itself for; empty where it does not say.
type self struct{ id, unit string }

// check says that it is another target, or answers for another unit.
func (s self) check(t fleet.Target, unit string) error {
	switch {
	case s.id != "" && s.id != t.ID:
		return fmt.Errorf("%w: it says that it is %q", ErrOther, terminal.OneLine(s.id, maxQuoted/4))
	case s.unit != "" && s.unit != unit:
		return fmt.Errorf("%w: it answers for the unit %q", ErrOther, terminal.OneLine(s.unit, maxQuoted/4))
	}
	return nil
}

// Order is what a target is asked to run.
type Order struct {
	Unit    string
	Release string
	// Fence orders the writers of a unit: a target refuses an order with a fence older than the
	// newest it has accepted.
	Fence int64
	// Back says that the release is put back: whether it could be applied is not asked any more,
	// since what answers that may be what is down.
	Back bool
}

// Bounded is a driver that knows how long one question takes at most.
type Bounded interface {
	Timeout() time.Duration
}

// unknownTimeout is taken for the time-out of a driver that does not tell.
const unknownTimeout = 10 * time.Second

// Timeout is how long a driver waits for a target to answer one question.
func Timeout(d Driver) time.Duration {
	if b, ok := d.(Bounded); ok {
		return b.Timeout()
	}
	return unknownTimeout
}

// OrderChecker is a driver that can say, without asking anybody, why it could not give an order to
// a target: the target has no label "region", which an argument asks for.
type OrderChecker interface {
	CheckOrder(t fleet.Target, o Order) error
}

// CheckOrder says why a driver could not give an order to a target; nil when it could, or when the
// driver cannot tell.
func CheckOrder(d Driver, t fleet.Target, o Order) error {
	if c, ok := d.(OrderChecker); ok {
		return c.CheckOrder(t, o)
	}
	return nil
}

// Preparer is a driver whose targets can fetch, verify and check a release beside the one that
// runs, and that switches nothing by it.
type Preparer interface {
	// Prepares says whether the driver, as it is set, does so.
	Prepares() bool
	// Prepare readies the order's release. It is idempotent. Errors are those of Driver.Apply.
	Prepare(ctx context.Context, t fleet.Target, o Order) error
}

// Settler is a driver whose targets are told that a rollout has ended well: the release is what
// they go back to by themselves from then on.
type Settler interface {
	// Settle tells a target that runs the order's release, by an order with its fence. It is
	// idempotent. Errors are those of Driver.Apply.
	Settle(ctx context.Context, t fleet.Target, o Order) error
}

// Prepares says whether a driver readies releases before they are applied.
func Prepares(d Driver) bool {
	p, ok := d.(Preparer)
	return ok && p.Prepares()
}

// Settles says whether targets of a driver are told that a rollout has ended well.
func Settles(d Driver) bool {
	if p, ok := d.(partsDriver); ok {
		return p.settles()
	}
	_, ok := d.(Settler)
	return ok
}

// Content are the bundles that a worker can read, by their release.
type Content interface {
	// Get answers a bundle's table.
	Get(ctx context.Context, release string) (bundle.Bundle, error)
	// Open answers its archive, not verified.
	Open(ctx context.Context, b bundle.Bundle) (io.ReadCloser, error)
	// Attached answers what is attached to it, of one media type.
	Attached(ctx context.Context, b bundle.Bundle, mediaType string) ([]bundle.Attachment, error)
}

// Carrier is a driver that brings content to targets that lack it.
type Carrier interface {
	// Carrying is the driver with content to bring.
	Carrying(c Content) Driver
}

// ErrFenced is matched by an error that says that a newer order has been here.
var ErrFenced = errors.New("refused by fence")

// ErrOther is matched by an error that says that another target answers at the address. It is
// neither silence nor an answer: whoever it is gets no order.
var ErrOther = errors.New("not that target")

// ErrRefused is matched by an error that retrying cannot mend.
var ErrRefused = errors.New("refused by target")

// maxAnswer bounds what is read of a target's answer or a program's output, in bytes.
const maxAnswer = 64 << 10

// maxQuoted bounds how much of it is repeated in an error or a detail.
const maxQuoted = 2 << 10

// checkRelease says whether text can be a release: empty, or one printable word. It holds for what
// targets say, since a stray message that is taken for a release would be taken for the way back;
// and so it holds for orders too, since nobody could see such a release in effect.
func checkRelease(release string) error {
	if len(release) > spec.MaxRelease {
		return fmt.Errorf("a release of %d bytes, the limit is %d", len(release), spec.MaxRelease)
	}
	if release != "" && !spec.IsWord(release) {
		return fmt.Errorf("%q is not a release, expected one word", terminal.OneLine(release, spec.MaxRelease))
	}
	return nil
}

// checkArgument says whether a value may become part of a program's argument.
func checkArgument(value string) error {
	if strings.HasPrefix(value, "-") {
		return fmt.Errorf("%q begins with '-' and could be taken for an option", terminal.OneLine(value, spec.MaxRelease))
	}
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return fmt.Errorf("%q holds a control character", terminal.OneLine(value, spec.MaxRelease))
	}
	return nil
}

// checkOrdered refuses what no target could be seen to run.
func checkOrdered(o Order) error {
	if err := checkRelease(o.Release); err != nil {
		return refused(fmt.Errorf("release: %w", err))
	}
	return nil
}

// refused marks an error as one that retrying cannot mend.
func refused(err error) error {
	if err == nil || errors.Is(err, ErrRefused) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}
