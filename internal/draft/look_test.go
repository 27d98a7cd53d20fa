package draft_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/draft"
	"github.com/sluicehq/sluice/internal/fleet"
)

// serve serves until the end of the test, and answers its host and port.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// A page is read twice, its address becomes a template of every target's, and the probe asks for
// the first path that answers.
func TestLookAtPage(t *testing.T) {
	var reads atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} %d\n", 1000*reads.Add(1))
	})
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	address := serve(t, mux)
	port := address[strings.LastIndex(address, ":")+1:]
	look := draft.Looker{Gap: time.Millisecond}
	for name, tt := range map[string]struct {
		target fleet.Target
		url    string
	}{
		"address":         {fleet.Target{ID: "a", Address: address}, "http://{{address}}/metrics"},
		"label":           {fleet.Target{ID: "a", Address: "127.0.0.1:1", Labels: map[string]string{"metrics": address}}, "http://{{label.metrics}}/metrics"},
		"host of a label": {fleet.Target{ID: "a", Address: "web:1", Labels: map[string]string{"ip": "127.0.0.1"}}, "http://{{label.ip}}:" + port + "/metrics"},
		"host":            {fleet.Target{ID: "a", Address: "127.0.0.1"}, "http://{{address}}:" + port + "/metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.Targets = []fleet.Target{tt.target}
			seen, err := look.LookAtPage(t.Context(), "http://"+address+"/metrics", o.Targets)
			require.NoError(t, err)
			s := valid(t, draft.Write(o, seen), o.Targets)
			text, err := json.Marshal(s.Health.Source)
			require.NoError(t, err)
			require.Contains(t, string(text), tt.url)
			if name == "address" {
				require.Contains(t, draft.Write(o, seen).Text, "'http://{{address}}/healthz'")
			}
		})
	}
	seen, err := look.LookAtPage(t.Context(), "http://{{address}}/metrics", []fleet.Target{{ID: "a", Address: address}})
	require.NoError(t, err)
	require.Contains(t, draft.Write(options(), seen).Text, "scrape: {url: 'http://{{address}}/metrics'}")
	_, err = look.LookAtPage(t.Context(), "http://{{label.ip}}/metrics", targets(2))
	require.ErrorContains(t, err, "label")
	_, err = look.LookAtPage(t.Context(), "http://"+address+"/metrics", targets(2))
	require.ErrorContains(t, err, "is no target's of the fleet")
	_, err = look.LookAtPage(t.Context(), "http://me:secret@"+address+"/metrics", targets(2))
	require.ErrorContains(t, err, "has a user or a password")
	require.NotContains(t, err.Error(), "secret")
	_, err = look.LookAtPage(t.Context(), "http://"+address+"/nothing", []fleet.Target{{ID: "a", Address: address}})
	require.ErrorContains(t, err, "it answered 404 Not Found")
	_, err = look.LookAtPage(t.Context(), "metrics", targets(2))
	require.ErrorContains(t, err, "no page")
}

// A page of many targets, told apart by a label, leads to the targets' own pages, or says that it
// takes these.
func TestLookAtASharedPage(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "up{target=\"web-1\"} 1\nrequests_total{target=\"web-1\",code=\"200\"} 9\nrequests_total{target=\"web-2\",code=\"200\"} 9\n")
	})
	mux.HandleFunc("/t/web-1/metrics", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "own_requests_total{code=\"200\"} 9\n") })
	address := serve(t, mux)
	own := []fleet.Target{{ID: "web-1", Address: address + "/t/web-1"}, {ID: "web-2", Address: address + "/t/web-2"}}
	look := draft.Looker{Gap: time.Millisecond}
	seen, err := look.LookAtPage(t.Context(), "http://"+address+"/metrics", own)
	require.NoError(t, err)
	require.Equal(t, "the page http://"+address+"/t/web-1/metrics; http://"+address+"/metrics shows 2 of 2 targets, by the label target", seen.From)
	o := options()
	o.Targets = own
	d := draft.Write(o, seen)
	require.Contains(t, d.Text, "scrape: {url: 'http://{{address}}/metrics'}")
	require.Contains(t, d.Text, "own_requests_total")

	_, err = look.LookAtPage(t.Context(), "http://"+address+"/metrics", []fleet.Target{{ID: "web-1", Address: "127.0.0.1:1"}})
	require.ErrorContains(t, err, "shows 1 of 1 targets, by the label target, and a rollout reads a page of each target: name one of these")
	_, err = look.LookAtPage(t.Context(), "http://"+address+"/metrics", []fleet.Target{{ID: "db-1", Address: "127.0.0.1:1"}})
	require.ErrorContains(t, err, "is no target's of the fleet")
}

// An exporter that shows many targets is one target to Prometheus: another label than those of up
// tells them apart.
func TestLookAtAPrometheusOfOneExporter(t *testing.T) {
	counters := `[{"metric": {"__name__": "requests", "code": "500", "target": "web-2", "instance": "all:1", "job": "web"}, "value": [1, "10"]}]`
	answers := map[string]string{
		"up":                          `[{"metric": {"__name__": "up", "instance": "all:1", "job": "web"}, "value": [1, "1"]}]`,
		"/api/v1/labels":              `["__name__", "code", "instance", "job", "le", "target"]`,
		"/api/v1/label/target/values": `["web-1", "web-2"]`,
		"/api/v1/label/code/values":   `["200", "500"]`,
		`{target="web-1"}`:            counters,
		"offset":                      "[]",
		"[":                           "[]",
	}
	url := prometheus(t, answers)
	seen, err := draft.Looker{Via: noProbe{}}.LookAtPrometheus(t.Context(), url, targets(2))
	require.NoError(t, err)
	o := options()
	o.Targets = targets(2)
	d := draft.Write(o, seen)
	valid(t, d, o.Targets)
	require.Contains(t, d.Text, "identify: {label: target, value: '{{id}}'}")

	answers["/api/v1/label/target/values"] = `["db-1"]`
	_, err = draft.Looker{Via: noProbe{}}.LookAtPrometheus(t.Context(), url, targets(2))
	require.ErrorContains(t, err, "it knows no target of the fleet")
	require.ErrorContains(t, err, "nor has any other label: code, instance, job, target")
}

