package driver_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// partsRig is a target with two parts: app, by HTTP, and features, by programs. What comes before
// an effect goes wrong at the first, what comes after it at the last.
func partsRig(t *testing.T) rig {
	web, programs := httpRig(t), execRig(t)
	both := func(a, b driver.Driver) driver.Driver {
		return twin{driver.Parts(driver.Part{Unit: "app", Driver: a}, driver.Part{Unit: "features", Driver: b})}
	}
	return rig{
		driver: both(web.driver, programs.driver), quick: both(web.quick, programs.quick),
		target: func(id string) fleet.Target {
			where := web.target(id)
			where.Labels = programs.target(id).Labels
			return where
		},
		mode: func(id, mode string) {
			web.mode(id, "")
			programs.mode(id, "")
			if mode == "half" || mode == "full" {
				web.mode(id, mode)
			} else {
				programs.mode(id, mode)
			}
		},
		prepares: true, crashed: "features: it ?[31mcrashed", garbage: programs.garbage,
	}
}

// twin is a driver of parts that always run the same release.
type twin struct{ driver.Driver }

func pair(app, features string) string {
	return spec.Compose([]spec.PartRelease{{Unit: "app", Release: app}, {Unit: "features", Release: features}})
}

func (d twin) order(o driver.Order) driver.Order {
	o.Release = pair(o.Release, o.Release)
	return o
}

func (d twin) Observe(ctx context.Context, t fleet.Target, unit string) (driver.State, error) {
	s, err := d.Driver.Observe(ctx, t, unit)
	if parts, err := spec.Decompose(s.Release); err == nil && len(parts) == 2 && parts[0].Release == parts[1].Release {
		s.Release = parts[0].Release
	}
	return s, err
}

func (d twin) Validate(ctx context.Context, t fleet.Target, o driver.Order) error {
	return d.Driver.Validate(ctx, t, d.order(o))
}

func (d twin) Apply(ctx context.Context, t fleet.Target, o driver.Order) error {
	return d.Driver.Apply(ctx, t, d.order(o))
}

func (d twin) Prepares() bool { return driver.Prepares(d.Driver) }

func (d twin) Prepare(ctx context.Context, t fleet.Target, o driver.Order) error {
	return d.Driver.(driver.Preparer).Prepare(ctx, t, d.order(o))
}

// thing is what a part of one target runs, in memory. It takes down what it was asked.
type thing struct {
	unit string
	driver.State
	log *[]string
	// fail answers an order; nil carries it out. deaf answers no question.
	fail func(driver.Order) error
	deaf error
}

func (d *thing) Observe(_ context.Context, _ fleet.Target, unit string) (driver.State, error) {
	if unit != d.unit {
		return driver.State{}, fmt.Errorf("asked for %q", unit)
	}
	return d.State, d.deaf
}

func (d *thing) Validate(context.Context, fleet.Target, driver.Order) error { return nil }

func (d *thing) Timeout() time.Duration { return time.Second }

func (d *thing) Apply(_ context.Context, _ fleet.Target, o driver.Order) error {
	*d.log = append(*d.log, o.Unit+" "+o.Release)
	if o.Unit != d.unit || o.Fence < d.Fence {
		return driver.ErrFenced
	}
	if d.fail != nil {
		if err := d.fail(o); err != nil {
			return err
		}
	}
	d.State = driver.State{Release: o.Release, Fence: o.Fence, Alive: true}
	return nil
}

// things are the parts app, features and rules of one target, which run the releases 1.
func things() (driver.Driver, []*thing, *[]string) {
	log := new([]string)
	var all []*thing
	var parts []driver.Part
	for _, unit := range []string{"app", "features", "rules"} {
		one := &thing{unit: unit, State: driver.State{Release: "1", Fence: 1, Alive: true}, log: log}
		all, parts = append(all, one), append(parts, driver.Part{Unit: unit, Driver: one})
	}
	return driver.Parts(parts...), all, log
}

func three(app, features, rules string) string {
	return spec.Compose([]spec.PartRelease{{Unit: "app", Release: app}, {Unit: "features", Release: features}, {Unit: "rules", Release: rules}})
}

