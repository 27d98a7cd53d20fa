// Package activities holds the effects of a rollout: thin steps that read or change targets and ask
// the judge. Each is idempotent and may be retried at any moment; decisions live in workflows and
// in internal packages.
package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/clock"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/inventory"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
)

// Activities are the dependencies of every activity; its methods are registered with a worker.
// Build it with New. It is safe for concurrent use.
type Activities struct {
	// Clock is the server's, as is every time in an activity's input. Somebody must tell it what
	// the server says.
	Clock *clock.Clock

	store     store.Store
	kinds     spec.Kinds
	health    health.Deps
	newDriver func(spec.Spec) (driver.Driver, error)
	// lister lists a fleet, once.
	lister func(context.Context, spec.FleetSource) (fleet.Fleet, error)
	// sources carries requests to sources of health.
	sources *http.Transport
	metrics *Metrics
	// submission reads what a workflow was started with.
	submission func(ctx context.Context, id, run string) (PlanInput, error)
	// identity is this worker's, and workers are the identities of those that live; nil where this
	// one is alone.
	identity string
	workers  func(context.Context) ([]string, error)
	blind    blindness
	// rollouts are those of other units; nil asks Temporal.
	rollouts rollouts

	mu    sync.Mutex
	plans map[string]plan.Plan
}

// New returns activities that keep plans in s, count in m, connect through g, and know what is in
// c.
func New(s store.Store, m *Metrics, g dial.Guard, c catalog.Catalog) *Activities {
	targets, sources := driver.Transport(g), g.Transport()
	return &Activities{
		store: s, kinds: c.Kinds(), health: c.Health(), metrics: m, submission: submitted, plans: map[string]plan.Plan{}, sources: sources,
		Clock: new(clock.Clock), identity: connect.Identity(),
		lister: func(ctx context.Context, f spec.FleetSource) (fleet.Fleet, error) {
			return inventory.List(ctx, f, inventory.Deps{Transport: sources})
		},
		newDriver: func(s spec.Spec) (driver.Driver, error) { return c.Drivers.For(s, targets) },
	}
}

// Among has others that poll the same queues try what this worker cannot reach. It answers a.
func Among(a *Activities) *Activities {
	a.workers = pollers
	return a
}

// Onto has every order go to d and every list of targets be f, whatever a spec asks for, and
// answers a: that is how a rollout is rehearsed on targets that are not there.
func Onto(a *Activities, d driver.Driver, f fleet.Fleet) *Activities {
	a.newDriver = func(spec.Spec) (driver.Driver, error) { return d, nil }
	a.lister = func(context.Context, spec.FleetSource) (fleet.Fleet, error) { return f, nil }
	return a
}

// cachedPlans bounds how many decoded plans a worker keeps: enough for the rollouts that bake at
// once on one worker in most fleets; a miss costs one read of the store.
const cachedPlans = 64

// load answers the plan of a digest, which the activity's own workflow has made.
func (a *Activities) load(ctx context.Context, digest string) (plan.Plan, error) {
	return a.loadOf(ctx, digest, nil)
}

// loadOf answers the plan of a digest that a rollout of a train has made; nil is the activity's own
// workflow.
func (a *Activities) loadOf(ctx context.Context, digest string, by *rolloutOf) (plan.Plan, error) {
	a.mu.Lock()
	p, ok := a.plans[digest]
	a.mu.Unlock()
	if ok {
		return p, nil
	}
	data, err := a.store.Get(ctx, digest)
	if err != nil {
		p, cutErr := a.cutAgain(ctx, digest, by, errors.Is(err, store.ErrNotFound))
		if cutErr != nil {
			return p, fmt.Errorf("read plan %s: %w (workers of one deployment share one store, see --store), nor can it be cut again: %w",
				digest, err, cutErr)
		}
		return p, nil
	}
	p, err = plan.Decode(data)
	if err != nil {
		return plan.Plan{}, fmt.Errorf("read plan %s: %w", digest, err)
	}
	a.remember(digest, p)
	return p, nil
}

func (a *Activities) remember(digest string, p plan.Plan) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.plans) >= cachedPlans {
		for k := range a.plans { // any one: plans are read again from the store
			delete(a.plans, k)
			break
		}
	}
	a.plans[digest] = p
}

// open answers the plan of a digest with the driver that it asks for.
func (a *Activities) open(ctx context.Context, digest string) (plan.Plan, driver.Driver, error) {
	p, err := a.load(ctx, digest)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	d, err := a.newDriver(p.Spec)
	if err != nil {
		return plan.Plan{}, nil, fmt.Errorf("set up driver: %w", err)
	}
	if c, ok := d.(driver.Carrier); ok {
		d = c.Carrying(bundle.Kept{Store: a.store})
	}
	return p, d, nil
}

// openTo is open for an activity that asks targets and changes nothing, with the doubts of earlier
// attempts.
func (a *Activities) openTo(ctx context.Context, digest string) (plan.Plan, driver.Driver, doubt, error) {
	p, d, err := a.open(ctx, digest)
	if err != nil {
		return p, d, doubt{}, err
	}
	doubts, err := a.doubts(ctx, &a.blind.targets)
	return p, d, doubts, err
}

// ErrTypeInvalid is the type of an application error for input that no retry can mend; the Web UI
// shows it.
const ErrTypeInvalid = "InvalidSubmission"

// invalid is the one place where an error becomes one that Temporal does not retry. It must stay
// outermost: a wrapped one is retried.
func invalid(err error) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), ErrTypeInvalid,
		temporal.ApplicationErrorOptions{NonRetryable: true, Cause: errors.Unwrap(err)})
}
