package health

import (
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/health/source/prometheus"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// sources and forms are those of a build, for tests of the package itself.
var (
	sources = source.Kinds{{Name: "prometheus", Open: prometheus.Open}, {Name: "scrape", Open: scrape.Open}}
	forms   = Forms{ProbeForm(), AlertsForm(), WebhookForm(), EachForm(), ComparisonForm(), MeansForm(), ValueForm(), RatioForm(), ExerciseForm()}
)

// every asks about every check.
func every(spec.Check) bool { return true }
