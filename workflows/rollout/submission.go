package rollout

import (
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// Submission is what the CLI sends to start a rollout.
type Submission struct {
	// Spec is complete: defaults are filled in.
	Spec spec.Spec `json:"spec"`
	// FleetDigest names the fleet's snapshot; FleetData is the snapshot itself,
	// gzipped canonical JSON, unless it was too large to send and lies in the
	// store that the workers share.
	FleetDigest string `json:"fleetDigest"`
	FleetData   []byte `json:"fleetData,omitempty"`
	// By is who started the rollout.
	By string `json:"by"`
	// Override says why the rollout may start on a fleet that is not healthy; nil
	// when it may not.
	Override *rollout.ControlRequest `json:"override,omitempty"`
	// Earlier are when other rollouts of the unit ran, lately and as far as is known: what
	// targets showed then is not how they usually are.
	Earlier []source.Span `json:"earlier,omitempty"`
	// Carried is set by a rollout that continues as new, and by nobody else.
	Carried *Carried `json:"carried,omitempty"`
}
