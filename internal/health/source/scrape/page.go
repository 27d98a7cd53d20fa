package scrape

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/promapi"
)

// Bounds of what pages take of a worker's memory, whatever they show: of a page, only a buffer and
// what is asked of it are kept.
const (
	maxPage  = 8 << 20
	maxLine  = 128 << 10
	maxPages = 64 << 20 / maxLine // read at once, over all looks of a worker
)

// buffers are those of pages that are being read: nil until they are used first.
var buffers = func() chan []byte {
	c := make(chan []byte, maxPages)
	for range maxPages {
		c <- nil
	}
	return c
}()

// page is what a target's metrics page shows of what is asked.
type page struct {
	found map[string]*found           // by expression
	kinds map[string]model.MetricType // by the name under which a page declares it
	// buckets are the bounds of histograms, by the name of their series, where a check asks.
	buckets map[string][]float64
	// values are the events that were counted, in the order of asked.breakdowns.
	values []source.Values
	// written is when, by the target's clock; zero where it does not say.
	written time.Time
}

// fetch reads a metrics page.
func (s *pages) fetch(ctx context.Context, url string) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return page{}, promapi.Cause(err)
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	res, err := s.client.Do(req)
	if err != nil {
		return page{}, promapi.Cause(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
			return page{}, promapi.Denied(fmt.Sprintf("it answered %d %s", res.StatusCode, http.StatusText(res.StatusCode)))
		}
		return page{}, fmt.Errorf("it answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	select {
	case buffer := <-buffers:
		if buffer == nil {
			buffer = make([]byte, maxLine)
		}
		defer func() { buffers <- buffer }()
		p, err := s.asked.read(res.Body, buffer, res.Header.Get("Content-Type"))
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("its page could not be read within %s", scrapeTimeout)
		}
		p.written, _ = promapi.DateOf(res.Header)
		return p, err
	case <-ctx.Done():
		return page{}, fmt.Errorf("this worker already reads %d pages, which are too slow", maxPages)
	}
}

var errFormat = errors.New("its page is not in Prometheus' text format")

// read reads a page as Prometheus does, by its own parser, as many lines at a time as the buffer
// holds.
func (q asked) read(body io.Reader, buffer []byte, contentType string) (page, error) {
	pg := page{
		found: map[string]*found{}, kinds: map[string]model.MetricType{}, buckets: map[string][]float64{},
		values: make([]source.Values, len(q.breakdowns)),
	}
	filled, total := 0, 0
	for {
		var n int
		var err error
		for err == nil && filled < len(buffer) {
			n, err = body.Read(buffer[filled:])
			filled, total = filled+n, total+n
		}
		last := errors.Is(err, io.EOF)
		lines := filled
		if !last {
			lines = bytes.LastIndexByte(buffer[:filled-1], '\n') + 1 // the page's last line is read as such
		}
		switch {
		case err != nil && !last:
			return page{}, err
		case total > maxPage:
			return page{}, fmt.Errorf("its page has more than %d MiB: too much to read", maxPage>>20)
		case lines == 0 && !last:
			return page{}, fmt.Errorf("its page has a line of more than %d KiB: too much to read", len(buffer)>>10)
		}
		if err := q.parse(buffer[:lines:lines], contentType, last, &pg); err != nil || last {
			return pg, err
		}
		filled = copy(buffer, buffer[lines:filled])
	}
}

// parse takes what is asked off some lines. Histograms and summaries appear as their _bucket, _sum
// and _count series.
func (q asked) parse(lines []byte, contentType string, last bool, pg *page) error {
	parser, err := textparse.New(lines, contentType, nil, textparse.ParserOptions{FallbackContentType: "text/plain"})
	switch parser.(type) {
	case *textparse.PromParser:
	case *textparse.OpenMetricsParser:
		if !last { // it would miss the end
			parser = textparse.NewOpenMetricsParser(append(lines, "# EOF\n"...), labels.NewSymbolTable())
		}
	default:
		return errors.Join(errFormat, err)
	}
	for {
		entry, err := parser.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errFormat, err)
		case entry == textparse.EntryType:
			if name, kind := parser.Type(); q.declared[string(name)] {
				pg.kinds[string(name)] = kind
			}
		case entry == textparse.EntrySeries:
			q.series(parser, pg)
		}
	}
}

// series takes the series that a parser has come to, if it is asked for.
func (q asked) series(parser textparse.Parser, pg *page) {
	raw, at, value := parser.Series()
	name, _, _ := bytes.Cut(raw, []byte{'{'})
	name = bytes.TrimSpace(name)
	if len(name) > 0 && len(q.named[string(name)]) == 0 {
		return
	}
	var all labels.Labels
	parser.Labels(&all)
	m := metric{value: value}
	if at != nil && *at != 0 {
		m.at = time.UnixMilli(*at)
	}
	for _, expr := range q.named[all.Get(model.MetricNameLabel)] {
		if pg.found[expr] == nil {
			pg.found[expr] = &found{}
		}
		pg.found[expr].add(m, q.picks[expr].fit(all))
	}
	pg.tell(q.breakdowns, all, m)
	if q.histograms {
		pg.bound(all)
	}
}
