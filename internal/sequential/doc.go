// Package sequential holds statistical tests that may be read at any time. An
// ordinary test that is read again and again while data comes in alarms falsely
// far more often than it says; these keep their promise over all looks together.
//
// Most rest on an e-process: a non-negative process that is 1 on average, whatever
// the moment, as long as the null hypothesis holds. By Ville's inequality it ever
// reaches 1/α with probability α at most. Values of such processes are kept as
// natural logarithms, called evidence, in nats.
//
// Everything here is pure: no clock, no randomness, no input or output. NaN,
// infinite and negative input is no evidence. Nothing is safe for concurrent use
// unless it is a plain function.
package sequential
