package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// oracle answers queries as a test says, without a network.
type oracle func(query string, r *http.Request) (status int, kind string, body io.Reader, err error)

func (o oracle) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	status, kind, answer, err := o(form.Get("query"), r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(answer), Request: r,
	}, nil
}

const asJSON = "application/json"

// answers is an oracle that answers every query the same, except that every series
// has just been sampled, at the time asked for.
func answers(data string) oracle {
	return func(query string, r *http.Request) (int, string, io.Reader, error) {
		if strings.HasPrefix(query, "max(timestamp(") {
			data := vector(fmt.Sprint(looked.Unix()))
			return http.StatusOK, asJSON, strings.NewReader(data), nil
		}
		return http.StatusOK, asJSON, strings.NewReader(data), nil
	}
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
		Prometheus: "http://prometheus:9090", Identify: spec.Identify{Label: "instance", Value: "{{address}}"},
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
	b := Binding{Unit: "edge", Release: "2.0.0", Previous: "1.0.0", Stage: "canary", Since: looked.Add(-time.Minute)}
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
	m, err := Open(h, b, Deps{Transport: transport})
	require.NoError(t, err)
	r, err := m.Look(t.Context(), looked)
	require.NoError(t, err)
	return r
}

func TestPrometheusAnswers(t *testing.T) {
	const native = `[{"metric":{},"histogram":[1772366460,{"count":"10","sum":"5","buckets":[[0,"1","2","10"]]}]}]`
	for _, tc := range []struct {
		name, answer string
		want         Verdict
		says         string
	}{
		{"a number", vector("0.3"), Pass, "0.3, limit 0.4"},
		{"a breach", vector("0.5"), Fail, "0.5 above the limit 0.4"},
		{"a scalar", success("scalar", `[1772366460,"0.3"]`), Pass, "0.3, limit 0.4"},
		{"a scalar NaN", success("scalar", `[1772366460,"NaN"]`), NoData, "NaN"},
		{"empty", vector(), NoData, "no series"},
		{"NaN", vector("NaN"), NoData, "NaN"},
		{"+Inf", vector("+Inf"), NoData, "Inf"},
		{"-Inf", vector("-Inf"), NoData, "Inf"},
		{"several series", vector("0.1", "0.2"), NoData, "2 series where one is asked"},
		{"a native histogram", success("vector", native), NoData, "native histogram"},
		{"a string", success("string", `[1772366460,"0.3"]`), NoData, "string"},
		{"a matrix", success("matrix", `[{"metric":{},"values":[[1772366460,"0.3"]]}]`), NoData, "matrix"},
		{"an unknown type", success("streams", `[]`), NoData, "no usable answer"},
		{"nothing of what it should be", `{}`, NoData, "answered nothing"},
		{"null", `null`, NoData, "answered nothing"},
		{"an empty body", ``, NoData, "no usable answer"},
		{"truncated JSON", vector("0.3")[:50], NoData, "no usable answer"},
		{"a number that is none", vector("0.3x"), NoData, "no usable answer"},
		{"control characters", success("streams\u001b[31m", `[]`), NoData, "no usable answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				res := lookProm(t, promSpec(promValue()), promBinding(4, 2), answers(tc.answer)).Results[0]
				require.Equal(t, tc.want, res.Verdict, res.Sentence)
				require.Contains(t, res.Sentence, tc.says)
				require.NotContains(t, res.Sentence, "\x1b")
				require.Less(t, len(res.Sentence), 400)
				require.Equal(t, []string{`max(latency{instance=~"10\\.0\\.0\\.0:80|10\\.0\\.0\\.1:80"})`}, res.Queries)

				ratio := lookProm(t, promSpec(promRatio()), promBinding(4, 2), answers(tc.answer)).Results[0]
				require.NotEqual(t, Pass, ratio.Verdict, "no count of 100 in it")
			})
		})
	}
}

