package sim

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"
)

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// writeMetrics writes pages in the Prometheus text format, family by family. With named, every series carries the target's id.
func writeMetrics(out io.Writer, unit string, pages []page, named bool) error {
	w := bufio.NewWriterSize(out, 64<<10)
	m := metricsWriter{w: w, named: named}
	pages = slices.DeleteFunc(pages, func(p page) bool { return p.release == "" })
	m.family("http_requests_total", "counter", "Requests answered, by status code.")
	for _, p := range pages {
		m.sample("http_requests_total", p.id, `code="200"`, float64(p.counters.ok))
		m.sample("http_requests_total", p.id, `code="500"`, float64(p.counters.bad))
	}
	for _, p := range pages {
		for i := range p.flood {
			m.sample("http_requests_total", p.id, `code="200",pod="pod-of-a-release-`+strconv.Itoa(i)+`"`, 0)
		}
	}
	m.family("http_request_duration_seconds", "histogram", "How long requests took.")
	for _, p := range pages {
		m.histogram(p)
	}
	m.family("sluice_unit_info", "gauge", "The release in effect.")
	for _, p := range pages {
		m.sample("sluice_unit_info", p.id, `unit="`+labelEscaper.Replace(unit)+`",release="`+labelEscaper.Replace(p.release)+`"`, 1)
	}
	return w.Flush()
}

// metricsWriter leaves errors to the buffer, which keeps the first.
type metricsWriter struct {
	w     *bufio.Writer
	named bool
}

func (m metricsWriter) family(name, kind, help string) {
	_, _ = m.w.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

func (m metricsWriter) histogram(p page) {
	const name = "http_request_duration_seconds"
	var cumulative uint64
	for i, n := range p.counters.buckets {
		cumulative += n
		bound := "+Inf"
		if i < len(buckets) {
			bound = strconv.FormatFloat(buckets[i], 'g', -1, 64)
		}
		m.sample(name+"_bucket", p.id, `le="`+bound+`"`, float64(cumulative))
	}
	m.sample(name+"_sum", p.id, "", p.counters.sum)
	m.sample(name+"_count", p.id, "", float64(cumulative))
}

func (m metricsWriter) sample(name, id, labels string, value float64) {
	if m.named {
		target := `target="` + id + `"`
		if labels != "" {
			target += ","
		}
		labels = target + labels
	}
	if labels != "" {
		labels = "{" + labels + "}"
	}
	_, _ = m.w.WriteString(name + labels + " ")
	_, _ = m.w.Write(strconv.AppendFloat(m.w.AvailableBuffer(), value, 'g', -1, 64))
	_ = m.w.WriteByte('\n')
}
