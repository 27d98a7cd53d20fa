package scrape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/promapi"
)

// page is what a target's metrics page shows.
type page struct {
	series []metric
	kinds  map[string]model.MetricType // by the name under which a page declares it
	// written is when, by the target's clock; zero where it does not say.
	written time.Time
}

// metric is one series of a page.
type metric struct {
	labels model.Metric
	value  float64
	at     time.Time // as the page says; zero where it does not
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
	data, err := io.ReadAll(io.LimitReader(res.Body, maxPage+1))
	if err != nil {
		return page{}, err
	}
	if len(data) > maxPage {
		return page{}, fmt.Errorf("its page is larger than %d MiB", maxPage>>20)
	}
	p, err := parsePage(data, res.Header.Get("Content-Type"))
	p.written, _ = promapi.DateOf(res.Header)
	return p, err
}

// parsePage reads a page as Prometheus does, by its own parser. Histograms and summaries appear
// as their _bucket, _sum and _count series.
func parsePage(data []byte, contentType string) (page, error) {
	read := errors.New("its page is not in Prometheus' text format")
	parser, err := textparse.New(data, contentType, nil, textparse.ParserOptions{FallbackContentType: "text/plain"})
	if parser == nil {
		return page{}, fmt.Errorf("%w: %w", read, err)
	}
	p := page{kinds: map[string]model.MetricType{}}
	for {
		entry, err := parser.Next()
		switch {
		case errors.Is(err, io.EOF):
			return p, nil
		case err != nil:
			return page{}, fmt.Errorf("%w: %w", read, err)
		case entry == textparse.EntryType:
			name, kind := parser.Type()
			p.kinds[string(name)] = kind
		case entry == textparse.EntrySeries:
			p.series = append(p.series, parsedSeries(parser))
		}
	}
}

// parsedSeries is the series that a parser has come to.
func parsedSeries(parser textparse.Parser) metric {
	_, at, value := parser.Series()
	m := metric{labels: model.Metric{}, value: value}
	var all labels.Labels
	parser.Labels(&all)
	all.Range(func(l labels.Label) { m.labels[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
	if at != nil && *at != 0 {
		m.at = time.UnixMilli(*at)
	}
	return m
}

// part says that a series is one of a histogram or a summary.
func (pg page) part(name string) bool {
	for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			switch pg.kinds[base] {
			case model.MetricTypeHistogram, model.MetricTypeSummary:
				return true
			default:
			}
		}
	}
	return false
}

// pick selects series of a page.
type pick struct {
	name     string
	matchers []*labels.Matcher
}

// of selects a page's series.
func (p pick) of(series []metric) []metric {
	var out []metric
next:
	for _, m := range series {
		if string(m.labels[model.MetricNameLabel]) != p.name {
			continue
		}
		for _, match := range p.matchers {
			if !match.Matches(string(m.labels[model.LabelName(match.Name)])) {
				continue next
			}
		}
		out = append(out, m)
	}
	return out
}

// knows says that some series has the metric's name and all labels that are asked
// for, with whatever values.
func (p pick) knows(series []metric) bool {
next:
	for _, m := range series {
		if string(m.labels[model.MetricNameLabel]) != p.name {
			continue
		}
		for _, match := range p.matchers {
			if !match.Matches("") && m.labels[model.LabelName(match.Name)] == "" {
				continue next
			}
		}
		return true
	}
	return false
}

// notANumber says that the page declares the name itself a histogram or a
// summary, which is no number: its _count, _sum and _bucket are.
func (p pick) notANumber(pg page) string {
	switch pg.kinds[p.name] {
	case model.MetricTypeHistogram, model.MetricTypeGaugeHistogram:
		return p.name + " is a histogram where a number is asked"
	case model.MetricTypeSummary:
		return p.name + " is a summary where a number is asked"
	default:
		return ""
	}
}

// counter reads the sum of a page's series as events counted since the process
// started; nil where the page has no such series. The word says what is wrong.
func (p pick) counter(pg page) (sum *float64, newest time.Time, wrong string) {
	if wrong := p.notANumber(pg); wrong != "" {
		return nil, newest, wrong
	}
	total := 0.0
	matched := p.of(pg.series)
	for _, m := range matched {
		if bad := (source.Reading{Value: m.value}).Counted(); bad.Verdict != "" {
			return nil, newest, bad.Why
		}
		total += m.value
		newest = source.Later(newest, m.at)
	}
	if len(matched) == 0 {
		return nil, newest, ""
	}
	return &total, newest, ""
}

// gauge reads the one number that a page shows; nil where it has no such series.
func (p pick) gauge(pg page) (value *float64, newest time.Time, wrong string) {
	if wrong := p.notANumber(pg); wrong != "" {
		return nil, newest, wrong
	}
	matched := p.of(pg.series)
	if len(matched) == 0 {
		return nil, newest, ""
	}
	m := matched[0]
	switch {
	case len(matched) > 1:
		return nil, newest, fmt.Sprintf("the page shows %d series where one is asked: select one by its labels", len(matched))
	case pg.part(p.name):
		return nil, newest, p.name + " is part of a histogram or a summary where a plain number is asked"
	}
	if bad := (source.Reading{Value: m.value}).Usable(); bad.Verdict != "" {
		return nil, newest, bad.Why
	}
	return &m.value, m.at, ""
}
