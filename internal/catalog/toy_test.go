package catalog_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
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

// on counts the targets with a release.
func (s *shelf) on(release string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.releases {
		if r == release {
			n++
		}
	}
	return n
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

// almanac is a toy source, which knows the heat of a release.
type almanac struct {
	Page string `yaml:"page" json:"page"`
	Year int    `yaml:"year,omitempty" json:"year"`
}

func (a *almanac) Check(s spec.Section) {
	if s.Needs("page") {
		s.OneOf("page", a.Page, "weather", "tides")
	}
	s.Between("year", a.Year, 1900, 2100)
}

func (a *almanac) SetDefaults(s spec.Spec) {
	a.Year = cmp.Or(a.Year, 2000+len(s.Stages))
}

func (a *almanac) Traits() spec.SourceTraits { return spec.SourceTraits{Language: question{}} }

// question is the language of the almanac.
type question struct{ spec.Selectors }

func (question) Query(s spec.Section, field, expr string) {
	if i := strings.IndexByte(expr, '?'); i != len(expr)-1 {
		s.BadInside(field, max(i, 0), "is not a question, expected one that ends with ?")
	}
}

// pages are what the almanac answers: how hot targets on the shelf are with release 2, and 1
// before.
type pages struct {
	source.None
	shelf *shelf
	heat  float64
}

func (p pages) Gauge(_ context.Context, expr string, _ source.Window) source.Reading {
	r := source.Reading{Query: expr, Value: 1}
	if p.shelf.on("2") > 0 {
		r.Value = p.heat
	}
	return r
}

// mood is a toy form of check, which asks targets how they are.
type mood struct {
	Worst string `yaml:"worst" json:"worst"`
	Often int    `yaml:"often,omitempty" json:"often"`
}

func (m *mood) Check(s spec.Section) {
	if s.Needs("worst") {
		s.OneOf("worst", m.Worst, "fine", "sad")
	}
	s.Between("often", m.Often, 1, 9)
}

func (m *mood) SetDefaults() { m.Often = cmp.Or(m.Often, 1) }

func (m *mood) Traits() spec.FormTraits {
	return spec.FormTraits{Shared: []string{"tolerate"}, Tolerate: 1}
}

// faces are the targets that a check of moods asks.
type faces struct {
	mood
	shelf *shelf
	// now is how targets with release 2 are.
	now string
}

func (f faces) Judge(context.Context, health.Look) health.Judged {
	res := health.Result{Verdict: health.Pass, Sentence: "nobody is worse than " + f.Worst}
	if f.now != f.Worst && f.shelf.on("2") > 0 {
		res.Verdict, res.Sentence = health.Fail, "somebody is "+f.now
	}
	return health.Judged{Result: res, Breach: res.Verdict == health.Fail}
}

// toys is the catalog of this build and a toy of every kind. Targets with release 2 are as hot as
// heat, and in the mood now.
func toys(s *shelf, heat float64, now string) catalog.Catalog {
	c := catalog.New()
	c.Drivers = append(c.Drivers, spec.Kind[driver.Settings]{Name: "paper", New: func() driver.Settings { return &paper{shelf: s} }})
	c.Sources = append(c.Sources, source.Kind{
		Name: "almanac", New: func() spec.SourceSettings { return new(almanac) },
		Open: func(spec.Health, source.Scope, source.Deps) (source.Source, error) {
			return pages{shelf: s, heat: heat}, nil
		},
	})
	c.Forms = append(c.Forms, health.Form{
		Name: "mood", New: func() spec.FormSettings { return new(mood) },
		Open: func(_ *health.Stage, c spec.Check) (health.Check, error) {
			f := faces{shelf: s, now: now}
			err := c.Form.Decode(&f.mood)
			return f, err
		},
	})
	return c
}

// toySpec is a spec with one line of driver and one check, which may follow a source.
func toySpec(driver, check string) string {
	from, check, two := strings.Cut(check, "; ")
	if !two {
		from, check = "", from
	}
	return fmt.Sprintf(`unit: toy
release: "2"
fleet: fleet.yaml
driver: {%s}
stages: [{name: canary, count: 1, bake: 400ms, decideWithin: 1s}, {name: all, reach: 100%%, bake: 400ms, decideWithin: 1s}]
health:
  without: [traffic]
  every: 100ms
  %s
  checks: [{name: up, %s}]
`, driver, from, check)
}

const listens = `probe: {tcp: "{{address}}"}`

// A driver that is only registered is validated, completed, planned and in the schema.
func TestToyDriverIsAsked(t *testing.T) {
	kinds := toys(nil, 0, "").Kinds()
	for settings, want := range map[string]string{
		"paper: {}":                        "f.yaml:4:17: driver.paper.colour: is required",
		"paper: {colour: gren}":            `f.yaml:4:26: driver.paper.colour: is "gren", expected red or green, did you mean green?`,
		"paper: {color: red}":              `f.yaml:4:18: unknown field "color" in driver.paper, did you mean "colour"?`,
		"paper: {colour: red, delay: 5}":   `f.yaml:4:38: driver.paper.delay: "5" has no unit, expected a duration such as 5s or 5m`,
		"paper: {colour: red, delay: 0s}":  "f.yaml:4:38: driver.paper.delay: is 0s, expected more",
		"papr: {colour: red}":              `f.yaml:4:10: unknown field "papr" in driver, did you mean "paper"?`,
		"":                                 "f.yaml:4:9: driver: has no driver, expected exactly one of http, exec, agent and paper, such as http: {}",
		"http: {}, paper: {colour: green}": "f.yaml:4:9: driver: has http and paper, expected exactly one driver",
	} {
		_, err := spec.Parse("f.yaml", []byte(toySpec(settings, listens)), kinds)
		require.EqualError(t, err, want, settings)
	}
	doc, err := spec.Parse("f.yaml", []byte(toySpec("paper: {colour: red}", listens)), kinds)
	require.NoError(t, err)
	require.JSONEq(t, `{"colour":"red","delay":"1ms"}`, string(doc.Spec.Driver.Settings))
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
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // on a busy machine a second is short
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: connect.WorkflowID(doc.Spec.Unit), TaskQueue: connect.TaskQueue})
	rollout.Register(env)
	activities.New(kept, activities.NewMetrics(prometheus.NewRegistry()), dial.Guard{}, c).Register(env)
	env.OnActivity(activities.TypeInherit, mock.Anything, mock.Anything).Return(activities.Inherited{}, nil) // there is no server
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
	out := run(t, toys(s, 0, ""), toySpec("paper: {colour: red}", listens), listeners(t, 3))
	require.Equal(t, words.PhasePromoted, out.Phase, "%+v", out)
	require.Equal(t, map[string]string{"t0": "2", "t1": "2", "t2": "2"}, s.releases)
}

