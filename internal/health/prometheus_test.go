package health

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// oracle answers queries as a test says, without a network.
type oracle func(query string, r *http.Request) (status int, kind string, body io.Reader, err error)

func (o oracle) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	// Nothing is known of before, and no series is new.
	if q := form.Get("query"); strings.HasSuffix(q, " > 0") || strings.Contains(q, " unless ") || whose(q) {
		o = func(string, *http.Request) (int, string, io.Reader, error) {
			return http.StatusOK, asJSON, strings.NewReader(vector()), nil
		}
	}
	status, kind, answer, err := o(form.Get("query"), r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(answer), Request: r,
	}, nil
}

// whose says that a query asks of how many targets series are. Nobody else has any of these names.
func whose(query string) bool {
	return strings.HasPrefix(query, "up{") || strings.HasPrefix(query, "count by (instance, ")
}

const asJSON = "application/json"

// answers is an oracle that answers every query the same, except that every series has just been
// sampled, at the time asked for.
func answers(data string) oracle {
	return func(query string, r *http.Request) (int, string, io.Reader, error) {
		if strings.HasPrefix(query, "max(timestamp(") {
			data := vector(fmt.Sprint(looked.Unix()))
			return http.StatusOK, asJSON, strings.NewReader(data), nil
		}
		return http.StatusOK, asJSON, strings.NewReader(data), nil
	}
}

// replied is an answer of a source that found what it was asked.
func replied(r *http.Request, body string) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {asJSON}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func success(kind, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
}

// vector is an answer with a series for each value.
func vector(values ...string) string {
	series := make([]string, len(values))
	for i, v := range values {
		series[i] = fmt.Sprintf(`{"metric":{"i":"%d"},"value":[1772366460,%q]}`, i, v)
	}
	return success("vector", "["+strings.Join(series, ",")+"]")
}

// looked is a minute after the apply.
var looked = time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC)

func promSpec(checks ...spec.Check) spec.Health {
	return spec.Health{
		Source: spec.Choose("prometheus", "http://prometheus:9090"), Identify: spec.Identify{Label: "instance", Value: "{{address}}"},
		Every: seconds(15), Window: seconds(300), StaleAfter: seconds(30), Traffic: "sum(increase(requests_total{$exposed}[$window]))", Checks: checks,
		Without: []string{spec.CheckAlive, spec.CheckTraffic},
	}
}

func promRatio() spec.Check {
	return spec.Check{
		Name: "errors", Max: num(0.05), MinSamples: 100,
		Bad: `sum(increase(requests_total{code=~"5..",$exposed}[$window]))`, Total: `sum(increase(requests_total{$exposed}[$window]))`,
	}
}

func promValue() spec.Check {
	return spec.Check{Name: "p99", Value: "max(latency{$cohort})", Max: num(0.4)}
}

func promBinding(n, exposed int) Binding {
	b := Binding{Scope: source.Scope{Unit: "edge", Release: "2.0.0", Previous: "1.0.0", Stage: "canary", Since: looked.Add(-time.Minute)}}
	for i := range n {
		t := fleet.Target{ID: fmt.Sprintf("t%d", i), Address: fmt.Sprintf("10.0.0.%d:80", i)}
		if i < exposed {
			b.Exposed = append(b.Exposed, t)
		} else {
			b.Control = append(b.Control, t)
		}
	}
	b.Cohort = b.Exposed
	return b
}

func lookProm(t *testing.T, h spec.Health, b Binding, transport http.RoundTripper) Report {
	t.Helper()
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: transport})
	require.NoError(t, err)
	r, err := m.Look(t.Context(), looked)
	require.NoError(t, err)
	return r
}

// What may go by is asked again, and nothing else is.
func TestPrometheusTries(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		tries  int32
	}{
		{500, "boom", 3},
		{429, "slow down", 3},
		{200, "{", 3},
		{503, `{"status":"error","errorType":"timeout","error":"query timed out"}`, 3},
		{400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, 1},
		{401, "<html>", 1},
		{404, "<html>", 1},
		{302, "<html>", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			var tries atomic.Int32
			res := lookProm(t, promSpec(promValue()), promBinding(4, 2), oracle(func(string, *http.Request) (int, string, io.Reader, error) {
				tries.Add(1)
				return tc.status, asJSON, strings.NewReader(tc.body), nil
			})).Results[0]
			require.Equal(t, NoData, res.Verdict, res.Sentence)
			require.Equal(t, tc.tries, tries.Load(), "%d %s", tc.status, tc.body)
		})
	}
}

