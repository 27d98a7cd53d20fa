package health

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// regions is a fleet of eight targets in two regions, of which the first in each is exposed. Every
// target has 100 requests a second and so many errors of them.
func regions(errors map[string]float64) (Binding, oracle) {
	b := Binding{Scope: source.Scope{Unit: "edge", Release: "2.0.0", Stage: "canary", Since: looked}, Bake: 30 * time.Minute}
	for i := range 8 {
		t := fleet.Target{
			ID: fmt.Sprintf("t%d", i), Address: fmt.Sprintf("10.0.0.%d:80", i),
			Labels: map[string]string{"region": []string{"eu", "us"}[i%2]},
		}
		if i < 2 {
			b.Exposed = append(b.Exposed, t)
		} else {
			b.Control = append(b.Control, t)
		}
	}
	b.Cohort = b.Exposed
	window := regexp.MustCompile(`\[(?:(\d+)m)?(?:(\d+)s)?\]`)
	return b, func(query string, r *http.Request) (int, string, io.Reader, error) {
		if strings.HasPrefix(query, "max(timestamp(") {
			return 200, asJSON, strings.NewReader(vector(fmt.Sprint(looked.Add(time.Hour).Unix()))), nil
		}
		long := window.FindStringSubmatch(query)
		minutes, _ := strconv.Atoi(long[1])
		seconds, _ := strconv.Atoi(long[2])
		sum := 0.0
		for i := range 8 {
			if strings.Contains(query, fmt.Sprintf("10\\\\.0\\\\.0\\\\.%d:80", i)) {
				rate := 100.0
				if strings.Contains(query, "5..") {
					rate = errors[fmt.Sprintf("t%d", i)]
				}
				sum += rate * float64(60*minutes+seconds)
			}
		}
		return 200, asJSON, strings.NewReader(vector(fmt.Sprint(sum))), nil
	}
}

// healthy is one error a second for every target of eu and four for those of us.
func healthy() map[string]float64 {
	out := map[string]float64{}
	for i := range 8 {
		out[fmt.Sprintf("t%d", i)] = []float64{1, 4}[i%2]
	}
	return out
}

// lookOnFrom looks as another worker, which goes on from a state as it travels. It answers the
// first result and what a further one goes on from.
func lookOnFrom(t *testing.T, m *Evaluator, s State, at time.Time) (res Result, next State) {
	t.Helper()
	require.NoError(t, m.Restore(s))
	r, err := m.Look(t.Context(), at)
	require.NoError(t, err)
	raw, err := json.Marshal(m.State())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &next))
	return r.Results[0], next
}

func lookOn(t *testing.T, c spec.Check, errors map[string]float64, looks int) Result {
	t.Helper()
	b, source := regions(errors)
	h := promSpec(c)
	h.StaleAfter = seconds(7200)
	var s State
	var res Result
	for n := range looks {
		m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
		require.NoError(t, err)
		res, s = lookOnFrom(t, m, s, looked.Add(time.Duration(15*(n+1))*time.Second))
	}
	return res
}

func against() spec.Check {
	c := promRatio()
	c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(0.2)
	return c
}

// Looks add up: what no single one of them shows, many do.
func TestLooksAddUp(t *testing.T) {
	errors := healthy()
	require.Equal(t, Pass, lookOn(t, against(), errors, 40).Verdict)
	errors["t0"], errors["t1"] = 2, 8
	first := lookOn(t, against(), errors, 3)
	require.NotEqual(t, Fail, first.Verdict, first.Sentence)
	later := lookOn(t, against(), errors, 60)
	require.Equal(t, Fail, later.Verdict, later.Sentence)
	require.InDelta(t, 60*15*200, later.Samples, 15*200, "every event counts once")
}

// Harm in one group fails it, although the other hides it from the whole.
func TestGroups(t *testing.T) {
	errors := healthy()
	errors["t0"], errors["t1"] = 3, 2
	require.Equal(t, Pass, lookOn(t, against(), errors, 40).Verdict)
	c := against()
	c.GroupBy = "region"
	got := lookOn(t, c, errors, 40)
	require.Equal(t, Fail, got.Verdict, got.Sentence)
	require.True(t, strings.HasPrefix(got.Sentence, "region=eu: exposed 3%"), got.Sentence)
	fine := lookOn(t, c, healthy(), 40)
	require.Equal(t, Pass, fine.Verdict, fine.Sentence)
	require.Contains(t, fine.Sentence, "(the worst of 2 groups)")
}

