// Package e2e holds tests of a whole deployment: a real Temporal server, real
// workers and a simulated fleet as processes of their own, some of them killed.
package e2e