// A source that is back before the last attempt answers as if nothing had been.
func TestPrometheusTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int32
		res := lookProm(t, promSpec(promValue()), promBinding(4, 2), oracle(func(q string, r *http.Request) (int, string, io.Reader, error) {
			if tries.Add(1) < 3 {
				return 502, "text/html", strings.NewReader("bad gateway"), nil
			}
			return answers(vector("0.3"))(q, r)
		})).Results[0]
		require.Equal(t, Pass, res.Verdict, res.Sentence)
	})
}

func TestPrometheusFreshness(t *testing.T) {
	sampled := func(ages map[string]time.Duration) oracle {
		return func(query string, r *http.Request) (int, string, io.Reader, error) {
			if inner, ok := strings.CutPrefix(query, "max(timestamp("); ok {
				for name, age := range ages {
					if strings.HasPrefix(inner, name) {
						return 200, asJSON, strings.NewReader(vector(fmt.Sprint(looked.Add(-age).Unix()))), nil
					}
				}
				return 200, asJSON, strings.NewReader(vector()), nil
			}
			return 200, asJSON, strings.NewReader(vector("1000")), nil
		}
	}
	two := spec.Check{Name: "sum", Value: "max(a{$exposed}) + max(b{$exposed})", Max: num(5000)}
	for _, tc := range []struct {
		name string
		ages map[string]time.Duration
		want Verdict
		says string
	}{
		{"fresh", map[string]time.Duration{"a": time.Second, "b": 2 * time.Second}, Pass, "1,000"},
		{"in the future", map[string]time.Duration{"a": -time.Minute, "b": 0}, Stale, "the newest sample is from 1m0s in the future: the clocks"},
		{"a little in the future", map[string]time.Duration{"a": -25 * time.Second, "b": 0}, Pass, "1,000"},
		{"one is old", map[string]time.Duration{"a": time.Second, "b": 31 * time.Second}, Stale, "the newest sample is 31s old, at most 30s is accepted"},
		{"one is absent", map[string]time.Duration{"a": time.Second}, Pass, "1,000"},
		{"both are absent", nil, Stale, "no series of the query has a recent sample"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := lookProm(t, promSpec(two), promBinding(4, 2), sampled(tc.ages)).Results[0]
			require.Equal(t, tc.want, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, tc.says)
		})
	}
	t.Run("from before the apply", func(t *testing.T) {
		b := promBinding(4, 2)
		b.Since = looked.Add(-20 * time.Second)
		res := lookProm(t, promSpec(two), b, sampled(map[string]time.Duration{"a": 25 * time.Second, "b": 25 * time.Second})).Results[0]
		require.Equal(t, Stale, res.Verdict)
		require.Contains(t, res.Sentence, "before the stage was applied")
	})
}