func TestPrometheusTrouble(t *testing.T) {
	huge := func() io.Reader { return io.LimitReader(zeros{}, 100<<20) }
	for _, tc := range []struct {
		name  string
		tries int32
		do    oracle
		says  string
	}{
		{"500", 3, func(string, *http.Request) (int, string, io.Reader, error) {
			return 500, "text/plain", strings.NewReader("boom"), nil
		}, "500"},
		{"503 in JSON", 3, func(string, *http.Request) (int, string, io.Reader, error) {
			return 503, asJSON, strings.NewReader(`{"status":"error","errorType":"timeout","error":"query timed out"}`), nil
		}, "503"},
		{"429", 3, func(string, *http.Request) (int, string, io.Reader, error) {
			return 429, "text/plain", strings.NewReader("slow down"), nil
		}, "429"},
		{"a bad query", 1, func(string, *http.Request) (int, string, io.Reader, error) {
			return 400, asJSON, strings.NewReader(`{"status":"error","errorType":"bad_data","error":"parse error\u001b[31m"}`), nil
		}, "parse error [31m"},
		{"401", 1, func(string, *http.Request) (int, string, io.Reader, error) {
			return 401, "text/html", strings.NewReader("<html>"), nil
		}, "401 Unauthorized"},
		{"a redirect", 1, func(string, *http.Request) (int, string, io.Reader, error) {
			return 302, "text/html", strings.NewReader("<html>"), nil
		}, "redirects are not followed"},
		{"HTML", 1, func(string, *http.Request) (int, string, io.Reader, error) {
			return 200, "text/html", strings.NewReader("<html>log in</html>"), nil
		}, "not JSON"},
		{"100 MB", 1, func(string, *http.Request) (int, string, io.Reader, error) {
			return 200, asJSON, huge(), nil
		}, "more than 4 MiB"},
		{"never", 3, func(_ string, r *http.Request) (int, string, io.Reader, error) {
			<-r.Context().Done()
			return 0, "", nil, r.Context().Err()
		}, "it took longer than 10s"},
		{"never ends", 3, func(_ string, r *http.Request) (int, string, io.Reader, error) {
			return 200, asJSON, stuck{r.Context()}, nil
		}, "it took longer than 10s"},
		{"refused", 3, func(string, *http.Request) (int, string, io.Reader, error) {
			return 0, "", nil, errors.New("dial tcp: connection refused")
		}, "prometheus:9090: dial tcp: connection refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tries atomic.Int32
				began := time.Now()
				res := lookProm(t, promSpec(promValue()), promBinding(4, 2), oracle(func(q string, r *http.Request) (int, string, io.Reader, error) {
					tries.Add(1)
					return tc.do(q, r)
				})).Results[0]
				require.Equal(t, NoData, res.Verdict, res.Sentence)
				require.Contains(t, res.Sentence, tc.says)
				require.NotContains(t, res.Sentence, "\x1b")
				require.NotContains(t, res.Sentence, "api/v1", "the URL may hold what nobody should read")
				require.Equal(t, tc.tries, tries.Load())
				require.Less(t, time.Since(began), 35*time.Second)
			})
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// stuck is a body that never ends.
type stuck struct{ ctx context.Context } //nolint:containedctx // a body lives as long as its request

func (s stuck) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
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

// Every query of a look is asked at the same moment, about the right arm, over no
// more than the time since the apply.
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
			return 200, asJSON, strings.NewReader(`{"status":"success","warnings":["w1","w2","w3","w4\u001b","w5","w6"],"data":{"resultType":"vector","result":[{"metric":{},"value":[0,"412"]}]}}`), nil
		case strings.Contains(query, "0\\\\.3:80"):
			return 200, asJSON, strings.NewReader(vector("22000")), nil
		}
		return 200, asJSON, strings.NewReader(vector("13290")), nil
	})).Results[0]
	require.Equal(t, Fail, res.Verdict)
	require.Equal(t, "exposed 3.1% (412/13,290) vs control 0.4% (88/22,000); +675% worse (limit +20%)", res.Sentence)
	require.Equal(t, []string{
		`sum(increase(requests_total{instance=~"10\\.0\\.0\\.0:80|10\\.0\\.0\\.1:80"}[1m]))`,
		`sum(increase(requests_total{code=~"5..",instance=~"10\\.0\\.0\\.0:80|10\\.0\\.0\\.1:80"}[1m]))`,
		`sum(increase(requests_total{instance=~"10\\.0\\.0\\.2:80|10\\.0\\.0\\.3:80"}[1m]))`,
		`sum(increase(requests_total{code=~"5..",instance=~"10\\.0\\.0\\.2:80|10\\.0\\.0\\.3:80"}[1m]))`,
	}, res.Queries)
	require.Equal(t, []string{"w1", "w2", "w3", "w4 ", "w5"}, res.Warnings)
}

// A program that has never failed has no series of failures. That is no failure,
// while a total without a series is no evidence.
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
	_, err := Open(h, b, Deps{})
	require.ErrorContains(t, err, `targets t1 and t2 both appear as instance="eu"`)
	b.Control[0].Labels, b.Control[1].Labels = map[string]string{"region": "us"}, nil
	_, err = Open(h, b, Deps{})
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

// Over a real connection: neither another host nor more than is accepted is read.
func TestPrometheusOverHTTP(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.FormValue("query"), "latency") {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("Content-Type", asJSON)
		for block := make([]byte, 1<<20); sent.Load() < 100<<20; sent.Add(int64(len(block))) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	h := promSpec(promValue(), promRatio())
	h.Prometheus = server.URL
	r := lookProm(t, h, promBinding(4, 2), nil)
	require.Equal(t, NoData, r.Results[0].Verdict)
	require.Contains(t, r.Results[0].Sentence, "redirects are not followed")
	require.Equal(t, NoData, r.Results[1].Verdict)
	require.Contains(t, r.Results[1].Sentence, "more than 4 MiB")
	require.Less(t, sent.Load(), int64(50<<20))
}
