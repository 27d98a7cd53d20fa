package inventory_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/inventory"
	"github.com/sluicehq/sluice/internal/spec"
)

var now = time.Unix(1_700_000_000, 0)

// api is a source whose API answers every query as handle does.
func api(t *testing.T, handle http.HandlerFunc) spec.FleetSource {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return spec.FleetSource{
		Prometheus: s.URL, Query: `up{job="edge"}`, ID: "{{label.host}}", Address: "{{label.instance}}",
		Labels: []string{"region"}, Timeout: spec.Duration(5 * time.Second),
	}
}

// answering is an API that answers one body, in JSON.
func answering(t *testing.T, status int, body string) spec.FleetSource {
	return api(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

type metric map[string]string

// vector is the answer of an API that knows these series.
func vector(series ...metric) string {
	type sample struct {
		Metric metric `json:"metric"`
		Value  [2]any `json:"value"`
	}
	out := []sample{}
	for _, m := range series {
		out = append(out, sample{m, [2]any{now.Unix(), "0"}})
	}
	data, _ := json.Marshal(out)
	return fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":%s}}`, data)
}

func host(id string) metric {
	return metric{"__name__": "up", "job": "edge", "host": id, "instance": id + ".example:9100", "region": "eu"}
}

func list(t *testing.T, f spec.FleetSource) (fleet.Fleet, error) {
	t.Helper()
	return inventory.List(t.Context(), f, inventory.Deps{Now: func() time.Time { return now }})
}

// Each series is a target, whatever its value and its order: a target that is down is one, too. One
// moment is asked about.
func TestPrometheus(t *testing.T) {
	want := fleet.Fleet{Targets: []fleet.Target{
		{ID: "a", Address: "a.example:9100", Labels: map[string]string{"region": "eu"}},
		{ID: "b", Address: "b.example:9100", Labels: map[string]string{"region": "eu"}},
	}}
	for _, series := range [][]metric{{host("a"), host("b")}, {host("b"), host("a")}} {
		f := api(t, func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("query") != `up{job="edge"}` || r.FormValue("time") != "1700000000" {
				http.Error(w, "unexpected "+r.Form.Encode(), http.StatusTeapot)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(vector(series...)))
		})
		got, err := list(t, f)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	f := answering(t, 200, vector(host("a")))
	f.Labels = nil
	got, err := list(t, f)
	require.NoError(t, err)
	require.Nil(t, got.Targets[0].Labels)
}

// What is not a whole fleet is an error, never a smaller fleet. Only what may go by is tried again.
func TestPrometheusFails(t *testing.T) {
	without := func(label string) metric {
		m := host("a")
		delete(m, label)
		return m
	}
	with := func(label, value string) metric {
		m := host("a")
		m[label] = value
		return m
	}
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
		again  bool
	}{
		"no series":        {200, vector(), `has no series for up{job="edge"}`, true},
		"a duplicate":      {200, vector(host("b"), host("a"), with("job", "other")), "are both target a", false},
		"no id":            {200, vector(host("b"), without("host")), "lacks a label that id asks for", false},
		"an empty id":      {200, vector(host("b"), with("host", "")), "lacks a label that id asks for", false},
		"no address":       {200, vector(host("b"), without("instance")), "lacks a label that address asks for", false},
		"no region":        {200, vector(host("b"), without("region")), "no label region", false},
		"a bad id":         {200, vector(with("host", "a b")), "is not an id", false},
		"a bad address":    {200, vector(with("instance", "http://a/")), "is a URL", false},
		"a password":       {200, vector(with("instance", "me:hunter2@a")), "never holds a secret", false},
		"an aggregation":   {200, vector(metric{}), "is the query an aggregation", false},
		"a warning":        {200, `{"warnings":["store b is away"],` + vector(host("a"))[1:], "its answer is partial: store b is away", true},
		"null series":      {200, `{"status":"success","data":{"resultType":"vector","result":[null]}}`, "no labels", false},
		"null":             {200, `{"status":"success","data":null}`, "no instant vector", false},
		"a scalar":         {200, `{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`, "no instant vector", false},
		"a matrix":         {200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, "no instant vector", false},
		"cut":              {200, vector(host("a"), host("b"))[:150], "no usable answer", true},
		"an error":         {422, `{"status":"error","errorType":"execution","error":"too many samples"}`, "too many samples", false},
		"a bad query":      {400, `{"status":"error","errorType":"bad_data","error":"unknown function"}`, "unknown function", false},
		"trouble inside":   {500, `{"status":"error","errorType":"internal","error":"disk"}`, "no usable answer", true},
		"away":             {503, ``, "no usable answer", true},
		"not allowed":      {401, ``, "401 Unauthorized", false},
		"error in success": {200, `{"status":"error","errorType":"timeout","error":"slow"}`, "slow", true},
	} {
		got, err := list(t, answering(t, tc.status, tc.body))
		require.ErrorContains(t, err, tc.want, name)
		require.Equal(t, !tc.again, isFinal(err), "%s: %v", name, err)
		require.NotContains(t, err.Error(), "hunter2")
		require.Empty(t, got.Targets, name)
	}
}

func TestPrometheusRefusesWhatIsNoAPI(t *testing.T) {
	html := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>sign in</html>")) }
	_, err := list(t, api(t, html))
	require.ErrorContains(t, err, "not JSON")
	require.True(t, isFinal(err))
	elsewhere := answering(t, 200, vector(host("a")))
	_, err = list(t, api(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.Prometheus, http.StatusFound)
	}))
	require.ErrorContains(t, err, "redirects are not followed")
	_, err = list(t, api(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	require.ErrorContains(t, err, "to be left alone for 1h0m0s")
	require.False(t, isFinal(err))
}

func TestPrometheusThatIsSilent(t *testing.T) {
	f := api(t, func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // until it is read, nobody notices that the client has left
		<-r.Context().Done()
	})
	f.Timeout = spec.Duration(50 * time.Millisecond)
	_, err := list(t, f)
	require.ErrorContains(t, err, "it took longer than 50ms")
	require.False(t, isFinal(err))
	f.Prometheus = "http://127.0.0.1:1"
	_, err = list(t, f)
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "query=")
	require.False(t, isFinal(err))
	f.Prometheus = "http://169.254.169.254"
	_, err = list(t, f)
	require.ErrorContains(t, err, "--allow-link-local")
	require.True(t, isFinal(err))
}