// Every query of a look is asked at the same moment, about the right arm, over no more than the
// time since the apply.
func TestPrometheusAsksAboutTheRightArm(t *testing.T) {
	c := promRatio()
	c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(0.2)
	res := lookProm(t, promSpec(c), promBinding(4, 2), oracle(func(query string, _ *http.Request) (int, string, io.Reader, error) {
		switch {
		case strings.HasPrefix(query, "max(timestamp("):
			return 200, asJSON, strings.NewReader(vector(fmt.Sprint(looked.Unix()))), nil
		case strings.Contains(query, "5..") && strings.Contains(query, "0\\\\.3:80"):
			return 200, asJSON, strings.NewReader(vector("88")), nil
		case strings.Contains(query, "5.."):
			return 200, asJSON, strings.NewReader(`{"status":"success","warnings":["PromQL warning: w1","PromQL info: w2",` +
				`"PromQL warning: w3","PromQL warning: w4\u001b","PromQL warning: w5","PromQL warning: w6"],"data":{"resultType":"vector","result":[{"metric":{},"value":[0,"412"]}]}}`), nil
		case strings.Contains(query, "0\\\\.3:80"):
			return 200, asJSON, strings.NewReader(vector("22000")), nil
		}
		return 200, asJSON, strings.NewReader(vector("13290")), nil
	})).Results[0]
	require.Equal(t, Unexercised, res.Verdict, "one look is half of the evidence, at most")
	require.Contains(t, res.Sentence, "exposed 3.1% (412/13,290) vs control 0.4% (88/22,000): 7.7 times the usual (at least 3.8,")
	require.Contains(t, res.Sentence, "[partly by bets: nothing is known from before the change]")
	require.Equal(t, []string{
		`sum(increase(requests_total{instance=~"10\\.0\\.0\\.0:80|10\\.0\\.0\\.1:80"}[1m]))`,
		`sum(increase(requests_total{code=~"5..",instance=~"10\\.0\\.0\\.0:80|10\\.0\\.0\\.1:80"}[1m]))`,
		`sum(increase(requests_total{instance=~"10\\.0\\.0\\.2:80|10\\.0\\.0\\.3:80"}[1m]))`,
		`sum(increase(requests_total{code=~"5..",instance=~"10\\.0\\.0\\.2:80|10\\.0\\.0\\.3:80"}[1m]))`,
	}, res.Queries)
	require.Equal(t, []string{"PromQL warning: w1", "PromQL info: w2", "PromQL warning: w3", "PromQL warning: w4 ", "PromQL warning: w5"}, res.Warnings)
}

// A program that has never failed has no series of failures. That is no failure, while a total
// without a series is no evidence.
func TestNoSeriesOfFailuresIsNoFailure(t *testing.T) {
	none := func(empty string) oracle {
		return func(query string, r *http.Request) (int, string, io.Reader, error) {
			if strings.Contains(query, empty) {
				return 200, asJSON, strings.NewReader(vector()), nil
			}
			return answers(vector("1000"))(query, r)
		}
	}
	res := lookProm(t, promSpec(promRatio()), promBinding(4, 2), none("5..")).Results[0]
	require.Equal(t, Pass, res.Verdict)
	require.Equal(t, "0% (0/1,000), limit 5%", res.Sentence)
	res = lookProm(t, promSpec(promRatio()), promBinding(4, 2), none("increase")).Results[0]
	require.Equal(t, NoData, res.Verdict)
}

func TestPrometheusNeverAsksMoreThanEightAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		checks := make([]spec.Check, 40)
		for i := range checks {
			checks[i] = promValue()
			checks[i].Name = fmt.Sprint("p", i)
			checks[i].Value = fmt.Sprintf("max(latency%d{$cohort})", i)
		}
		r := lookProm(t, promSpec(checks...), promBinding(4, 2), oracle(func(q string, r *http.Request) (int, string, io.Reader, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
			}
			time.Sleep(time.Second)
			return answers(vector("0.3"))(q, r)
		}))
		require.Equal(t, int32(8), most.Load())
		for i, res := range r.Results {
			require.Equal(t, fmt.Sprint("p", i), res.Check, "in the order of the spec")
			require.Equal(t, Pass, res.Verdict)
		}
	})
}

// A matcher names some of a large arm, and counts are scaled to all of it.
func TestPrometheusSamplesALargeArm(t *testing.T) {
	h := promSpec(promRatio())
	h.Without = []string{spec.CheckAlive}
	b := promBinding(3000, 1000)
	b.Before = Baseline{From: looked.Add(-2 * time.Minute), At: looked.Add(-time.Minute), Exposed: 100_000, Control: 200_000}
	r := lookProm(t, h, b, oracle(func(q string, r *http.Request) (int, string, io.Reader, error) {
		n := strings.Count(q, `:80`)
		if n != 200*max(1, strings.Count(q, "timestamp")) {
			return 200, asJSON, strings.NewReader(vector(fmt.Sprint("NaN", n))), nil
		}
		if strings.Contains(q, "5..") {
			return answers(vector("1"))(q, r)
		}
		return answers(vector("20000"))(q, r)
	}))
	require.Equal(t, "0.005% (1/20,000), limit 5% [read on 200 of 1,000 targets]", r.Results[0].Sentence)
	require.Equal(t, "33% of all requests, 33% before the stage [read on 200 of 1,000 targets]", r.Results[1].Sentence)
	require.Equal(t, Pass, r.Verdict())
	for _, res := range r.Results {
		for _, q := range res.Queries {
			require.LessOrEqual(t, len(q), maxQuery)
		}
	}
}