const hot = `almanac: {page: weather}; value: "how hot?", max: 2`

// A source that is only registered is validated, completed and in the schema, and so is its
// language.
func TestToySourceIsAsked(t *testing.T) {
	kinds := toys(nil, 0, "").Kinds()
	for health, want := range map[string]string{
		"almanac: {}; value: 'hot?', max: 1":                       "f.yaml:9:12: health.almanac.page: is required",
		"almanac: {page: tide}; value: 'hot?', max: 1":             `f.yaml:9:19: health.almanac.page: is "tide", expected weather or tides, did you mean tides?`,
		"almanac: {page: tides, year: 1}; value: 'hot?', max: 1":   "f.yaml:9:32: health.almanac.year: is 1, expected 1900 to 2100",
		"almanac: {page: tides, yaer: 1}; value: 'hot?', max: 1":   `f.yaml:9:26: unknown field "yaer" in health.almanac, did you mean "year"?`,
		"almanc: {page: tides}; value: 'hot?', max: 1":             `f.yaml:9:3: unknown field "almanc" in health, did you mean "almanac"?`,
		"almanac: {page: tides}; value: 'how? hot', max: 1":        "f.yaml:10:34: health.checks[0].value: is not a question, expected one that ends with ?",
		"value: 'hot?', max: 1":                                    "f.yaml:7:3: health: has no source, expected prometheus: http://host:9090 or scrape: {} or almanac: {}",
		"scrape: {}\n  almanac: {page: tides}; value: hot, max: 1": "f.yaml:10:12: health.almanac: cannot be combined with scrape at 9:11: keep one source",
	} {
		_, err := spec.Parse("f.yaml", []byte(toySpec("http: {}", health)), kinds)
		require.EqualError(t, err, want, health)
	}
	doc, err := spec.Parse("f.yaml", []byte(toySpec("http: {}", hot)), kinds)
	require.NoError(t, err)
	data, err := json.Marshal(doc.Spec.Health)
	require.NoError(t, err)
	require.Contains(t, string(data), `"almanac":{"page":"weather","year":2002}`)
	var back spec.Health
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, doc.Spec.Health, back)
	require.Contains(t, string(schema(t, kinds)), `"almanac"`)
}

