package health

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// Whoever is asked gets what it wants of who asks; without, the check says that it is refused.
func TestAccessOfEveryForm(t *testing.T) {
	t.Setenv("SLUICE_TEST_KEY", planted)
	var wants atomic.Value
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != wants.Load() {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"status":"error","error":"not ` + r.Header.Get("Authorization") + `"}`))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/metrics":
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write([]byte("x 1\n"))
		case "/api/v2/alerts":
			_, _ = w.Write([]byte("[]"))
		case "/api/v1/query":
			_, _ = w.Write([]byte(success("vector", `[{"metric":{},"value":[1,"1772366460"]}]`)))
		default:
			_, _ = w.Write([]byte(`{"verdict":"PASS"}`))
		}
	}))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	none := dial.Access{TLS: &dial.TLS{CA: "file:" + ca}}
	key := dial.Access{Token: "${env:SLUICE_TEST_KEY}", TLS: none.TLS}
	forms := map[string]func(dial.Access) spec.Health{
		"probe": func(a dial.Access) spec.Health {
			return externalSpec(spec.Check{Name: "c", Form: spec.Choose("probe", Probe{HTTP: s.URL + "/{{id}}", Timeout: seconds(5), Access: a})})
		},
		"alerts": func(a dial.Access) spec.Health {
			return alertsSpec(Alerts{Alertmanager: s.URL, Match: []string{"a=b"}, Access: a})
		},
		"webhook": func(a dial.Access) spec.Health {
			return judgeSpec(WebhookJudge{URL: s.URL, Timeout: seconds(5), Access: a})
		},
		"scrape": func(a dial.Access) spec.Health {
			h := externalSpec(spec.Check{Name: "c", Value: "x", Max: num(1)})
			h.Source, h.Access = spec.Choose("scrape", scrape.Scrape{URL: s.URL + "/metrics", Sample: 9}), a
			return h
		},
		"prometheus": func(a dial.Access) spec.Health {
			h := promSpec(spec.Check{Name: "c", Value: "max(x{$exposed})", Max: num(1e18)})
			h.Source, h.Access = spec.Choose("prometheus", s.URL), a
			return h
		},
	}
	for name, h := range forms {
		b := promBinding(4, 2)
		wants.Store("Bearer " + planted)
		require.Equal(t, Pass, lookAt(t, h(key), b, 1).Verdict, name)
		res := lookAt(t, h(none), b, 1)
		require.Contains(t, res.Sentence, "401", name)
		require.Equal(t, name != "probe", res.Refused, "%s: a probe that asks who it is has failed", name)
		require.Equal(t, name != "probe", Report{Results: []Result{res}}.Refused())
		wants.Store("Bearer another")
		res = lookAt(t, h(key), b, 1)
		require.NotEqual(t, Pass, res.Verdict, name)
		require.NotContains(t, res.Sentence, planted, name)
	}
}

// A target behind a proxy is dialled at its address and asked for by name.
func TestProbeHost(t *testing.T) {
	b := serving(t, 2, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "www.example.com" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	require.Equal(t, Fail, lookAt(t, probeSpec(Probe{HTTP: "http://{{address}}/"}, 0), b, 1).Verdict)
	for _, p := range []Probe{{Host: "www.example.com"}, {Access: dial.Access{Header: map[string]string{"host": "www.example.com"}}}} {
		p.HTTP = "http://{{address}}/"
		require.Equal(t, Pass, lookAt(t, probeSpec(p, 0), b, 1).Verdict)
	}
}