func TestTargetsThatMetricsCannotTellApartAreRefused(t *testing.T) {
	h, b := promSpec(promValue()), promBinding(4, 2)
	h.Identify.Value = "{{label.region}}"
	for _, ts := range [][]fleet.Target{b.Exposed, b.Control} {
		for i := range ts {
			ts[i].Labels = map[string]string{"region": "eu"}
		}
	}
	_, err := Open(h, b, Deps{Sources: sources, Forms: forms})
	require.ErrorContains(t, err, `targets t1 and t2 both appear as instance="eu"`)
	b.Control[0].Labels, b.Control[1].Labels = map[string]string{"region": "us"}, nil
	_, err = Open(h, b, Deps{Sources: sources, Forms: forms})
	require.ErrorContains(t, err, "t3")
}

// A released name, a label or an address never becomes part of a query's logic.
func TestValuesStayValues(t *testing.T) {
	b := promBinding(2, 1)
	b.Exposed[0].Address = `x"} or vector(0) or up{a="`
	b.Cohort = b.Exposed
	res := lookProm(t, promSpec(promValue()), b, answers(vector("0.5"))).Results[0]
	require.Equal(t, Fail, res.Verdict)
	require.Equal(t, []string{`max(latency{instance=~"x\"\\} or vector\\(0\\) or up\\{a=\""})`}, res.Queries)
}

// PromQL in a unit, a release, a stage, an id, an address or a label: what is asked differs from
// what is asked about harmless ones in the values of matchers alone, and the verdicts are the same.
func TestPromQLInEveryValue(t *testing.T) {
	look := func(evil string) (verdicts []Verdict, asked []string) {
		b := promBinding(4, 2)
		b.Unit, b.Release, b.Previous, b.Stage = "u"+evil, "r"+evil, "p"+evil, "s"+evil
		for _, arm := range [][]fleet.Target{b.Exposed, b.Control} {
			for i := range arm {
				arm[i].Labels = map[string]string{"host": arm[i].ID + evil}
				arm[i].ID, arm[i].Address = arm[i].ID+evil, arm[i].Address+evil
			}
		}
		r := promRatio()
		r.Max, r.Against = nil, spec.AgainstControl
		r.Bad = `sum(increase(bad_total{u="$unit",r=~"$release|x",p!='$previous',s="$stage",$exposed}[$window]))`
		each := promValue()
		each.Name, each.Each, each.Value = "each", spec.EachTarget, "latency{$cohort}"
		h := promSpec(r, promValue(), each)
		h.Identify.Value = "{{id}}/{{address}}/{{label.host}}"
		var mu sync.Mutex
		report := lookProm(t, h, b, oracle(func(q string, r *http.Request) (int, string, io.Reader, error) {
			tree, err := parser.NewParser(parser.Options{}).ParseExpr(q)
			if err != nil {
				refusal := `{"status":"error","errorType":"bad_data","error":"` + url.QueryEscape(err.Error()) + `"}`
				return http.StatusBadRequest, asJSON, strings.NewReader(refusal), nil
			}
			parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
				if s, ok := node.(*parser.VectorSelector); ok {
					for _, m := range s.LabelMatchers {
						if m.Name != "__name__" {
							m.Value = "_"
						}
					}
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, tree.String())
			return answers(vector("500"))(q, r)
		}))
		for _, res := range report.Results {
			verdicts = append(verdicts, res.Verdict)
		}
		slices.Sort(asked)
		return verdicts, asked
	}
	plainVerdicts, plain := look("x")
	for _, evil := range []string{`web"}[5m])) * 0 or sum(rate(x{a="`, "`} or vector(0) #", `\`, `|.*`, "$exposed", "{{id}}"} {
		verdicts, asked := look(evil)
		require.Equal(t, plainVerdicts, verdicts, evil)
		require.Equal(t, plain, asked, evil)
	}
	require.Greater(t, len(plain), 6)
}
