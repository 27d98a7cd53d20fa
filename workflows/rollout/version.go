package rollout

import "go.temporal.io/sdk/workflow"

// A run replays as the version that it began under. Each version that changes what the workflow
// does, or in which order, has one marker at the beginning of a run, and asks for it where it
// differs: `if r.since020 { … }`. What changes no command (another text, a field more in an
// activity's input) needs no question.

// began020 says whether a run began under v0.2.0 or later.
func began020(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "v0.2.0", workflow.DefaultVersion, 1) != workflow.DefaultVersion
}
