package health

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// arm is one side of a comparison.
type arm int

const (
	exposed arm = iota
	control
)

// arms are both sides, or the exposed one where there is no control to compare with.
func arms(alone bool) []arm {
	if alone {
		return []arm{exposed}
	}
	return []arm{exposed, control}
}

// lack is what it means that a count finds no series.
type lack bool

const (
	// lackIsUnknown: nothing is known.
	lackIsUnknown lack = false
	// lackIsNone: no such event has happened yet, if the source shows that it would
	// know.
	lackIsNone lack = true
)

// Tally is how many events of an expression were counted so far, and since when: events that
// a source counts later are new. Its zero value has counted nothing.
type Tally struct {
	From    time.Time `json:"from,omitzero"`
	Counted float64   `json:"counted,omitempty"`
}

// Scope says which targets a source is asked about, and at which point of a rollout.
type Scope struct {
	// Release is what the exposed targets must run; empty when anything will do.
	Unit, Release, Previous, Stage string
	// Exposed are the targets changed so far, Cohort those of this stage among
	// them, Control those not reached; Control is empty in the last stage.
	Exposed, Cohort, Control []fleet.Target
	// Since is when the cohort was applied; zero before. Evidence counts from Since plus
	// the spec's warmup.
	Since time.Time
	// Earlier are when other rollouts of the unit ran: the past leaves them out.
	Earlier []Span
}

// sourceDeps is what a source reaches the world by.
type sourceDeps struct {
	// Transport carries requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
}

// source is where numbers come from. What goes wrong is in the reading. After refresh, a
// source may be read concurrently. What only some sources can do is an interface of its
// own: perTarget, history, histograms, memory.
type source interface {
	// refresh reads anew, for sources that keep what they have read; what lies
	// before from is no evidence any more.
	refresh(ctx context.Context, at, from time.Time)
	// count is how many events an arm showed in the window.
	count(ctx context.Context, expr string, a arm, w window, l lack) reading
	// added is how many events of an arm are new since the tally, which it brings up to
	// date.
	added(ctx context.Context, expr string, a arm, w window, t *Tally, l lack) reading
	// gauge is a plain number about the exposed targets now.
	gauge(ctx context.Context, expr string, w window) reading
	// coverage is how many targets of an arm an expression is read from, and how many
	// those stand for.
	coverage(expr string, a arm) (read, of int)
	// absence is how long counting must have gone on for nothing to mean that there
	// is nothing.
	absence() time.Duration
	// settling is how long counting must have gone on for one restart, with what it
	// takes from the counters, not to look as if most events were missing.
	settling() time.Duration
	// baseline readies a source to answer about the time up to at, before anything was
	// applied: all that it reads is evidence. One without a past reads for a while, so at
	// is not the end.
	baseline(ctx context.Context, at time.Time) (window, error)
}

// perTarget is a source that can show every target by itself.
type perTarget interface {
	// counts are how many events every exposed target showed in the window.
	counts(ctx context.Context, expr string, w window, l lack) spread
	// gauges are the numbers of every target of an arm now.
	gauges(ctx context.Context, expr string, a arm, w window) spread
	// usual is the mean of each target's number before the window's end, over so long a
	// time in steps; of a source without a past, in the window. It lacks targets of which
	// nothing is known.
	usual(ctx context.Context, expr string, a arm, w window, long, step time.Duration) map[string]float64
}

// history is a source that can be asked about any time in the past, for any targets.
type history interface {
	// past are the events of an arm before at, in looks of step each, oldest first; nil
	// with the reason where they are not known.
	past(ctx context.Context, expr string, a arm, at time.Time, looks int, step time.Duration) ([]float64, reading)
	// numbers are those of the targets with these ids in so many looks after from, look by
	// look: NaN where a target has none. It is not ok where nothing at all is known.
	numbers(ctx context.Context, expr string, a arm, ids []string, from time.Time, looks int, step time.Duration) (rows [][]float64, ok bool)
	// density is how many samples per second the source has of what an expression
	// reads of the exposed targets; 0 when it does not tell.
	density(ctx context.Context, expr string, w window) float64
	// misspelt says which series of an expression no target has; empty where some have
	// each.
	misspelt(ctx context.Context, expr string, at time.Time) string
}

// histograms is a source that can count requests by a histogram.
type histograms interface {
	// slow are the queries that count the requests of a histogram. The first that answers
	// counts: a histogram may be kept in more than one form.
	slow(s spec.Slow) []slowQueries
	// bounds are those of a histogram's buckets, ascending; none where they are not known.
	bounds(ctx context.Context, histogram string, w window) []float64
}

// slowQueries count all requests, and those within the bound.
type slowQueries struct{ total, within string }

// memory is a source that keeps what it read, since nobody could be asked again.
type memory interface {
	// looked is what an arm showed in each look of the baseline; nil where it kept none.
	looked(expr string, a arm) []float64
	// state and restore hand what it keeps on to another worker.
	state() json.RawMessage
	restore(json.RawMessage) error
}
