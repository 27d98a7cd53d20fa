package health_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

func number(v float64) *spec.Number { return new(spec.Number(v)) }

const second = spec.Duration(1e9)

// suiteSpec asks the suite's questions.
func suiteSpec(bad, total, queue, eachBad, eachTotal, eachQueue string) spec.Health {
	return spec.Health{
		Identify: spec.Identify{Label: "instance", Value: "{{address}}"},
		Every:    15 * second, Window: 300 * second, StaleAfter: 30 * second,
		Without: []string{spec.CheckAlive, spec.CheckTraffic}, Traffic: total,
		Checks: []spec.Check{
			{Name: "errors", Bad: bad, Total: total, Max: number(0.05), MinSamples: 100},
			{Name: "queue", Value: queue, Max: number(4)},
			{Name: "each errors", Each: spec.EachTarget, Bad: eachBad, Total: eachTotal, Max: number(0.05), MinSamples: 100},
			{Name: "each queue", Each: spec.EachTarget, Value: eachQueue, Max: number(4)},
		},
	}
}

func prometheusRig(_ *testing.T, n *network) rig {
	h := suiteSpec(
		`sum(increase(requests_total{code=~"5..",$exposed}[$window]))`, `sum(increase(requests_total{$exposed}[$window]))`, `max(queue{$exposed})`,
		`sum by (instance) (increase(requests_total{code=~"5..",$exposed}[$window]))`, `sum by (instance) (increase(requests_total{$exposed}[$window]))`, `max by (instance) (queue{$exposed})`,
	)
	h.Source = spec.Choose("prometheus", "http://prometheus:9090/hunter2")
	pass := map[string]health.Verdict{"errors": health.Pass, "queue": health.Pass, "each errors": health.Pass, "each queue": health.Pass}
	// A count of 3 is too small to be judged, and no answer of each target.
	ofAll := map[string]health.Verdict{"queue": health.Pass, "errors": health.Unexercised}
	all := func(body string) http.Handler { return api{answer: func(string, bool) string { return body }} }
	valued := func(v string) http.Handler {
		return api{answer: func(_ string, each bool) string { return instances(each, v) }}
	}
	const native = `"histogram":[1772366460,{"count":"10","sum":"5","buckets":[[0,"1","2","10"]]}]`
	return rig{
		health: h, binding: fourTargets(), net: n, tell: tellPrometheus,
		answers: map[string]answer{
			"sound":             {api{answer: sound}, pass, "3, limit 4"},
			"empty":             {all(result("vector", "[]")), nil, "no series"},
			"NaN":               {valued("NaN"), nil, "NaN"},
			"+Inf":              {valued("+Inf"), nil, "Inf"},
			"-Inf":              {valued("-Inf"), nil, "Inf"},
			"negative":          {valued("-5"), map[string]health.Verdict{"queue": health.Pass, "each queue": health.Pass}, "-5, limit 4"},
			"beyond counting":   {valued("1e300"), map[string]health.Verdict{"queue": health.Fail, "each queue": health.Fail}, "above the limit 4"},
			"several series":    {all(result("vector", `[`+series("t0:80", "3")+`,`+series("t0:80", "3")+`,`+series("t1:80", "3")+`]`)), nil, "3 series where one is asked"},
			"native histogram":  {all(result("vector", `[{"metric":{"instance":"t0:80"},`+native+`}]`)), nil, "native histogram"},
			"classic histogram": {all(result("vector", "[]")), nil, "no series"}, // its name has no series, only _bucket, _sum and _count have
			"scalar":            {all(result("scalar", `[1772366460,"3"]`)), ofAll, "3, limit 4"},
			"string":            {all(result("string", `[1772366460,"3"]`)), nil, "string"},
			"matrix":            {all(result("matrix", `[{"metric":{},"values":[[1772366460,"3"]]}]`)), nil, "matrix"},
			"an unknown type":   {all(result("streams\u001b[31m", `[]`)), nil, "no usable answer"},
			"stale":             {api{answer: sound, age: 31}, verdicts(health.Stale), "the newest sample is 31s old"},
			"in the future":     {api{answer: sound, age: -45}, verdicts(health.Stale), "45s in the future"},
			"HTML":              {typed("text/html", "<html>log in</html>"), nil, "not JSON"},
			"truncated":         {typed("application/json", instances(true, "3")[:60]), nil, "no usable answer"},
			"an error":          {all(`{"status":"error","errorType":"bad_data","error":"parse error\u001b[31m"}`), nil, "parse error [31m"},
			"warnings":          {api{answer: sound, warnings: `["PromQL warning: w1\u001b[31m","PromQL info: w2","PromQL warning: w3","PromQL warning: w4","PromQL warning: w5","PromQL warning: w6"]`}, pass, "3, limit 4"},
			"partial":           {api{answer: sound, warnings: `["rpc error: code = Unavailable"]`}, nil, "its answer is partial: rpc error"},
			"partial (VM)":      {api{answer: sound, warnings: `null,"isPartial":true`}, nil, "its answer is partial (isPartial)"},
			"null":              {all(`null`), nil, "answered nothing"},
			"nothing":           {all(`{}`), nil, "answered nothing"},
			"a null series":     {all(result("vector", `[null]`)), nil, "without a value"},
			"no value":          {all(result("vector", `[{"metric":{"instance":"t0:80"}},{"metric":{"instance":"t1:80"},"value":null}]`)), nil, "2 series"},
			"an empty series":   {all(result("vector", `[{}]`)), nil, "without a value"},
			"a null histogram":  {all(result("vector", `[{"metric":{"instance":"t0:80"},"histogram":null}]`)), nil, "no usable answer"},
			"a null vector":     {all(result("vector", `null`)), nil, ""},
			"a value too few":   {all(result("vector", `[{"metric":{"instance":"t0:80"},"value":[0]}]`)), nil, ""},
			"no number":         {valued("3x"), nil, "no usable answer"},
			"strangers":         {api{answer: func(string, bool) string { return result("vector", `[`+series("else:80", "3")+`]`) }}, ofAll, "3, limit 4"},
			"strangers too":     {api{answer: strangers}, pass, "3, limit 4"},
			"one of two":        {api{answer: oneOfTwo}, map[string]health.Verdict{"errors": health.Pass, "queue": health.Pass}, "3, limit 4"},
		},
	}
}

