package agent

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdmit(t *testing.T) {
	at := func(p Phase) State { return State{Fence: 10, Desired: "new", Phase: p, Why: "says no"} }
	again := at(Refused)
	again.Again = true
	for name, c := range map[string]struct {
		state   State
		running string
		broken  bool
		order   Order
		want    answer
	}{
		"the first order":                        {State{}, "", false, Order{Release: "new", Fence: 1}, begin},
		"a removal of what never was":            {State{}, "", false, Order{Fence: 1}, begin},
		"an older fence":                         {at(Applied), "new", false, Order{Release: "new", Fence: 9}, fenced},
		"an older fence, while one is under way": {at(Applying), "old", false, Order{Release: "old", Fence: 9}, fenced},
		"the same order, in effect":              {at(Applied), "new", false, Order{Release: "new", Fence: 10}, already},
		"a newer one for what is in effect":      {at(Applied), "new", false, Order{Release: "new", Fence: 11}, already},
		"the same order, after a crash":          {at(Applying), "new", false, Order{Release: "new", Fence: 10}, begin},
		"the same order, files changed":          {at(Applied), "new", true, Order{Release: "new", Fence: 10}, begin},
		"the same order, link changed":           {at(Applied), "old", false, Order{Release: "new", Fence: 10}, begin},
		"the same order, refused":                {at(Refused), "old", false, Order{Release: "new", Fence: 10}, repeated},
		"refused, by a newer rollout":            {at(Refused), "old", false, Order{Release: "new", Fence: 11}, begin},
		"refused, may be given again":            {again, "old", false, Order{Release: "new", Fence: 10}, begin},
		"the way back of what was refused":       {at(Refused), "old", false, Order{Release: "old", Fence: 11}, already},
		"the same, with the same fence":          {at(Refused), "old", false, Order{Release: "old", Fence: 10}, already},
		"the way back, where that broke":         {at(Refused), "old", true, Order{Release: "old", Fence: 11}, begin},
		"the way back":                           {at(Applied), "new", false, Order{Release: "old", Fence: 11}, begin},
	} {
		require.Equal(t, c.want, admit(c.state, c.running, !c.broken, c.order), name)
	}
}

func TestHome(t *testing.T) {
	for name, c := range map[string]struct {
		state   State
		release string
		want    string
	}{
		"nothing ran":                           {State{}, "new", ""},
		"something ran that nobody called good": {State{Before: "old"}, "new", "old"},
		"the newest good one":                   {State{Before: "old", Good: []string{"good", "older"}}, "new", "good"},
		"a good one stays":                      {State{Before: "bad", Good: []string{"good", "older"}}, "older", "older"},
		"a removal":                             {State{Before: "good", Good: []string{"good"}}, "", "good"},
	} {
		require.Equal(t, c.want, c.state.home(c.release), name)
	}
}

// After a crash between any two steps.
func TestRecoverFrom(t *testing.T) {
	applying := State{Fence: 10, Desired: "new", Before: "old", Phase: Applying}
	failed, removal := applying, applying
	failed.Why, removal.Desired = "confirm says no", ""
	for name, c := range map[string]struct {
		state   State
		running string
		gone    bool
		want    action
	}{
		"nothing was ever ordered":               {State{}, "", false, rest},
		"all is done":                            {State{Phase: Applied, Desired: "new"}, "new", false, rest},
		"done, and somebody changed the link":    {State{Phase: Applied, Desired: "new"}, "old", false, rest},
		"refused":                                {State{Phase: Refused, Desired: "new"}, "old", false, rest},
		"not switched":                           {applying, "old", false, abandon},
		"not switched, nothing ran":              {State{Desired: "new", Phase: Applying}, "", false, abandon},
		"switched":                               {applying, "new", false, finish},
		"switched, and its files are gone":       {applying, "new", true, goBack},
		"somebody else switched meanwhile":       {applying, "third", false, abandon},
		"it failed, the link is still on it":     {failed, "new", false, goBack},
		"it failed, the link went back":          {failed, "old", false, goBack},
		"a removal, not switched":                {removal, "old", false, abandon},
		"a removal, the link is removed":         {removal, "", true, finish},
		"the same again, which runs":             {State{Desired: "new", Before: "new", Phase: Applying}, "new", false, finish},
		"the same again, and its files are gone": {State{Desired: "new", Before: "new", Phase: Applying}, "new", true, goBack},
	} {
		require.Equal(t, c.want, recoverFrom(c.state, c.running, !c.gone), name)
	}
}

