package catalog_test

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	words "github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/workflows/rollout"
)

// shelf is what the targets of the toy driver run.
type shelf struct {
	mu       sync.Mutex
	releases map[string]string
	applied  []string // releases, in order
}

// paper is a toy driver, whose targets are notes on a shelf.
type paper struct {
	Colour string        `yaml:"colour" json:"colour"`
	Delay  spec.Duration `yaml:"delay,omitempty" json:"delay,omitempty"`

	shelf *shelf
}

func (p *paper) Check(s spec.Section) {
	if s.Needs("colour") {
		s.OneOf("colour", p.Colour, "red", "green")
	}
	s.Positive("delay", p.Delay)
}

func (p *paper) SetDefaults() { p.Delay = cmp.Or(p.Delay, spec.Duration(time.Millisecond)) }

func (p *paper) Driver(http.RoundTripper) driver.Driver { return notes{p.shelf} }

type notes struct{ *shelf }

func (n notes) Observe(_ context.Context, t fleet.Target, _ string) (driver.State, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return driver.State{Release: n.releases[t.ID], Alive: true}, nil
}

func (notes) Validate(context.Context, fleet.Target, driver.Order) error { return nil }

func (n notes) Apply(_ context.Context, t fleet.Target, o driver.Order) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.releases[t.ID], n.applied = o.Release, append(n.applied, o.Release)
	return nil
}

// toys is the catalog of this build and a toy of every kind.
func toys(s *shelf) catalog.Catalog {
	c := catalog.New()
	c.Drivers = append(c.Drivers, spec.Kind[driver.Settings]{Name: "paper", New: func() driver.Settings { return &paper{shelf: s} }})
	return c
}

// toySpec is a spec with one line of driver and one check.
func toySpec(driver, check string) string {
	return fmt.Sprintf(`unit: toy
release: "2"
fleet: fleet.yaml
driver: {%s}
stages: [{name: canary, count: 1, bake: 400ms, decideWithin: 1s}, {name: all, reach: 100%%, bake: 400ms, decideWithin: 1s}]
health:
  without: [traffic]
  every: 100ms
  checks: [{name: up, %s}]
`, driver, check)
}

const listens = `probe: {tcp: "{{address}}"}`

// A driver that is only registered is validated, completed, planned and in the schema.
func TestToyDriverIsAsked(t *testing.T) {
	kinds := toys(nil).Kinds()
	for settings, want := range map[string]string{
		"paper: {}":                        "f.yaml:4:17: driver.paper.colour: is required",
		"paper: {colour: gren}":            `f.yaml:4:26: driver.paper.colour: is "gren", expected red or green, did you mean green?`,
		"paper: {color: red}":              `f.yaml:4:18: unknown field "color" in driver.paper, did you mean "colour"?`,
		"paper: {colour: red, delay: 5}":   `f.yaml:4:38: driver.paper.delay: "5" has no unit, expected a duration such as 5s or 5m`,
		"paper: {colour: red, delay: 0s}":  "f.yaml:4:38: driver.paper.delay: is 0s, expected more",
		"papr: {colour: red}":              `f.yaml:4:10: unknown field "papr" in driver, did you mean "paper"?`,
		"":                                 "f.yaml:4:9: driver: has no driver, expected exactly one of http, exec and paper, such as http: {}",
		"http: {}, paper: {colour: green}": "f.yaml:4:9: driver: has http and paper, expected exactly one driver",
	} {
		_, err := spec.Parse("f.yaml", []byte(toySpec(settings, listens)), kinds)
		require.EqualError(t, err, want, settings)
	}
	doc, err := spec.Parse("f.yaml", []byte(toySpec("paper: {colour: red}", listens)), kinds)
	require.NoError(t, err)
	require.Equal(t, `{"colour":"red","delay":"1ms"}`, string(doc.Spec.Driver.Settings))
	p, err := plan.New(doc.Spec, fleet.Fleet{Targets: []fleet.Target{{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1"}}}, kinds)
	require.NoError(t, err)
	require.Equal(t, doc.Spec.Driver, p.Spec.Driver)
	require.Contains(t, string(schema(t, kinds)), `"colour"`)
}

// run takes the toy fleet from release 1 to 2.
func run(t *testing.T, c catalog.Catalog, text string, targets []fleet.Target) words.State {
	t.Helper()
	doc, err := spec.Parse("f.yaml", []byte(text), c.Kinds())
	require.NoError(t, err)
	digest, data, err := fleet.Encode(fleet.Fleet{Targets: targets})
	require.NoError(t, err)
	kept, err := store.Dir(t.TempDir())
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(time.Now())
	env.SetTestTimeout(2 * time.Minute)
	rollout.Register(env)
	activities.New(kept, activities.NewMetrics(prometheus.NewRegistry()), dial.Guard{}, c).Register(env)
	env.ExecuteWorkflow(connect.WorkflowType, rollout.Submission{Spec: doc.Spec, FleetDigest: digest, FleetData: data, By: "test"})
	require.NoError(t, env.GetWorkflowError())
	var out words.State
	require.NoError(t, env.GetWorkflowResult(&out))
	return out
}

// listeners are targets that take connections until the test ends.
func listeners(t *testing.T, n int) (targets []fleet.Target) {
	t.Helper()
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		targets = append(targets, fleet.Target{ID: fmt.Sprint("t", i), Address: l.Addr().String()})
	}
	return targets
}

// A rollout with a driver that is only registered.
func TestToyDriverRollsOut(t *testing.T) {
	s := &shelf{releases: map[string]string{"t0": "1", "t1": "1", "t2": "1"}}
	out := run(t, toys(s), toySpec("paper: {colour: red}", listens), listeners(t, 3))
	require.Equal(t, words.PhasePromoted, out.Phase, "%+v", out)
	require.Equal(t, map[string]string{"t0": "2", "t1": "2", "t2": "2"}, s.releases)
}
