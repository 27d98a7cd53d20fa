package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/spec"
)

var (
	applied  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fiveEach = Pace{Every: 5 * time.Second, Blind: 40 * time.Second}
)

// A minute's bake with a look every 5 seconds: when looks came (blind ones after minus),
// and how long it was watched.
func TestWatched(t *testing.T) {
	steps := func(from, to int) (out []int) {
		for at := from; at <= to; at += 5 {
			out = append(out, at)
		}
		return out
	}
	blind := func(of []int) (out []int) {
		for _, at := range of {
			out = append(out, -at)
		}
		return out
	}
	for name, tt := range map[string]struct {
		looks         []int
		owing         bool
		want, missing int // seconds
	}{
		"every look came":          {looks: steps(5, 60), want: 60},
		"one look at the end":      {looks: []int{60}, want: 0, missing: 60},
		"none":                     {want: 0, missing: 60},
		"one was missed":           {looks: append(steps(5, 20), steps(30, 60)...), want: 60},
		"three were missed":        {looks: append(steps(5, 20), steps(40, 60)...), want: 40, missing: 20},
		"frozen for the last half": {looks: append(steps(5, 30), 60), want: 30, missing: 30},
		"frozen in the beginning":  {looks: steps(30, 60), want: 30, missing: 30},
		"two at once":              {looks: []int{5, 5, 10, 10}, want: 10, missing: 50},
		"another worker's clock is a little back": {looks: []int{5, 10, 9, 14, 19}, want: 19, missing: 41},
		"the source answers late":                 {looks: append(blind(steps(5, 35)), steps(40, 60)...), want: 60},
		"the source answers too late":             {looks: append(blind(steps(5, 40)), steps(45, 60)...), want: 15, missing: 45},
		"the source is away in the end":           {looks: append(steps(5, 30), blind(steps(35, 60))...), want: 30, missing: 30},
		"watched for longer than it bakes":        {looks: steps(5, 600), want: 60},
		"after the bake, a gap takes what it was": {looks: append(steps(5, 60), 80), owing: true, want: 40, missing: 20},
		"after the bake, a long gap takes it all": {looks: append(steps(5, 60), 600), owing: true, want: 0, missing: 60},
		"after the bake, blindness takes it":      {looks: append(append(steps(5, 60), blind(steps(65, 120))...), 125), owing: true, want: 0, missing: 60},
		"after the bake, it is made up for":       {looks: append(append(steps(5, 60), 80), steps(85, 100)...), owing: true, want: 60},
	} {
		t.Run(name, func(t *testing.T) {
			w := Watched{Until: applied, Most: time.Minute, Owing: tt.owing}
			for _, at := range tt.looks {
				w = w.Look(applied.Add(time.Duration(max(at, -at))*time.Second), at > 0, fiveEach)
			}
			require.Equal(t, time.Duration(tt.want)*time.Second, w.For)
			require.Equal(t, time.Duration(tt.missing)*time.Second, w.Missing(time.Minute))
		})
	}
}

// Signs of a slow look are watched time; without them it is a gap.
func TestWatchedInASlowLook(t *testing.T) {
	w := Watched{Until: applied, Most: time.Minute}
	slow, frozen := w, w
	for at := time.Duration(0); at < 30*time.Second; at += 5 * time.Second {
		slow = slow.Sign(applied.Add(at), fiveEach)
	}
	require.Equal(t, 30*time.Second, slow.Look(applied.Add(30*time.Second), true, fiveEach).For)
	require.Zero(t, frozen.Look(applied.Add(30*time.Second), true, fiveEach).For)
}

// However looks come, no more is watched than has passed less every long gap, and nothing
// of it depends on what is owed later.
func TestWatchedIsNeverTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Watched{Until: applied, Most: time.Hour}
		at, most := applied, time.Duration(0)
		for range rapid.IntRange(0, 60).Draw(t, "looks") {
			gap := time.Duration(rapid.Int64Range(0, int64(30*time.Second)).Draw(t, "gap"))
			at = at.Add(gap)
			if gap <= 2*fiveEach.Every {
				most += gap
			}
			before := w.For
			if rapid.Bool().Draw(t, "sign") {
				w = w.Sign(at, fiveEach)
				require.Equal(t, before, w.For, "only a look that sees counts")
			} else {
				w = w.Look(at, rapid.Bool().Draw(t, "saw"), fiveEach)
			}
			require.GreaterOrEqual(t, w.For, before)
			require.LessOrEqual(t, w.For, most)
		}
		owing := w
		owing.Owing = true
		require.LessOrEqual(t, owing.Look(at.Add(time.Hour), true, fiveEach).For, w.Look(at.Add(time.Hour), true, fiveEach).For)
	})
}

func TestSaw(t *testing.T) {
	for name, tt := range map[string]struct {
		results []Result
		want    bool
	}{
		"nothing asked":            {},
		"pass":                     {results: []Result{{Check: "errors", Verdict: Pass}}, want: true},
		"ok so far":                {results: []Result{{Check: "errors", Standing: OKSoFar}}, want: true},
		"too little yet":           {results: []Result{{Check: "errors", Verdict: Unexercised}}, want: true},
		"harm":                     {results: []Result{{Check: "errors", Verdict: Fail}}, want: true},
		"no data":                  {results: []Result{{Check: "errors", Verdict: judge.NoData}, {Check: "alive", Verdict: Pass}}},
		"stale":                    {results: []Result{{Check: "errors", Verdict: judge.Stale}}},
		"one of two":               {results: []Result{{Check: "a", Verdict: Pass}, {Check: "b", Verdict: NoData}}},
		"one that advises":         {results: []Result{{Check: "a", Verdict: Pass}, {Check: "b", Verdict: NoData, Advisory: true}}, want: true},
		"traffic takes its time":   {results: []Result{{Check: "a", Verdict: Pass}, {Check: spec.CheckTraffic, Verdict: NoData}}, want: true},
		"only those that advise":   {results: []Result{{Check: "a", Verdict: Pass, Advisory: true}}},
		"nobody knows who is well": {results: []Result{{Check: "a", Verdict: Pass}, {Check: spec.CheckAlive, Verdict: NoData}}},
	} {
		require.Equal(t, tt.want, Report{Results: tt.results}.Saw(), name)
	}
}
