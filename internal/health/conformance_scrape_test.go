package health_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

func scrapeRig(_ *testing.T, n *network) rig {
	const bad = `requests_total{code=~"5.."}`
	h := suiteSpec(bad, "requests_total", "queue", bad, "requests_total", "queue")
	h.Source = spec.Choose("scrape", scrape.Scrape{URL: "http://{{address}}/hunter2", Sample: 50, Baseline: 10 * second})
	pass := verdicts(health.Pass)
	counted := map[string]health.Verdict{"errors": health.Pass, "each errors": health.Pass}
	valued := map[string]health.Verdict{"queue": health.Pass, "each queue": health.Pass}
	const total, three = "requests_total{code=\"200\"} %d\n", "queue 3\n"
	const ofHistograms = "# TYPE requests_total histogram\n" +
		"requests_total_bucket{le=\"+Inf\"} 2\nrequests_total_sum 1\nrequests_total_count 2\n" +
		"# TYPE queue histogram\nqueue_bucket{le=\"+Inf\"} 2\nqueue_sum 1\nqueue_count 2\n"
	const ofSummaries = "# TYPE requests_total summary\n" +
		"requests_total{quantile=\"0.9\"} 2\nrequests_total_sum 1\nrequests_total_count 2\n" +
		"# TYPE queue summary\nqueue{quantile=\"0.9\"} 2\nqueue_sum 1\nqueue_count 2\n"
	return rig{
		health: h, binding: fourTargets(), net: n, tell: tellScrape,
		cannot: map[string]string{
			"native histogram": "the text format has none",
			"scalar":           "a page shows series only", "matrix": "a page shows series only",
			"warnings": "a page has none", "partial": "a page is whole",
		},
		answers: map[string]answer{
			"sound":             {pages(total + three), pass, "3, limit 4"},
			"empty":             {pages(""), nil, "no page has a series such as"},
			"other series":      {pages("other 1\n"), nil, "no page has a series such as"},
			"NaN":               {pages("requests_total NaN\nqueue NaN\n"), nil, "NaN"},
			"+Inf":              {pages("requests_total +Inf\nqueue +Inf\n"), nil, "Inf"},
			"-Inf":              {pages("requests_total -Inf\nqueue -Inf\n"), nil, "Inf"},
			"negative":          {pages("requests_total -5\nqueue -5\n"), valued, "-5, limit 4"},
			"beyond counting":   {pages("requests_total 1e300\n" + three), valued, "3, limit 4"},
			"bad is NaN":        {pages(total + "requests_total{code=\"500\"} NaN\n" + three), valued, "3, limit 4"},
			"several series":    {pages(total + "requests_total{code=\"204\"} 5\nqueue{a=\"1\"} 1\nqueue{a=\"2\"} 2\n"), counted, "2 series where one is asked"},
			"classic histogram": {pages(ofHistograms), nil, "is a histogram"},
			"summary":           {pages(ofSummaries), nil, "is a summary"},
			"string":            {pages("requests_total many\nqueue \"3\"\n"), nil, "not in Prometheus' text format"},
			"null":              {pages("requests_total null\nqueue null\n"), nil, "not in Prometheus' text format"},
			"stale":             {pages("requests_total{code=\"200\"} %d 1000\nqueue 3 1000\n"), verdicts(health.Stale), "at most 30s is accepted"},
			"in the future":     {pages("requests_total{code=\"200\"} %d 4000000000000\nqueue 3 4000000000000\n"), verdicts(health.Stale), "in the future: the clocks"},
			"HTML":              {typed("text/html", "<html><body>log in</body></html>"), nil, "not in Prometheus' text format"},
			"truncated":         {pages(total + "queue"), nil, "not in Prometheus' text format"},
			"control":           {pages("queue \x1b[31m\n"), nil, "not in Prometheus' text format"},
			"one of two":        {oneTarget(total + three), map[string]health.Verdict{"errors": health.Pass, "queue": health.Pass}, "3, limit 4"},
		},
	}
}

// pages is the same page of every target; %d in it is a counter that grows by 1,000 from look to
// look.
func pages(text string) http.HandlerFunc {
	var mu sync.Mutex
	read := map[string]int{} // how often a target's page was
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(text, "%d") {
			read[r.Header.Get("For")]++
			_, _ = fmt.Fprintf(w, text, 1000*read[r.Header.Get("For")])
			return
		}
		_, _ = io.WriteString(w, text)
	}
}

// oneTarget is the page of one exposed target and of the control; the other shows something else.
func oneTarget(text string) http.HandlerFunc {
	page := pages(text)
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("For") == "t1:80" {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		page(w, r)
	}
}
