package sequential

// Traffic is what a comparison of two arms has to go by: Base is the control's bad events per
// exposure, Exposed and Control are each arm's exposures per second (requests, or hosts: an
// exposure of one host for one second).
type Traffic struct {
	Base, Exposed, Control float64
}

func (t Traffic) usable() bool {
	return t.Base > 0 && t.Exposed > 0 && t.Control > 0 &&
		t.Base <= uncountable && t.Exposed <= uncountable && t.Control <= uncountable
}

// Information is how much evidence, in nats per second, a test that knows the ratio of the arms'
// rates beforehand gathers on average against there being none: the bad events of both arms, times
// the divergence of how they are split from how they would be. It is 0 for what cannot be.
func (t Traffic) Information(ratio float64) float64 {
	if !t.usable() || !(ratio > 0 && ratio <= uncountable) {
		return 0
	}
	events := t.Base * (ratio*t.Exposed + t.Control)
	return events * divergence(
		ratio*t.Exposed/(ratio*t.Exposed+t.Control), t.Exposed/(t.Exposed+t.Control))
}

// Delay is how many seconds any test whatsoever needs on average until it shows the ratio, if it
// alarms falsely with probability alpha at most and finds the ratio with probability power at least
// (Wald, "Sequential tests of statistical hypotheses", 1945). Real tests need more. It is not ok
// where the ratio is 1, or something cannot be: there is no such time.
func (t Traffic) Delay(ratio, alpha, power float64) (seconds float64, ok bool) {
	if !(alpha > 0 && alpha < power && power <= 1) {
		return 0, false
	}
	seconds = divergence(power, alpha) / t.Information(ratio)
	return seconds, seconds <= longest
}

// longest is more seconds than anybody waits: beyond is never.
const longest = 1e15

// divergence is that of Kullback and Leibler, in nats, between events of probability p and of
// probability q.
func divergence(p, q float64) float64 {
	return deviance(p, q) + deviance(1-p, 1-q)
}
