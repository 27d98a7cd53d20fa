package prometheus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/promapi"
)

// Limits on what is asked of a Prometheus, and on what it may answer.
const (
	queryTimeout  = 10 * time.Second
	queryParallel = 8 // of one look
	maxAnswer     = 4 << 20
)

// answer is what a query gives, once it is known.
type answer struct {
	known chan struct{} // closed then
	queryResult
}

// queryResult is what a source answered. Its reading has the query and the warnings, and says why
// if there is no answer.
type queryResult struct {
	source.Reading
	value model.Value
}

// query evaluates what must be one number at one explicit time.
func (p *server) query(ctx context.Context, query string, at time.Time) source.Reading {
	g := p.evaluate(ctx, query, at)
	if g.Verdict != "" {
		return g.Reading
	}
	r := single(g.value)
	r.Query, r.Warnings = g.Query, g.Warnings
	return r
}

// evaluate evaluates at one explicit time. Checks share many queries, so a look asks each of them
// once.
func (p *server) evaluate(ctx context.Context, query string, at time.Time) queryResult {
	p.mu.Lock()
	key := asked{query, at.UnixNano()}
	a, other := p.answers[key]
	if !other {
		a = &answer{known: make(chan struct{})}
		p.answers[key] = a
	}
	p.mu.Unlock()
	if other {
		<-a.known // whoever asks ends with the look
		return a.queryResult
	}
	a.queryResult = p.queryWithRetry(ctx, query, at)
	close(a.known)
	return a.queryResult
}

// asked is a query at a moment.
type asked struct {
	query string
	at    int64
}

// queryWithRetry asks, and tries again on trouble on the way.
func (p *server) queryWithRetry(ctx context.Context, query string, at time.Time) queryResult {
	if far := p.tooFar(query); far.Verdict != "" {
		return queryResult{Reading: far}
	}
	ask := func() (queryResult, error) { return p.once(ctx, query, at) }
	g, err := promapi.Retry(ctx, ask)
	if _, behind, ok := strings.Cut(query, lookahead); ok && err != nil && promapi.Final(err) {
		query = behind
		g, err = promapi.Retry(ctx, ask)
	}
	if err != nil {
		return queryResult{Reading: source.NoAnswer(query, p.host, err, p.redact)}
	}
	return g
}

// once sends the query once, when it is its turn.
func (p *server) once(ctx context.Context, query string, at time.Time) (queryResult, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return queryResult{}, ctx.Err()
	}
	defer func() { <-p.slots }()
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errSlow)
	defer cancel()
	value, warnings, infos, err := p.api.Query(ctx, query, at.Add(p.ahead), promv1.WithTimeout(queryTimeout))
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		return queryResult{}, err
	}
	said := append(warnings, infos...)
	for i := range said {
		said[i] = p.redact(said[i])
	}
	return queryResult{value: value, Reading: source.Reading{Query: query, Warnings: said}}, nil
}

var errSlow = fmt.Errorf("it took longer than %s", queryTimeout)

// single reads the one number that a query must answer.
func single(v model.Value) source.Reading {
	switch v := v.(type) {
	case *model.Scalar:
		return source.Reading{Value: float64(v.Value)}
	case model.Vector:
		switch {
		case len(v) == 0:
			return source.Reading{Verdict: judge.NoData, Why: "the query found no series", Empty: true}
		case len(v) > 1:
			return source.Reading{Verdict: judge.NoData, Why: fmt.Sprintf("the query found %d series where one is asked: sum or max them", len(v))}
		}
		return sampled(v[0])
	case nil:
		return source.Reading{Verdict: judge.NoData, Why: "the source answered nothing"}
	}
	return source.Reading{Verdict: judge.NoData, Why: fmt.Sprintf("the query answers a %s where one number is asked", v.Type())}
}

// sampled reads the number of one series.
func sampled(s *model.Sample) source.Reading {
	switch {
	case s == nil, s.Histogram == nil && s.Timestamp == 0 && s.Value == 0: // null, or no value at all
		return source.Reading{Verdict: judge.NoData, Why: "the source answered a series without a value"}
	case s.Histogram != nil:
		return source.Reading{Verdict: judge.NoData, Why: "the query found a native histogram where a number is asked"}
	}
	return source.Reading{Value: float64(s.Value)}
}