func TestPartsInOrderAndReverse(t *testing.T) {
	d, all, log := things()
	where := fleet.Target{ID: "edge-3"}
	require.Equal(t, 3*time.Second, driver.Timeout(d))
	require.NoError(t, d.Apply(t.Context(), where, driver.Order{Unit: "shop", Release: three("2", "2", "1"), Fence: 4}))
	require.Equal(t, []string{"app 2", "features 2", "rules 1"}, *log, "one that stays gets its fence")
	require.NoError(t, d.Apply(t.Context(), where, driver.Order{Unit: "shop", Release: three("2", "2", "1"), Fence: 4}))
	require.Len(t, *log, 3, "what is done already is not disturbed")

	*log = nil
	require.NoError(t, d.Apply(t.Context(), where, driver.Order{Unit: "shop", Release: three("1", "", "1"), Fence: 5, Back: true}))
	require.Equal(t, []string{"rules 1", "features ", "app 1"}, *log)
	s, err := d.Observe(t.Context(), where, "shop")
	require.NoError(t, err)
	require.Equal(t, driver.State{Release: "app=1,features=none,rules=1", Fence: 5, Alive: true}, s)
	require.Equal(t, "features", driver.Lacks(d, s.Release))
	require.Empty(t, driver.Lacks(d, ""))
	runs, should := driver.Differ(d, s.Release, three("1", "2", "3"))
	require.Equal(t, []string{"features=none,rules=1", "features=2,rules=3"}, []string{runs, should})

	require.ErrorContains(t, d.Apply(t.Context(), where, driver.Order{Release: three("2", "2", "2"), Fence: 3}), "part app: refused by fence")
	require.ErrorIs(t, d.Apply(t.Context(), where, driver.Order{Release: pair("2", "2"), Fence: 6}), driver.ErrRefused)
	require.ErrorIs(t, d.Apply(t.Context(), where, driver.Order{Release: "2", Fence: 6}), driver.ErrRefused)

	all[1].State = driver.State{Release: "2", Fence: 7, Detail: "it crashed", Refused: true}
	s, err = d.Observe(t.Context(), where, "shop")
	require.NoError(t, err)
	require.Equal(t, driver.State{Release: "app=1,features=2,rules=1", Fence: 7, Detail: "features: it crashed", Refused: true}, s)
	all[2].deaf = driver.ErrOther
	_, err = d.Observe(t.Context(), where, "shop")
	require.ErrorIs(t, err, driver.ErrOther)
	require.ErrorContains(t, err, "part rules: ")
}

// An order that fails says what every part runs, and changes no part behind the one that failed.
func TestPartsSayWhatEachRuns(t *testing.T) {
	no := func(driver.Order) error { return fmt.Errorf("%w: not for me", driver.ErrRefused) }
	for name, tc := range map[string]struct {
		back  bool
		spoil func([]*thing)
		want  string
	}{
		"forward":  {false, func(a []*thing) { a[1].fail = no }, "app runs 2, features still runs 1, rules still runs 1: part features: refused by target: not for me"},
		"back":     {true, func(a []*thing) { a[1].fail = no }, "rules runs 1, features still runs 2, app still runs 2: part features: refused by target: not for me"},
		"gone":     {true, func(a []*thing) { a[1].fail, a[0].deaf = no, errors.New("x") }, "rules runs 1, features still runs 2, app does not say what it runs: part features"},
		"is away":  {false, func(a []*thing) { a[0].fail, a[0].deaf = no, errors.New("x") }, "app does not say what it runs, features still runs 1, rules still runs 1: part app"},
		"nothing":  {false, func(a []*thing) { a[1].State, a[1].fail = driver.State{}, no }, "app runs 2, features still runs nothing, rules still runs 1: part features"},
		"too late": {false, func(a []*thing) { a[2].Fence = 9 }, "app runs 2, features runs 2, rules still runs 1: part rules: refused by fence"},
	} {
		t.Run(name, func(t *testing.T) {
			d, all, _ := things()
			o := driver.Order{Release: three("2", "2", "2"), Fence: 2}
			if tc.back {
				require.NoError(t, d.Apply(t.Context(), fleet.Target{}, o))
				o = driver.Order{Release: three("1", "1", "1"), Fence: 3, Back: true}
			}
			tc.spoil(all)
			require.ErrorContains(t, d.Apply(t.Context(), fleet.Target{}, o), tc.want)
		})
	}
}

