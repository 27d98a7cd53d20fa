package health

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// metric is one series of a page.
type metric struct {
	labels model.Metric
	value  float64
}

// fetch reads a metrics page.
func (s *scrape) fetch(ctx context.Context, url string) ([]metric, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxPage+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPage {
		return nil, fmt.Errorf("its page is larger than %d MiB", maxPage>>20)
	}
	return parsePage(data)
}

// parsePage reads Prometheus' text format. Histograms and summaries appear as
// their _bucket, _sum and _count series.
func parsePage(data []byte) ([]metric, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("its page is not in Prometheus' text format: %w", err)
	}
	var out []metric
	for _, f := range families {
		vector, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, f)
		if err != nil {
			return nil, fmt.Errorf("its page is not in Prometheus' text format: %w", err)
		}
		for _, v := range vector {
			out = append(out, metric{labels: v.Metric, value: float64(v.Value)})
		}
	}
	return out, nil
}

// of selects a page's series.
func (p pick) of(series []metric) []float64 {
	var out []float64
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
		out = append(out, m.value)
	}
	return out
}
