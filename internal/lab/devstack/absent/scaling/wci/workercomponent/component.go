// Package workercomponent stands in for go.temporal.io/auto-scaled-workers/wci/workercomponent, see
// ../../../README.md.
package workercomponent

import "go.uber.org/fx"

// Module adds nothing to the server's worker service.
var Module = fx.Options()
