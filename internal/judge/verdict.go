package judge

// Verdict is the answer to one check. Only Pass promotes.
type Verdict string

// The five verdicts.
const (
	// Pass: enough data, no harm.
	Pass Verdict = "PASS"
	// Fail: harm is established.
	Fail Verdict = "FAIL"
	// NoData: the source answered nothing usable.
	NoData Verdict = "NODATA"
	// Stale: the newest sample is too old.
	Stale Verdict = "STALE"
	// Unexercised: too little traffic for passing to mean anything.
	Unexercised Verdict = "UNEXERCISED"
)

// suspicious is the p from which on a check that has not failed is suspicious. As many
// bakes of healthy releases are so at some look, at most, since the p holds for all looks
// together.
const suspicious = 0.05
