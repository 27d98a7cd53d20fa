package draft_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/draft"
)

// Whatever a page shows, what is written of it is a valid spec with a plan, by pages and by
// queries.
func FuzzWrite(f *testing.F) {
	for _, name := range []string{"go", "haproxy", "nginx-vts", "envoy", "spring", "grpc", "caddy", "untyped", "gauges"} {
		f.Add(string(read(f, name)))
	}
	f.Add("a_requests_total{code=\"200\",path=\"/metrics\"} 1\na_requests_total{code=\"5\\n00\",path=\"'\"} 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := draft.ReadPage([]byte(text), "text/plain")
		if err != nil {
			return
		}
		valid(t, draft.Write(options(), draft.SeenPage(p)), options().Targets)
		valid(t, draft.Write(options(), draft.SeenPrometheus(p, "instance")), options().Targets)
	})
}
