package scrape

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/promapi"
)

// page is what a target's metrics page shows.
type page struct {
	series []metric
	kinds  map[string]dto.MetricType // by the name under which a page declares it
	// written is when, by the target's clock; zero where it does not say.
	written time.Time
}

// metric is one series of a page.
type metric struct {
	labels model.Metric
	value  float64
	at     time.Time // as the page says; zero where it does not
	kind   dto.MetricType
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
	p, err := parsePage(data)
	p.written, _ = promapi.DateOf(res.Header)
	return p, err
}

// parsePage reads Prometheus' text format. Histograms and summaries appear as
// their _bucket, _sum and _count series.
func parsePage(data []byte) (page, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(data))
	if err != nil {
		return page{}, fmt.Errorf("its page is not in Prometheus' text format: %w", err)
	}
	p := page{kinds: make(map[string]dto.MetricType, len(families))}
	for name, f := range families {
		vector, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, f)
		if err != nil {
			return page{}, fmt.Errorf("its page is not in Prometheus' text format: %w", err)
		}
		p.kinds[name] = f.GetType()
		for _, v := range vector {
			m := metric{labels: v.Metric, value: float64(v.Value), kind: f.GetType()}
			if v.Timestamp != 0 {
				m.at = v.Timestamp.Time()
			}
			p.series = append(p.series, m)
		}
	}
	return p, nil
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
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		return p.name + " is a histogram where a number is asked"
	case dto.MetricType_SUMMARY:
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
	case m.kind == dto.MetricType_HISTOGRAM, m.kind == dto.MetricType_SUMMARY:
		return nil, newest, p.name + " is part of a histogram or a summary where a plain number is asked"
	}
	if bad := (source.Reading{Value: m.value}).Usable(); bad.Verdict != "" {
		return nil, newest, bad.Why
	}
	return &m.value, m.at, ""
}
