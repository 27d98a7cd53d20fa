package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// orders is a check of a number of each target.
func orders() spec.Check {
	return spec.Check{Name: "orders", Value: "orders{$exposed}", Against: spec.AgainstControl, Drop: num(0.1), MinSamples: 10, Weight: 1}
}

// shops answers a number for each target of a query, by what it is of each; below 0 for none.
func shops(number func(i int) float64) oracle {
	return func(query string, r *http.Request) (int, string, io.Reader, error) {
		kind, at := "vector", `"value":[1772366460,"%g"]`
		if strings.HasSuffix(r.URL.Path, "query_range") {
			kind, at = "matrix", `"values":[[1772366460,"%g"]]`
		}
		var series []string
		for i := range 40 {
			address := fmt.Sprintf("10.0.0.%d:80", i)
			v := number(i)
			if !strings.Contains(query, strings.ReplaceAll(address, ".", `\\.`)) || v < 0 {
				continue
			}
			if strings.Contains(query, "timestamp(") {
				v = float64(looked.Add(time.Hour).Unix())
			}
			series = append(series, fmt.Sprintf(`{"metric":{"instance":%q},`+at+`}`, address, v))
		}
		return 200, asJSON, strings.NewReader(success(kind, "["+strings.Join(series, ",")+"]")), nil
	}
}

// meansBinding has 8 exposed targets and 12 others.
func meansBinding() Binding {
	b := promBinding(20, 8)
	b.Since, b.Bake = looked, 5*time.Minute
	return b
}

// lookOnMeans looks so often, each time as another worker would.
func lookOnMeans(t *testing.T, c spec.Check, b Binding, number func(look, i int) float64, looks int) Result {
	t.Helper()
	h := promSpec(c)
	h.StaleAfter = seconds(7200)
	var s State
	var res Result
	for n := range looks {
		m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: shops(func(i int) float64 { return number(n, i) })})
		require.NoError(t, err)
		res, s = lookOnFrom(t, m, s, looked.Add(time.Duration(15*(n+1))*time.Second))
	}
	return res
}

// steady numbers differ from target to target, and a little from look to look.
func steady(look, i int) float64 { return 100 + float64(i%5) + float64((look+i)%3) }

func fewer(look, i int) float64 {
	if i < 8 {
		return 0.7 * steady(look, i)
	}
	return steady(look, i)
}

func TestMeans(t *testing.T) {
	alone := func(b Binding) Binding {
		b.Control = nil
		return b
	}
	lost := func(first int) func(look, i int) float64 {
		return func(look, i int) float64 {
			if i >= first && i < 8 && look > 4 {
				return -1
			}
			return steady(look, i)
		}
	}
	silent := meansBinding()
	silent.Silent = 2
	before := meansBinding()
	before.Before.Missing = map[string][]string{"orders": {"t6", "t7"}}
	for name, test := range map[string]struct {
		binding Binding
		number  func(look, i int) float64
		verdict Verdict
		words   string
	}{
		"alike":                            {meansBinding(), steady, Pass, "on 8 exposed targets vs"},
		"fewer":                            {meansBinding(), fewer, Fail, "% lower, drop of 10% allowed"},
		"no control":                       {alone(meansBinding()), steady, NoData, "before the change was not seen"},
		"two lose their number":            {meansBinding(), lost(6), NoData, "2 of 8 exposed targets do not show the number: t6, t7"},
		"two lose it, which is tolerated":  {silent, lost(6), Pass, "on 8 exposed targets"},
		"two never had it":                 {before, lost(6), Pass, ""},
		"five lose their number":           {meansBinding(), lost(3), NoData, "5 of 8 exposed targets do not show the number: t3, t4, t5 and 2 more"},
		"no target has it any more at all": {meansBinding(), func(look, i int) float64 { return -1 }, NoData, "no series"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := lookOnMeans(t, orders(), test.binding, test.number, 20)
			require.Equal(t, test.verdict, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, test.words)
		})
	}
}

