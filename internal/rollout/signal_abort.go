package rollout

// SignalAbort takes a rollout back.
const SignalAbort = "abort"

var abort = Signal{
	Name:  SignalAbort,
	Short: "take a rollout back now",
	Long: `Takes the rollout back: every target that it touched returns to what it ran
before. With no worker up, that begins when one is back. Do not terminate the
workflow in Temporal instead: that takes nothing back.`,
	Example: `sluice abort edge-proxy --why "customers report errors"`,
	Effect:  "aborted: every touched target goes back to what it ran before",
	ForAll:  true,
	Apply:   func(s *State, c Control) { s.Aborted = &c },
}
