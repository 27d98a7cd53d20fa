package rollout

// SignalAbort takes a rollout back.
const SignalAbort = "abort"

var abort = Signal{
	Name:  SignalAbort,
	Short: "roll a rollout back now",
	Long: `Rolls back: every target that it touched returns to what it ran before. In a train, UNIT:NUMBER is
taken back with all younger ones, and UNIT is the newest. With no worker up, that begins when one is
back. Do not terminate the workflow in Temporal instead: that rolls nothing back.`,
	Example: `sluice abort edge-proxy --why "customers report errors"`,
	Effect:  "aborted: every touched target is rolled back to what it ran before",
	ForAll:  true,
	Apply:   func(s *State, c Control) { s.Aborted = &c },
}
