// Package judge answers whether a change does harm, from what was counted before and
// since: a verdict with its evidence in words. It may be asked after every look, and
// keeps its rate of false alarms over all of them. It is pure: it knows no clock, no
// network, no source of numbers and nothing of Temporal.
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