// verdicts is the same verdict on every check.
func verdicts(v health.Verdict) map[string]health.Verdict {
	out := map[string]health.Verdict{}
	for _, check := range suiteChecks {
		out[check] = v
	}
	return out
}

func typed(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, body)
	}
}

// api answers as a Prometheus does. When the newest sample was taken it knows itself: so many
// seconds before the look.
type api struct {
	answer   func(query string, each bool) string
	age      float64
	warnings string
}

func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("query")
	at, _ := strconv.ParseFloat(r.FormValue("time"), 64)
	each := strings.Contains(query, "by (instance)")
	w.Header().Set("Content-Type", "application/json")
	if strings.Contains(query, "timestamp(") {
		_, _ = io.WriteString(w, instances(each, fmt.Sprintf("%f", at-a.age)))
		return
	}
	body := a.answer(query, each)
	if a.warnings != "" {
		body = strings.Replace(body, `{"status"`, `{"warnings":`+a.warnings+`,"status"`, 1)
	}
	_, _ = io.WriteString(w, body)
}

// sound answers what a healthy fleet shows.
func sound(query string, each bool) string {
	switch {
	case strings.Contains(query, "queue"):
		return instances(each, "3")
	case strings.Contains(query, "5.."):
		return instances(each, "1")
	}
	return instances(each, "1000")
}

// strangers answers also series of targets that nobody asked about.
func strangers(query string, each bool) string {
	s := sound(query, each)
	if each {
		s = strings.Replace(s, `"result":[`, `"result":[`+strings.Replace(series("else:80", "100"), "else", `else\u001b[31m`, 1)+`,`, 1)
	}
	return s
}

// oneOfTwo answers of each target the first only.
func oneOfTwo(query string, each bool) string {
	s := sound(query, each)
	if each {
		s = result("vector", "["+strings.Split(strings.Split(s, `"result":[`)[1], "},{")[0]+"}]")
	}
	return s
}

func result(kind, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
}

func series(instance, value string) string {
	return fmt.Sprintf(`{"metric":{"instance":%q},"value":[1772366460,%q]}`, instance, value)
}

// instances answers a value of all targets, or of both exposed ones.
func instances(each bool, value string) string {
	if !each {
		return result("vector", "["+series("", value)+"]")
	}
	return result("vector", "["+series("t0:80", value)+","+series("t1:80", value)+"]")
}
