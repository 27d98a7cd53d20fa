// Package source is what a place is that numbers about health come from: a small interface that
// every source has, and capabilities that some have. A new source is a package beside prometheus
// and scrape, and a line in package catalog.
package source

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// Arm is one side of a comparison.
type Arm int

const (
	// Exposed are the targets with the change.
	Exposed Arm = iota
	// Control are those that are not reached yet.
	Control
)

// Arms are both sides, or the exposed one where there is no control to compare with.
func Arms(alone bool) []Arm {
	if alone {
		return []Arm{Exposed}
	}
	return []Arm{Exposed, Control}
}

// OnEmpty says what an answer without series means for a count.
type OnEmpty bool

const (
	// EmptyIsUnknown says that nothing is known.
	EmptyIsUnknown OnEmpty = false
	// EmptyIsZero says that no such event has happened yet, if the source shows that it would know.
	EmptyIsZero OnEmpty = true
)

// Tally is how many events of an expression were counted so far, and since when: events that a
// source counts later are new. Its zero value has counted nothing.
type Tally struct {
	From    time.Time `json:"from,omitzero"`
	Counted float64   `json:"counted,omitempty"`
}

// Scope says which targets a source is asked about, and at which point of a rollout.
type Scope struct {
	// Release is what the exposed targets must run; empty when anything will do.
	Unit, Release, Previous, Stage string
	// Exposed are the targets changed so far, Cohort those of this stage among them, Control those
	// not reached; Control is empty in the last stage.
	Exposed, Cohort, Control []fleet.Target
	// Silent is how many exposed targets may leave questions unanswered.
	Silent int
	// Since is when the cohort was applied; zero before. Evidence counts from Since plus the spec's
	// warmup.
	Since time.Time
	// Earlier are when other rollouts of the unit ran: the past leaves them out.
	Earlier []EarlierRun
	// Began is when the rollout began to expose targets; zero before its first stage.
	Began time.Time
	// Ran is how long targets of earlier stages had run the release when the stage was applied,
	// added up over them.
	Ran time.Duration
	// Baseline is when the targets were looked at before the stage; zero where nobody has.
	Baseline Window
	// Shown is what the exposed targets showed then, for a source without a past.
	Shown Shown
}

// Shown are the events a second of each target that showed an expression, by expression and by
// target: 0 for one that is no count. What it lacks is not known.
type Shown map[string]map[string]float64

// Deps is what a source reaches the world by.
type Deps struct {
	// Transport carries requests, with what the source wants of who asks it.
	Transport http.RoundTripper
	// Redact takes out of a text the secrets that Transport sends.
	Redact func(string) string
	// Now is the clock that every time in a question is of; nil where nobody compares it with the
	// source's.
	Now func() time.Time
}

// Source is where numbers come from. A reading says what went wrong. After refresh, a source may be
// read concurrently. What only some sources can do is an interface of its own: PerTarget, History,
// Histograms, Memory.
type Source interface {
	// Refresh begins a look. A source that keeps what it read reads again; what lies before from is
	// no evidence any more.
	Refresh(ctx context.Context, at, from time.Time)
	// Count is how many events an arm showed in the window.
	Count(ctx context.Context, expr string, a Arm, w Window, l OnEmpty) Reading
	// Increase is how many events of an arm are new since the tally, which it brings up to date.
	Increase(ctx context.Context, expr string, a Arm, w Window, t *Tally, l OnEmpty) Reading
	// Gauge is a plain number about the exposed targets now.
	Gauge(ctx context.Context, expr string, w Window) Reading
	// Coverage is how many targets of an arm an expression is read from, and how many those stand
	// for.
	Coverage(expr string, a Arm) (read, of int)
	// Absence is how long a source must have counted until a count of 0 means that nothing
	// happened.
	Absence() time.Duration
	// RestartSpan is how long a source must have counted until one restart, which loses counts, no
	// longer looks as if most events were missing.
	RestartSpan() time.Duration
	// Baseline readies a source to answer about the time up to at, before anything was applied: all
	// that it reads is evidence. One without a past reads for a while, so at is not the end.
	Baseline(ctx context.Context, at time.Time) (Window, error)
}

// PerTarget is a source that can show every target by itself.
type PerTarget interface {
	// Counts are how many events every exposed target showed in the window.
	Counts(ctx context.Context, expr string, w Window, l OnEmpty) Readings
	// Gauges are the numbers of every target of an arm now.
	Gauges(ctx context.Context, expr string, a Arm, w Window) Readings
	// BaselineMeans is the mean of each target's number before the window's end, over so long a
	// time in steps; of a source without a past, in the window. It lacks targets of which nothing
	// is known.
	BaselineMeans(ctx context.Context, expr string, a Arm, w Window, long, step time.Duration) map[string]float64
}

// History is a source that can be asked about any time in the past, for any targets.
type History interface {
	// Past are the events of an arm before at, in looks of step each, oldest first; nil with the
	// reason where they are not known.
	Past(ctx context.Context, expr string, a Arm, at time.Time, looks int, step time.Duration) ([]float64, Reading)
	// Numbers are those of the targets with these ids in so many looks after from, look by look:
	// NaN where a target has none. It is not ok where nothing at all is known.
	Numbers(ctx context.Context, expr string, a Arm, ids []string, from time.Time, looks int, step time.Duration) (rows [][]float64, ok bool)
	// Density is how many samples per second the source has of what an expression reads of the
	// exposed targets; 0 when it does not tell.
	Density(ctx context.Context, expr string, w Window) float64
	// Misspelt says which series of an expression no target has; empty where some have each.
	Misspelt(ctx context.Context, expr string, at time.Time) string
}

// Histograms is a source that can count requests by a histogram.
type Histograms interface {
	// Slow are the queries that count the requests of a histogram. The first that answers counts: a
	// histogram may be kept in more than one form.
	Slow(s spec.Slow) []SlowQueries
	// Bounds are those of a histogram's buckets, ascending; none where they are not known.
	Bounds(ctx context.Context, histogram string, w Window) []float64
}

// SlowQueries count all requests, and those within the bound.
type SlowQueries struct{ Total, Within string }

// Clocked is a source with a clock of its own. Whoever asks, asks by the clock of Deps.Now, and the
// source corrects for the difference.
type Clocked interface {
	// Ahead is how far the source's clock is ahead of Deps.Now, as the newest look has measured it,
	// and the source's name.
	Ahead() (name string, by time.Duration)
}

// MostAhead is how far clocks may be apart: what is more, such as a time zone, is a mistake that
// nobody corrects in silence.
const MostAhead = 30 * time.Minute

// PastLooks is in how many looks the time before a stage is looked at, at most.
const PastLooks = 120

// Memory is a source that keeps what it read, since nobody could be asked again.
type Memory interface {
	// BaselineLooks is what an arm showed in each look of the baseline; nil where it kept none.
	BaselineLooks(expr string, a Arm) []float64
	// Own is the same source, read and refreshed with it, of whose exposed targets only those count
	// that the stage itself exposes: of the others it knows nothing from before the release.
	Own() Source
	// Shown is what the exposed targets showed in the baseline.
	Shown() Shown
	// State and restore hand what it keeps on to another worker.
	State() json.RawMessage
	Restore(json.RawMessage) error
}

// EachSample is how many targets a check of each target asks about, at most.
const EachSample = 2000

// Sample picks n of the targets evenly, always the same ones.
func Sample(ts []fleet.Target, n int) []fleet.Target {
	if len(ts) <= n {
		return ts
	}
	out := make([]fleet.Target, n)
	for i := range out {
		out[i] = ts[i*len(ts)/n]
	}
	return out
}
