package health_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/health"
)

type story struct{ name string }

func tellPrometheus(*testing.T, story) func(time.Duration) health.Report { return nil }
func tellScrape(*testing.T, story) func(time.Duration) health.Report     { return nil }
