// Package bubble runs a part of a program in time that skips: its clocks, timers and tickers are
// the Go runtime's own fake ones, which go on to the next timer as soon as every goroutine of it
// waits.
package bubble

import (
	"testing"
	"testing/synctest"
)

// Run runs f in a bubble and returns when f and every goroutine that it started have ended. Time in
// it begins at midnight UTC of 2000-01-01. Bubbles may run side by side. A goroutine that never
// ends, and a panic in one, end the program, as they do in a test.
//
// The runtime offers bubbles to tests alone. The zero value of testing.T is a test of no suite,
// which can neither fail nor log here; TestRun would notice if a version of Go wanted more of it.
func Run(f func()) {
	synctest.Test(new(testing.T), func(*testing.T) { f() })
}
