package health_test

import "github.com/sluicehq/sluice/internal/catalog"

// sources and forms are those of this build.
var (
	sources = catalog.New().Sources
	forms   = catalog.New().Forms
)