// prometheus answers queries by the text before the first brace or bracket, and metadata.
func prometheus(t *testing.T, answers map[string]string) string {
	t.Helper()
	return "http://" + serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/metadata") {
			fmt.Fprint(w, `{"status": "success", "data": {"requests": [{"type": "counter", "help": "", "unit": ""}]}}`)
			return
		}
		if strings.Contains(r.URL.Path, "/label") {
			list, ok := answers[r.URL.Path]
			if !ok {
				list = "[]"
			}
			fmt.Fprint(w, `{"status": "success", "data": `+list+`}`)
			return
		}
		query := r.FormValue("query")
		for _, kind := range []string{"offset", "["} {
			if strings.Contains(query, kind) {
				fmt.Fprint(w, `{"status": "success", "data": {"resultType": "vector", "result": `+answers[kind]+`}}`)
				return
			}
		}
		result, ok := answers[query]
		if !ok {
			result = "[]"
		}
		fmt.Fprint(w, `{"status": "success", "data": {"resultType": "vector", "result": `+result+`}}`)
	}))
}

// A Prometheus is asked which of its labels names the fleet's targets, and about one that is up.
func TestLookAtPrometheus(t *testing.T) {
	up := `[
		{"metric": {"__name__": "up", "instance": "10.1.0.1:9100", "host": "web-1", "job": "web"}, "value": [1, "0"]},
		{"metric": {"__name__": "up", "instance": "10.1.0.2:9100", "host": "web-2", "job": "web"}, "value": [1, "1"]},
		{"metric": {"__name__": "up", "instance": "10.9.0.1:9100", "host": "db-1", "job": "db"}, "value": [1, "1"]}]`
	counters := `[
		{"metric": {"__name__": "requests", "code": "200", "instance": "10.1.0.2:9100", "job": "web"}, "value": [1, "990"]},
		{"metric": {"__name__": "requests", "code": "500", "instance": "10.1.0.2:9100", "job": "web"}, "value": [1, "10"]}]`
	url := prometheus(t, map[string]string{
		"up": up, `{instance="10.1.0.2:9100"}`: counters, `{host="web-2"}`: counters, "offset": "[]", "[": "[]",
	})
	for name, tt := range map[string]struct {
		change func(i int, f *fleet.Target)
		want   string
	}{
		"a label's value": {func(int, *fleet.Target) {}, "identify: {label: instance, value: '{{label.metrics}}'}"},
		"an id":           {func(_ int, f *fleet.Target) { f.Labels = nil }, "identify: {label: host, value: '{{id}}'}"},
		"a host and a port": {
			func(i int, f *fleet.Target) {
				*f = fleet.Target{ID: fmt.Sprint("t", i), Address: fmt.Sprintf("10.1.0.%d", i+1)}
			},
			"identify: {label: instance, value: '{{address}}:9100'}",
		},
		"the address": {
			func(i int, f *fleet.Target) {
				*f = fleet.Target{ID: fmt.Sprint("t", i), Address: fmt.Sprintf("10.1.0.%d:9100", i+1)}
			}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.Targets = targets(3)
			for i := range o.Targets {
				tt.change(i, &o.Targets[i])
			}
			seen, err := draft.Looker{Via: noProbe{}}.LookAtPrometheus(t.Context(), url, o.Targets)
			require.NoError(t, err)
			d := draft.Write(o, seen)
			s := valid(t, d, o.Targets)
			require.Contains(t, d.Text, tt.want)
			require.Equal(t, tt.want == "", !strings.Contains(d.Text, "identify"))
			require.Equal(t, `sum(increase(requests{code=~"5..",$exposed}[$window]))`, checksOf(s)["errors"].Bad)
			require.Contains(t, strings.Join(d.Missing, "\n"), "targets in Prometheus: 1 of 3 are not there, such as "+o.Targets[2].ID)
		})
	}
	native := prometheus(t, map[string]string{"up": up, "offset": "[]", "[": "[]", `{instance="10.1.0.2:9100"}`: `[
		{"metric": {"__name__": "http_request_duration_seconds", "instance": "10.1.0.2:9100"}, "histogram": [1, {"count": "3", "sum": "1", "buckets": []}]}]`})
	seen, err := draft.Looker{Via: noProbe{}}.LookAtPrometheus(t.Context(), native, targets(3))
	require.NoError(t, err)
	require.Contains(t, strings.Join(draft.Write(options(), seen).Missing, "\n"), "http_request_duration_seconds is a native histogram")
	_, err = draft.Looker{}.LookAtPrometheus(t.Context(), url, []fleet.Target{{ID: "x", Address: "10.7.0.1:80"}})
	require.ErrorContains(t, err, "it knows no target of the fleet")
	require.ErrorContains(t, err, "3 series, labels instance, host, job")
}

// noProbe lets only loopback be asked: the fleet's addresses are nobody's.
type noProbe struct{}

func (noProbe) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Host, "127.0.0.1") {
		return nil, http.ErrServerClosed
	}
	return http.DefaultTransport.RoundTrip(r)
}