func TestSettled(t *testing.T) {
	s := State{Fence: 10, Desired: "c", Phase: Applied, Good: []string{"b", "a"}, Prepared: []string{"d", "c"}}
	o := Order{Release: "c", Fence: 10}
	got, err := s.settled(o, "c", 2)
	require.NoError(t, err)
	require.Equal(t, []string{"c", "b"}, got.Good, "no more than are kept")
	require.Equal(t, []string{"d"}, got.Prepared)
	again, err := got.settled(o, "c", 2)
	require.NoError(t, err)
	require.Equal(t, got, again)
	require.Equal(t, []string{"b", "a"}, s.Good, "the state before is as it was")

	refusedState, applying := s, s
	refusedState.Phase, applying.Phase = Refused, Applying
	for name, c := range map[string]struct {
		state   State
		order   Order
		running string
	}{
		"an older order's":     {s, Order{Release: "c", Fence: 9}, "c"},
		"a newer one's":        {s, Order{Release: "c", Fence: 11}, "c"},
		"another release":      {s, Order{Release: "b", Fence: 10}, "c"},
		"it does not run":      {s, o, "b"},
		"it was refused":       {refusedState, o, "c"},
		"it is not in effect":  {applying, o, "c"},
		"nothing was ordered":  {State{}, Order{}, ""},
		"a removal that isn't": {s, Order{Fence: 10}, ""},
	} {
		got, err := c.state.settled(c.order, c.running, 2)
		require.Error(t, err, name)
		require.Equal(t, c.state, got, name)
	}
}

// What a way leads to is kept: what runs, what may be gone back to, and what may come next.
func TestKeeps(t *testing.T) {
	s := State{Desired: "d", Before: "b", Good: []string{"g1", "g2"}, Ran: []string{"b", "r"}, Prepared: []string{"p"}}
	require.Equal(t, map[string]bool{"d": true, "b": true, "g1": true, "g2": true, "r": true, "p": true, "l": true}, s.keeps("l"))
	require.Empty(t, State{}.keeps(""))
}

// What an order put there and nobody has seen to work is nothing to go back to.
func TestIntentAfterACrash(t *testing.T) {
	s := State{Fence: 10, Desired: "new", Before: "old", Phase: Applying, Ran: []string{"old"}}
	next := s.intent(Order{Release: "newer", Fence: 11}, "new", 3)
	require.Equal(t, "old", next.Before)
	require.Equal(t, []string{"old"}, next.Ran)
	require.Equal(t, "old", next.home("newer"))

	landed := s.landed(3).intent(Order{Release: "newer", Fence: 11}, "new", 3)
	require.Equal(t, "new", landed.Before)
	require.Equal(t, []string{"new", "old"}, landed.Ran)
}

// What has been in effect here may be asked for again: a way back that failed is not the end.
func TestRefusedMayBeGivenAgain(t *testing.T) {
	for release, again := range map[string]bool{"good": true, "ran": true, "": true, "new": false} {
		s := State{Desired: release, Good: []string{"good"}, Ran: []string{"ran"}}
		require.Equal(t, again, s.refused("says no").Again, release)
	}
}

// A release that was undone is no longer what an order that fails goes back to: an order that puts
// an older good one back, or takes the unit off, says which one that is.
func TestUndoneIsNotHome(t *testing.T) {
	s := State{Fence: 10, Desired: "new", Phase: Applied, Good: []string{"new", "old"}, Ran: []string{"new", "old"}}
	back := s.intent(Order{Release: "old", Fence: 12, Back: true}, "new", 3).landed(3)
	require.Equal(t, []string{"old"}, back.Good)
	require.Equal(t, "old", back.intent(Order{Release: "next", Fence: 20}, "old", 3).home("next"))

	removed := State{Fence: 10, Desired: "new", Phase: Applied, Good: []string{"new"}}.intent(Order{Fence: 12}, "new", 3).landed(3)
	require.Equal(t, []string{"new"}, removed.Good, "its files are kept")
	require.Empty(t, removed.intent(Order{Release: "next", Fence: 20}, "", 3).home("next"))

	untold := s.intent(Order{Release: "next", Fence: 12}, "new", 3).landed(3)
	require.Equal(t, []string{"new", "old"}, untold.Good, "what has not settled is not good")
	older := s.intent(Order{Release: "old", Fence: 12}, "new", 3).landed(3)
	require.Equal(t, []string{"new", "old"}, older.Good, "it was not put back, and has not settled again")
}

