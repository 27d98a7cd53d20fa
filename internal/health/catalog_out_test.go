package health_test

import "github.com/sluicehq/sluice/internal/catalog"

// kinds, sources and forms are those of this build.
var (
	kinds   = catalog.New().Kinds()
	sources = catalog.New().Sources
	forms   = catalog.New().Forms
)
