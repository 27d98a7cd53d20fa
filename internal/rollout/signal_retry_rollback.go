package rollout

// SignalRetry tries an incomplete rollback again.
const SignalRetry = "retry-rollback"

var retryRollback = Signal{
	Name:  SignalRetry,
	Short: "try again to roll back what an incomplete rollback left",
	Long: `After a rollback that left targets behind, the rollout waits and the unit stays
locked. This tries those targets once more, for as long as rollback.deadline.`,
	Example:   `sluice retry-rollback edge-proxy --why "the hosts are up again"`,
	Effect:    "taken: the targets that are left are tried again; follow it with sluice watch",
	ForLocked: true,
	Aim: func(s State, req *ControlRequest) {
		if s.Outcome != nil && req.Since.IsZero() {
			req.Stage, req.Since = s.StageName(), s.Outcome.EndedAt
		}
	},
	Refuse: func(s State, c Control) string {
		switch {
		case !c.isSince(s.Outcome.EndedAt):
			return "what was left when it was sent has been tried again since"
		case s.RetryRollback != nil && !s.Lenient:
			return "asked for by " + s.RetryRollback.By + " already"
		}
		return ""
	},
	Apply: func(s *State, c Control) { s.RetryRollback = &c },
}
