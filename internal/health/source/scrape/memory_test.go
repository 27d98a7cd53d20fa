package scrape

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// flood is a page of so many series of what the checks ask about.
func flood(series int) []byte {
	var out bytes.Buffer
	for i := range series {
		fmt.Fprintf(&out, "http_requests_total{code=\"200\",pod=\"pod-of-the-release-%08d\"} 1\n", i)
	}
	return out.Bytes()
}

// opened is a source that reads so many targets, each of which shows the page.
func opened(t *testing.T, targets int, page []byte) *pages {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) }))
	t.Cleanup(server.Close)
	scope := source.Scope{}
	for i := range targets {
		scope.Exposed = append(scope.Exposed, fleet.Target{ID: fmt.Sprintf("web-%02d", i), Address: strings.TrimPrefix(server.URL, "http://")})
	}
	h := spec.Health{Every: spec.Duration(time.Second), Window: spec.Duration(time.Minute)}
	h.Source = spec.Choose("scrape", Scrape{URL: defaultScrapeURL, Sample: 1000})
	h.Checks = []spec.Check{{Name: "errors", Bad: `http_requests_total{code="500"}`, Total: "http_requests_total"}}
	s, err := Open(h, scope, source.Deps{Transport: http.DefaultTransport, Redact: func(s string) string { return s }})
	require.NoError(t, err)
	return s.(*pages)
}

// Pages of a release that exposes as much as a page may hold take no more memory than others: two
// looks at once, of 60 targets together.
func TestMemoryOfManyLargePages(t *testing.T) {
	page := flood(100_000)
	require.Less(t, len(page), maxPage)
	looks := []*pages{opened(t, 30, page), opened(t, 30, page)}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, uint64(0)
	var left atomic.Int32
	left.Store(int32(len(looks)))
	for _, s := range looks {
		go func() {
			defer left.Add(-1)
			s.Refresh(t.Context(), time.Now(), time.Now())
		}()
	}
	for left.Load() > 0 {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("%d MiB of heap, %d MiB before", peak>>20, before>>20)
	require.Less(t, peak-before, uint64(150<<20))
	read := 0
	for _, s := range looks {
		read += s.seen[source.Exposed].pages
		for _, why := range s.seen[source.Exposed].broken {
			require.Regexp(t, "within 5s|deadline exceeded", why, "a machine that is busy")
		}
	}
	t.Logf("%d of 60 pages were read in time", read)
}

// Too much to read is what is wrong with the target that shows it.
func TestPagesWithTooMuch(t *testing.T) {
	for why, page := range map[string][]byte{
		"its page has more than 8 MiB: too much to read":             flood(200_000),
		"its page has a line of more than 128 KiB: too much to read": append(flood(1), bytes.Repeat([]byte("x"), 2*maxLine)...),
	} {
		s := opened(t, 2, page)
		for range 5 { // a machine that is busy needs longer than a page may take
			s.Refresh(t.Context(), time.Now(), time.Now())
			if !strings.Contains(s.seen[source.Exposed].broken["web-00"]+s.seen[source.Exposed].broken["web-01"], "within") {
				break
			}
		}
		require.Equal(t, map[string]string{"web-00": why, "web-01": why}, s.seen[source.Exposed].broken)
		r := s.Count(t.Context(), "http_requests_total", source.Exposed, source.Window{}, source.EmptyIsZero)
		require.Contains(t, r.Why, "2 of 2 metrics pages could not be read (web-0")
		require.Contains(t, r.Why, why)
	}
}

// Looks that wait for others' pages say so, and pages that trickle end by their own bound.
func TestPagesAtOnceAreBounded(t *testing.T) {
	var held [][]byte
	for range maxPages {
		held = append(held, <-buffers)
	}
	t.Cleanup(func() {
		for _, b := range held {
			buffers <- b
		}
	})
	s := opened(t, 1, flood(1))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // a page may take 5 s
	defer cancel()
	s.Refresh(ctx, time.Now(), time.Now())
	require.Contains(t, s.seen[source.Exposed].broken["web-00"], "this worker already reads 512 pages")
}