// What a way back leaves is condemned: nothing goes back to it, and nothing keeps its files once it
// no longer runs.
func TestWayBackCondemns(t *testing.T) {
	s := State{
		Fence: 10, Desired: "b", Phase: Applied, Before: "c",
		Good: []string{"b", "c", "a"}, Ran: []string{"b", "c"}, Prepared: []string{"b", "p"},
	}
	home := s
	home.Desired, home.Phase = "f", Refused
	home.Prepared = []string{"f"}
	crashed := s
	crashed.Phase, crashed.Good = Applying, []string{"c", "a"}
	for name, c := range map[string]struct {
		state             State
		running           string
		order             Order
		good, ran, landed []string
		kept              []string
	}{
		"to an older one":        {s, "b", Order{Release: "a"}, []string{"c", "a"}, []string{"c"}, []string{"a", "c"}, []string{"a", "c", "p"}},
		"to one that is unknown": {s, "b", Order{Release: "x"}, []string{"c", "a"}, []string{"c"}, []string{"c", "a"}, []string{"a", "c", "p", "x"}},
		"to nothing":             {s, "b", Order{}, []string{"c", "a"}, []string{"c"}, []string{"c", "a"}, []string{"a", "c", "p"}},
		"after it went home":     {home, "b", Order{Release: "b"}, []string{"b", "c", "a"}, []string{"b", "c"}, []string{"b", "c", "a"}, []string{"a", "b", "c"}},
		"to what runs":           {s, "b", Order{Release: "b"}, []string{"b", "c", "a"}, []string{"b", "c"}, []string{"b", "c", "a"}, []string{"a", "b", "c", "p"}},
		"after a crash":          {crashed, "b", Order{Release: "c"}, []string{"c", "a"}, []string{"c"}, []string{"c", "a"}, []string{"a", "c", "p"}},
	} {
		c.order.Fence, c.order.Back = 12, true
		next := c.state.intent(c.order, c.running, 3)
		require.Equal(t, c.good, next.Good, name)
		require.Equal(t, c.ran, next.Ran, name)
		require.Equal(t, c.order.Release, next.home(c.order.Release), "%s: there is nothing else to go back to", name)
		require.True(t, next.refused("says no").Again, name)
		landed := next.landed(3)
		require.Equal(t, c.landed, landed.Good, name)
		require.ElementsMatch(t, c.kept, slices.Collect(maps.Keys(landed.keeps(c.order.Release))), name)

		// A later order that fails goes back to no condemned one, also where a crash came between.
		for _, then := range []State{next, landed, next.refused("says no")} {
			after := then.intent(Order{Release: "next", Fence: 20}, c.order.Release, 3)
			require.False(t, after.Back, name)
			require.NotContains(t, []string{c.state.Desired, c.running}, gone(after.home("next"), c.order.Release), name)
		}
	}
	require.Equal(t, []string{"b", "c", "a"}, s.Good, "the state before is as it was")
}

// gone is a release that is not the one that was put back.
func gone(home, back string) string {
	if home == back {
		return "what was put back"
	}
	return home
}

// An order that only waits gives way to a newer one.
func TestGivesWay(t *testing.T) {
	waits := Order{Release: "new", Fence: 10}
	for name, c := range map[string]struct {
		order Order
		want  bool
	}{
		"the same":                     {waits, false},
		"an older one":                 {Order{Release: "old", Fence: 9, Back: true}, false},
		"a newer one":                  {Order{Release: "newer", Fence: 11}, true},
		"a newer one by another key":   {Order{Release: "newer", Fence: 11, Key: "k"}, true},
		"its way back":                 {Order{Release: "old", Fence: 10, Back: true}, true},
		"another with its fence":       {Order{Release: "old", Fence: 10}, false},
		"a newer one for the same one": {Order{Release: "new", Fence: 11}, true},
	} {
		require.Equal(t, c.want, waits.givesWay(c.order), name)
	}
}