// Where no control is left, targets are compared with themselves before the stage.
func TestMeansOfThePast(t *testing.T) {
	b := meansBinding()
	b.Cohort, b.Exposed, b.Control = append(b.Exposed, b.Control...), append(b.Exposed, b.Control...), nil
	m, err := Open(promSpec(orders()), b, Deps{Sources: sources, Forms: forms, Transport: shops(func(i int) float64 { return steady(0, i) })})
	require.NoError(t, err)
	b.Before, err = m.Measure(t.Context(), looked)
	require.NoError(t, err)
	require.Len(t, b.Before.Means["orders"], 20)
	raw, err := json.Marshal(b.Before)
	require.NoError(t, err)
	b.Before = Baseline{}
	require.NoError(t, json.Unmarshal(raw, &b.Before))

	res := lookOnMeans(t, orders(), b, steady, 20)
	require.Equal(t, Pass, res.Verdict, res.Sentence)
	require.Contains(t, res.Sentence, "the weaker comparison")
	require.Equal(t, spec.AgainstBefore, res.Against)
	res = lookOnMeans(t, orders(), b, func(look, i int) float64 { return 0.7 * steady(look, i) }, 20)
	require.Equal(t, Fail, res.Verdict, res.Sentence)
}

// Before anything is applied, numbers are only looked for.
func TestMeansBeforeTheChange(t *testing.T) {
	b := meansBinding()
	b.Since = time.Time{}
	require.Equal(t, Pass, lookOnMeans(t, orders(), b, fewer, 1).Verdict)
	res := lookOnMeans(t, orders(), b, func(int, int) float64 { return -1 }, 1)
	require.Equal(t, NoData, res.Verdict, res.Sentence)
}

// Metrics pages show numbers, too, and what they usually were.
func TestMeansOfPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 20)
		show := func(factor float64) {
			for i, target := range f.targets {
				v := steady(int(time.Now().Unix()/5), i)
				if i < 8 {
					v *= factor
				}
				f.extra(target.ID, fmt.Sprintf("# TYPE orders gauge\norders %g\n", v))
			}
		}
		show(1)
		c := orders()
		c.Value = "orders"
		h := scrapeSpec(c)
		h.Without = []string{spec.CheckAlive, spec.CheckTraffic}
		b := f.binding(8)
		b.Bake = 5 * time.Minute
		var err error
		b.Before, err = f.open(t, h, b).Baseline(t.Context(), time.Now())
		require.NoError(t, err)
		require.Len(t, b.Before.Means["orders"], 20)
		for factor, want := range map[float64]Verdict{1: Pass, 0.7: Fail} {
			b.Since = time.Now()
			m := f.open(t, h, b)
			var res Result
			for range 30 {
				time.Sleep(5 * time.Second)
				show(factor)
				r, err := m.Look(t.Context(), time.Now())
				require.NoError(t, err)
				res = r.Results[0]
			}
			require.Equal(t, want, res.Verdict, res.Sentence)
		}
		f.fail("*", errors.New("connection refused"))
		r, err := f.open(t, h, b).Look(t.Context(), time.Now().Add(5*time.Second))
		require.NoError(t, err)
		require.Equal(t, NoData, r.Results[0].Verdict)
	})
}

// Numbers that rest on the time before the change say nothing of it.
func TestMeansOfTheTimeBefore(t *testing.T) {
	c := orders()
	c.Value = "sum by (instance) (increase(orders_total{$exposed}[2m]))"
	b := meansBinding()
	for looks, want := range map[int]Verdict{6: Unexercised, 20: Pass} {
		res := lookOnMeans(t, c, b, steady, looks)
		require.Equal(t, want, res.Verdict, res.Sentence)
		if want == Unexercised {
			require.Contains(t, res.Sentence, "the query reaches back 2m, to before evidence counts")
		}
	}
	harm := lookOnMeans(t, c, b, fewer, 20)
	require.Equal(t, Fail, harm.Verdict, harm.Sentence)
}
