package health

import (
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/health/source/prometheus"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// kinds, sources and forms are those of a build, for tests of the package itself.
var (
	kinds = spec.Kinds{Sources: []spec.Kind[spec.SourceSettings]{
		{Name: "prometheus", New: func() spec.SourceSettings { return new(prometheus.URL) }},
		{Name: "scrape", New: func() spec.SourceSettings { return new(scrape.Scrape) }},
	}}
	sources = source.Registry{
		{Name: "prometheus", New: kinds.Sources[0].New, Open: prometheus.Open}, {Name: "scrape", New: kinds.Sources[1].New, Open: scrape.Open},
	}
	forms = Forms{
		ProbeForm(), AlertsForm(), WebhookForm(), ShiftForm(), EachForm(),
		ComparisonForm(), MeansForm(), ValueForm(), RatioForm(), ExerciseForm(),
	}
)

// sampling is the settings of a scrape source with another sample.
func sampling(h spec.Health, n int) spec.Choice {
	var s scrape.Scrape
	if err := h.Source.Decode(&s); err != nil {
		panic(err)
	}
	s.Sample = n
	return spec.Choose("scrape", s)
}

// every asks about every check.
func every(spec.Check) bool { return true }

// baselined reads pages for so many seconds before a stage.
func baselined(h spec.Health, n int) spec.Choice {
	var s scrape.Scrape
	if err := h.Source.Decode(&s); err != nil {
		panic(err)
	}
	s.Baseline = seconds(n)
	return spec.Choose("scrape", s)
}