// A source that is only registered decides.
func TestToySourceDecides(t *testing.T) {
	for heat, want := range map[float64]words.Phase{1: words.PhasePromoted, 3: words.PhaseRolledBack} {
		s := &shelf{releases: map[string]string{"t0": "1", "t1": "1", "t2": "1"}}
		out := run(t, toys(s, heat, ""), toySpec("paper: {colour: red}", hot), listeners(t, 3))
		require.Equal(t, want, out.Phase, "%+v", out)
		if heat > 2 {
			require.Equal(t, []string{"2", "1"}, s.applied, "the canary, and back")
		}
	}
}

// A form of check that is only registered is validated, completed and in the schema.
func TestToyFormIsAsked(t *testing.T) {
	kinds := toys(nil, 0, "").Kinds()
	for check, want := range map[string]string{
		"mood: {}":                              "f.yaml:10:29: health.checks[0].mood.worst: is required",
		"mood: {worst: sda}":                    `f.yaml:10:37: health.checks[0].mood.worst: is "sda", expected fine or sad, did you mean sad?`,
		"mood: {worst: sad, oftn: 2}":           `f.yaml:10:42: unknown field "oftn" in health.checks[0].mood, did you mean "often"?`,
		"mood: {worst: sad, often: 10}":         "f.yaml:10:49: health.checks[0].mood.often: is 10, expected 1 to 9",
		"mood: {worst: sad}, max: 1":            "f.yaml:10:48: health.checks[0].max: has no effect in a check with mood: remove it",
		"mood: {worst: sad}, probe: {tcp: x:1}": "f.yaml:10:29: health.checks[0].mood: cannot be combined with probe at 10:50: keep one of them",
		"mod: {worst: sad}":                     `f.yaml:10:23: unknown field "mod" in health.checks[0], did you mean "mood"?`,
	} {
		_, err := spec.Parse("f.yaml", []byte(toySpec("http: {}", check)), kinds)
		require.ErrorContains(t, err, want, check)
	}
	doc, err := spec.Parse("f.yaml", []byte(toySpec("http: {}", "mood: {worst: sad}")), kinds)
	require.NoError(t, err)
	data, err := json.Marshal(doc.Spec.Health.Checks)
	require.NoError(t, err)
	require.JSONEq(t, `[{"name":"up","tolerate":1,"minSamples":0,"mood":{"worst":"sad","often":1}}]`, string(data))
	require.Contains(t, string(schema(t, kinds)), `"worst"`)
}

// A form of check that is only registered decides: its FAIL takes a rollout back.
func TestToyFormDecides(t *testing.T) {
	for now, want := range map[string]words.Phase{"fine": words.PhasePromoted, "sad": words.PhaseRolledBack} {
		s := &shelf{releases: map[string]string{"t0": "1", "t1": "1", "t2": "1"}}
		out := run(t, toys(s, 0, now), toySpec("paper: {colour: red}", "mood: {worst: fine}"), listeners(t, 3))
		require.Equal(t, want, out.Phase, "%+v", out)
		if now == "sad" {
			require.Equal(t, []string{"2", "1"}, s.applied, "the canary, and back")
		}
	}
}
