package health_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// habit is what a server does that is not quite a Prometheus, to a question on its way to one.
type habit struct {
	question func(form url.Values, path string)
	answer   func(body map[string]any, path string)
	refuses  func(r *http.Request) (status int, body string)
}

// delay is how long before the time that it is asked about a server answers as of.
const delay = 20 * time.Second

// earlier moves the time of an instant query.
func earlier(form url.Values, path string) {
	if !strings.HasSuffix(path, "/query") {
		return
	}
	at, err := strconv.ParseFloat(form.Get("time"), 64)
	if err != nil { // as servers do that are asked about no time
		at = float64(time.Now().UnixMilli()) / 1000
	}
	form.Set("time", fmt.Sprintf("%.3f", at-delay.Seconds()))
}

// asAsked dates an instant query's answers by the time that was asked about.
func asAsked(body map[string]any, path string) {
	data, _ := body["data"].(map[string]any)
	if data == nil || !strings.HasSuffix(path, "/query") {
		return
	}
	pair := func(v any) {
		if p, ok := v.([]any); ok && len(p) == 2 {
			at, _ := p[0].(float64)
			p[0] = at + delay.Seconds()
		}
	}
	if all, ok := data["result"].([]any); ok {
		if data["resultType"] == "scalar" {
			pair(all)
		}
		for _, s := range all {
			if one, ok := s.(map[string]any); ok {
				pair(one["value"])
			}
		}
	}
}

// habits are those of servers that were met, or that their documentation tells of.
func habits() map[string]habit {
	return map[string]habit{
		"none": {},
		"answers as of some seconds ago, and dates that as asked": {question: earlier, answer: asAsked},
		"answers as of some seconds ago":                          {question: earlier},
		"refuses long ranges with 422": {refuses: func(r *http.Request) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/query_range") {
				return http.StatusUnprocessableEntity, `{"status":"error","errorType":"422","error":"cannot select more than 1000 samples"}`
			}
			return 0, ""
		}},
		"refuses to look ahead": {refuses: func(r *http.Request) (int, string) {
			if strings.Contains(r.FormValue("query"), "offset -") {
				return http.StatusUnprocessableEntity, `{"status":"error","errorType":"execution","error":"negative offset is disabled"}`
			}
			return 0, ""
		}},
		"refuses to look ahead, as bad data": {refuses: func(r *http.Request) (int, string) {
			if strings.Contains(r.FormValue("query"), "offset -") {
				return http.StatusBadRequest, `{"status":"error","errorType":"bad_data","error":"unexpected \"-\" in offset"}`
			}
			return 0, ""
		}},
		"asks for a tenant": {refuses: func(r *http.Request) (int, string) {
			if r.Header.Get("X-Scope-OrgID") != "edge" {
				return http.StatusUnauthorized, "no org id\n"
			}
			return 0, ""
		}},
		"knows no GET": {refuses: func(r *http.Request) (int, string) {
			if r.Method != http.MethodPost && r.FormValue("query") != "time()" {
				return http.StatusMethodNotAllowed, ""
			}
			return 0, ""
		}},
		"knows no POST": {refuses: func(r *http.Request) (int, string) {
			if r.Method != http.MethodGet {
				return http.StatusMethodNotAllowed, ""
			}
			return 0, ""
		}},
	}
}

// between stands before a real Prometheus.
func (h habit) between(t *testing.T, address string) string {
	t.Helper()
	to, err := url.Parse(address)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Header.Del("Accept-Encoding") },
		ModifyResponse: func(r *http.Response) error {
			if h.answer == nil {
				return nil
			}
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				return err
			}
			h.answer(body, r.Request.URL.Path)
			data, err := json.Marshal(body)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(data))), int64(len(data))
			r.Header.Set("Content-Length", strconv.Itoa(len(data)))
			return err
		},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if h.refuses != nil {
			if status, body := h.refuses(r); status != 0 {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
				return
			}
		}
		form := r.Form
		if h.question != nil {
			h.question(form, r.URL.Path)
		}
		if r.Method == http.MethodPost {
			r.URL.RawQuery = ""
			body := form.Encode()
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		} else {
			r.URL.RawQuery = form.Encode()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Whatever habits a server has, what was before the apply is no evidence of what is after it, and
// what is after it is found.
func TestServersWithHabits(t *testing.T) {
	t.Parallel()
	all := slices.DeleteFunc(stories(), func(s story) bool {
		return !slices.Contains([]string{"health, for long", "harm, for long", "harm before, health for long", "no traffic any more"}, s.name)
	})
	n := newNetwork(t, false)
	r := prometheusRig(t, n)
	address := ""
	look := func(t *testing.T, h habit, i, n int) *health.Evaluator {
		t.Helper()
		hs := all[i].health(r.health)
		hs.Source = spec.Choose("prometheus", h.between(t, address))
		hs.Header = map[string]string{"X-Scope-OrgID": "edge"}
		m, err := health.Open(hs, named(r.binding, fmt.Sprintf("s%d-%d-", i, n)), health.Deps{Sources: sources, Forms: forms, Now: time.Now})
		require.NoError(t, err)
		return m
	}
	address = toldPrometheus(t, all)
	for name, h := range habits() {
		for i, s := range all {
			t.Run(name+"/"+s.name, func(t *testing.T) {
				var state health.State
				for n, at := range s.looks {
					m := look(t, h, i, n)
					require.NoError(t, m.Restore(state))
					report, err := m.Look(t.Context(), applied.Add(at))
					require.NoError(t, err)
					state = m.State()
					s.judge(t, n, report)
				}
			})
		}
	}
}