// An adaptive bake waits for those checks that can show something, and for no other.
func TestWhatCanShow(t *testing.T) {
	b, source := regions(healthy())
	b.Adaptive = &spec.Adaptive{Min: seconds(15), Enough: 2, Risk: 0.05}
	limit := slow(1)
	limit.Name, limit.Against, limit.Max = "limit", "", num(0.5)
	limit.Slow.Histogram = "took_seconds{$exposed}"
	h := promSpec(against(), limit)
	h.StaleAfter = seconds(7200)
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
	require.NoError(t, err)
	r, err := m.Look(t.Context(), looked.Add(15*time.Second))
	require.NoError(t, err)
	require.True(t, r.Results[0].CanShow)
	require.False(t, r.Results[1].CanShow, "a plain limit shows nothing")
}

// A cohort of one kind is compared with its own kind.
func TestMatch(t *testing.T) {
	c := against()
	b, source := regions(healthy())
	b.Exposed, b.Control = []fleet.Target{b.Exposed[1]}, append(b.Control, b.Exposed[0])
	b.Cohort = b.Exposed
	for match, want := range map[string]Verdict{"": Fail, "region": Pass} {
		c.Match = match
		h := promSpec(c)
		h.StaleAfter = seconds(7200)
		m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
		require.NoError(t, err)
		var res Result
		for n := range 60 {
			r, err := m.Look(t.Context(), looked.Add(time.Duration(15*(n+1))*time.Second))
			require.NoError(t, err)
			if res = r.Results[0]; res.Verdict == Fail {
				break
			}
		}
		require.Equal(t, want, res.Verdict, "match %q: %s", match, res.Sentence)
	}
	c.Match = "region"
	eu, _ := regions(nil)
	b.Control = eu.Exposed[:1]
	h := promSpec(c)
	h.StaleAfter = seconds(7200)
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
	require.NoError(t, err)
	r, err := m.Look(t.Context(), looked.Add(15*time.Second))
	require.NoError(t, err)
	require.Equal(t, NoData, r.Results[0].Verdict, "nothing of its kind is left, and nothing is known from before")
}

// A source that hears of events late still counts each once: what comes later belongs to a later
// look.
func TestLateSamplesAreCounted(t *testing.T) {
	b, _ := regions(nil)
	const late = 20 // seconds
	window := regexp.MustCompile(`\[(?:(\d+)m)?(?:(\d+)s)?\]`)
	now := 0
	source := oracle(func(query string, _ *http.Request) (int, string, io.Reader, error) {
		if strings.HasPrefix(query, "max(timestamp(") {
			return http.StatusOK, asJSON, strings.NewReader(vector(fmt.Sprint(looked.Add(time.Hour).Unix()))), nil
		}
		long := window.FindStringSubmatch(query)
		minutes, _ := strconv.Atoi(long[1])
		seconds, _ := strconv.Atoi(long[2])
		rate := 100.0
		if strings.Contains(query, "5..") {
			rate = 1
		}
		return http.StatusOK, asJSON, strings.NewReader(vector(fmt.Sprint(rate * float64(max(0, min(60*minutes+seconds, now)-late))))), nil
	})
	h := promSpec(against())
	h.StaleAfter = seconds(7200)
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
	require.NoError(t, err)
	var res Result
	for n := range 80 {
		now = 15 * (n + 1)
		r, err := m.Look(t.Context(), looked.Add(time.Duration(now)*time.Second))
		require.NoError(t, err)
		res = r.Results[0]
	}
	require.Equal(t, Pass, res.Verdict, res.Sentence)
	require.InEpsilon(t, 100*80*15, res.Samples, 0.1, "a little is lost where a range begins anew")
}

// A look in which the source is ahead with bad events has none to compare with, before the change
// neither.
func TestLookAheadBeforeTheChange(t *testing.T) {
	c := against()
	c.Against = spec.AgainstBefore
	b := promBinding(4, 4)
	b.Since, b.Control = time.Time{}, nil
	total := 100.0
	bad := "50"
	source := oracle(func(query string, _ *http.Request) (int, string, io.Reader, error) {
		switch {
		case strings.HasPrefix(query, "max(timestamp("):
			return 200, asJSON, strings.NewReader(vector(fmt.Sprint(looked.Add(time.Hour).Unix()))), nil
		case strings.Contains(query, "5.."):
			return 200, asJSON, strings.NewReader(vector(bad)), nil
		}
		return 200, asJSON, strings.NewReader(vector(fmt.Sprint(total))), nil
	})
	h := promSpec(c)
	h.StaleAfter = seconds(7200)
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
	require.NoError(t, err)
	_, err = m.Look(t.Context(), looked)
	require.NoError(t, err)
	bad = "60" // ten more of them, and no further request
	r, err := m.Look(t.Context(), looked.Add(15*time.Second))
	require.NoError(t, err)
	require.Equal(t, Unexercised, r.Results[0].Verdict, r.Results[0].Sentence)
}