// Whatever fails, whenever: a target never has a new part behind an old one, what it runs is made
// of both releases, and the same order again ends what was begun.
func TestPartsAreNeverOutOfOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, all, _ := things()
		old, new := three("1", "1", "1"), three("2", "2", "2")
		for _, one := range all {
			one.fail = func(o driver.Order) error {
				switch rapid.IntRange(0, 3).Draw(t, "fate") {
				case 0:
					return errors.New("gone before it took effect")
				case 1:
					one.State = driver.State{Release: o.Release, Fence: o.Fence, Alive: true}
					return errors.New("gone before it answered")
				default:
					return nil
				}
			}
		}
		fence := int64(2)
		do := func(o driver.Order) {
			for {
				err := d.Apply(context.Background(), fleet.Target{}, o)            //nolint:forbidigo // rapid's T has none
				s, seen := d.Observe(context.Background(), fleet.Target{}, "shop") //nolint:forbidigo // as above
				inOrder := []string{old, three("2", "1", "1"), three("2", "2", "1"), new}
				if seen != nil || !driver.MadeOf(d, s.Release, old, new) || !slices.Contains(inOrder, s.Release) {
					t.Fatalf("runs %s (%v)", s.Release, seen)
				}
				if driver.Holds(d, s.Release, new, old) != (s.Release != old) {
					t.Fatalf("%s holds a part of it: %t", s.Release, s.Release == old)
				}
				if err == nil && s.Release != o.Release {
					t.Fatalf("done, and runs %s", s.Release)
				}
				if err == nil || rapid.Bool().Draw(t, "give up") {
					return
				}
			}
		}
		for range rapid.IntRange(1, 4).Draw(t, "rollouts") {
			do(driver.Order{Release: new, Fence: fence})
			do(driver.Order{Release: old, Fence: fence + 1, Back: true})
			fence += 2
		}
	})
}

// What bundles need goes to the parts that take them: they are brought, prepared and settled, and
// what has no bundle is not asked.
func TestPartsWithAnAgent(t *testing.T) {
	a, web := newAgents(t), httpRig(t)
	inner := driver.Parts(
		driver.Part{Unit: "app", Driver: web.driver},
		driver.Part{Unit: "proxy", Driver: open(t, "agent", driver.Agent{URL: "http://{{label.agent}}/x"})},
	)
	d := inner.(driver.Carrier).Carrying(a.kept)
	require.True(t, driver.Prepares(d))
	require.True(t, driver.Settles(d))
	where := web.target("a")
	where.Labels["agent"] = a.target("a").Address
	word := func(app, proxy string) string {
		return spec.Compose([]spec.PartRelease{{Unit: "app", Release: app}, {Unit: "proxy", Release: a.release(proxy)}})
	}
	do := func(release string, fence int64, back bool) error {
		return d.Apply(t.Context(), where, driver.Order{Unit: "shop", Release: release, Fence: fence, Back: back})
	}
	runs := func(release string) {
		t.Helper()
		s, err := d.Observe(t.Context(), where, "shop")
		require.NoError(t, err)
		require.Equal(t, release, s.Release)
	}
	require.NoError(t, do(word("1", "1"), 2, false))
	two := driver.Order{Unit: "shop", Release: word("2", "2"), Fence: 4}
	a.hosts["a"].become("refuse")
	require.ErrorContains(t, d.(driver.Preparer).Prepare(t.Context(), where, two), "part proxy: refused by target: ")
	runs(word("1", "1"))
	a.hosts["a"].become("")
	require.NoError(t, d.(driver.Preparer).Prepare(t.Context(), where, two))
	runs(word("1", "1"))
	require.NoError(t, do(two.Release, 4, false))
	require.NoError(t, d.(driver.Settler).Settle(t.Context(), where, two))
	require.NoError(t, do(word("1", ""), 5, true))
	runs("app=1,proxy=none")

	three := driver.Order{Unit: "shop", Release: pair("3", "3"), Fence: 6}
	require.ErrorIs(t, driver.CheckOrder(d, where, three), driver.ErrRefused)
	three.Release = "app=3,proxy=3"
	require.ErrorContains(t, driver.CheckOrder(d, where, three),
		`part proxy: refused by target: an agent takes bundles only, and "3" is not the name of one`)
	require.ErrorIs(t, d.Apply(t.Context(), where, three), driver.ErrRefused)
}

// The driver of a spec with parts knows each of them, and takes no release that is not theirs.
func TestForParts(t *testing.T) {
	s := spec.Spec{Unit: "shop", Parts: []spec.Part{
		{Unit: "app", Release: "1", Driver: spec.Driver{Choice: spec.Choose("http", driver.HTTP{})}},
		{Unit: "features", Release: "2", Driver: spec.Driver{Choice: spec.Choose("http", driver.HTTP{})}},
	}}
	kinds := catalog.New().Drivers
	for _, release := range []string{"", "1", "app=1,features=3"} {
		s.Release = release
		_, err := kinds.For(s, nil)
		require.ErrorContains(t, err, "expected the releases of the parts")
	}
	s.Release = s.Composed()
	d, err := kinds.For(s, nil)
	require.NoError(t, err)
	require.Equal(t, 10*time.Second, driver.Timeout(d))
	s.Parts[1].Driver = spec.Driver{Choice: spec.Choose("no-such-driver", driver.HTTP{})}
	_, err = kinds.For(s, nil)
	require.ErrorContains(t, err, "part features: driver: ")
}
