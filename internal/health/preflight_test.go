package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// Before anything was changed there is nothing to compare with the time before: it is enough that
// numbers come. Groups are looked at one by one.
func TestBeforeTheChangeNumbersAreEnough(t *testing.T) {
	for name, groupBy := range map[string]string{"as a whole": "", "in groups": "region"} {
		t.Run(name, func(t *testing.T) {
			c := against()
			c.Against, c.GroupBy = spec.AgainstBefore, groupBy
			b, source := regions(healthy())
			b.Since, b.Bake = time.Time{}, 0
			h := promSpec(c)
			h.StaleAfter = seconds(7200)
			m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: source})
			require.NoError(t, err)
			r, err := m.Look(t.Context(), looked.Add(15*time.Second))
			require.NoError(t, err)
			require.Equal(t, Pass, r.Results[0].Verdict, r.Results[0].Sentence)
			require.Contains(t, r.Results[0].Sentence, "this is what it will be compared with")
		})
	}
}

// Nothing is exposed before the change, so no sentence says so.
func TestUnexposed(t *testing.T) {
	for was, want := range map[string]string{
		"all 60 exposed targets work":                                           "all 60 targets work",
		"3 of 60 exposed targets: a is not alive":                               "3 of 60 targets: a is not alive",
		"50 events on the exposed targets, at least 100 are needed":             "50 events on the targets, at least 100 are needed",
		"exposed 0.3% (1/351) vs control 0.5% (29/6,107): 0.93 times the usual": "the targets of canary 0.3% (1/351) vs the others 0.5% (29/6,107): 0.93 times the usual",
		"region=eu: exposed 3% (1/30) vs control 1% (1/100)":                    "region=eu: the targets of canary 3% (1/30) vs the others 1% (1/100)",
		"the file /exposed is missing":                                          "the file /exposed is missing",
	} {
		require.Equal(t, want, unexposed(was, "canary"))
	}
}

// A name that no target has ever shown is said to be that, and not that the fleet ails.
func TestMisspeltBeforeTheChange(t *testing.T) {
	f := newFarm(t, 4)
	b := f.binding(2)
	b.Since = time.Time{}
	m := f.open(t, quiet(scrapeSpec(
		spec.Check{Name: "errors", Bad: `requests_totl{code=~"5.."}`, Total: "requests_total", Max: num(0.5), MinSamples: 1},
		spec.Check{Name: "load", Value: "laod", Max: num(1)},
	)), b)
	var r Report
	for i := range 3 {
		f.serve("*", 0, 100*(i+1))
		r = f.look(t, m, time.Duration(5*(i+1))*time.Second)
	}
	require.Equal(t, NoData, result(t, r, "errors").Verdict)
	require.Contains(t, result(t, r, "errors").Sentence, `none of these pages shows requests_totl{code=~"5.."}: is a name misspelt`)
	require.Equal(t, "no page has a series such as laod: is the name misspelt?", result(t, r, "load").Sentence)
	require.True(t, r.Mute())
}
