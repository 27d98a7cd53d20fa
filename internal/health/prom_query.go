package health

import (
	"context"
	"errors"
	"fmt"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/promapi"
)

// Limits on what is asked of a Prometheus, and on what it may answer.
const (
	queryTimeout  = 10 * time.Second
	queryAttempts = 3
	queryPause    = 250 * time.Millisecond // before the second attempt, doubled after
	queryParallel = 8                      // of one look
	maxAnswer     = 4 << 20
)

// answer is what a query gives, once it is known.
type answer struct {
	known chan struct{} // closed then
	given
}

// given is what a source answered. Its reading has the query and the warnings, and
// says why if there is no answer.
type given struct {
	reading
	value model.Value
}

// query evaluates what must be one number at one explicit time.
func (p *prometheus) query(ctx context.Context, query string, at time.Time) reading {
	g := p.given(ctx, query, at)
	if g.verdict != "" {
		return g.reading
	}
	r := single(g.value)
	r.query, r.warnings = g.query, g.warnings
	return r
}

// given evaluates at one explicit time. Checks share many queries, so a look asks
// each of them once.
func (p *prometheus) given(ctx context.Context, query string, at time.Time) given {
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
		return a.given
	}
	a.given = p.insist(ctx, query, at)
	close(a.known)
	return a.given
}

// asked is a query at a moment.
type asked struct {
	query string
	at    int64
}

// insist asks, and tries again on trouble on the way.
func (p *prometheus) insist(ctx context.Context, query string, at time.Time) given {
	wait := queryPause
	for n := 1; ; n++ {
		g, err := p.once(ctx, query, at)
		if err == nil {
			return g
		}
		if final(err) || n == queryAttempts || pause.For(ctx, wait) != nil {
			return given{reading: noData(query, "no usable answer from %s: %s", p.host, cut(promapi.Cause(err).Error(), 200))}
		}
		wait *= 2
	}
}

// once sends the query once, when it is its turn.
func (p *prometheus) once(ctx context.Context, query string, at time.Time) (given, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return given{}, ctx.Err()
	}
	defer func() { <-p.slots }()
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errSlow)
	defer cancel()
	value, warnings, infos, err := p.api.Query(ctx, query, at, promv1.WithTimeout(queryTimeout))
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		return given{}, err
	}
	return given{value: value, reading: reading{query: query, warnings: append(warnings, infos...)}}, nil
}

var errSlow = fmt.Errorf("it took longer than %s", queryTimeout)

// final says whether asking again, soon, would end the same.
func final(err error) bool {
	busy, ok := errors.AsType[promapi.Busy](err)
	return ok && time.Duration(busy) > queryTimeout || promapi.Final(err)
}

// single reads the one number that a query must answer.
func single(v model.Value) reading {
	switch v := v.(type) {
	case *model.Scalar:
		return reading{value: float64(v.Value)}
	case model.Vector:
		switch {
		case len(v) == 0:
			return reading{verdict: NoData, why: "the query found no series", empty: true}
		case len(v) > 1:
			return reading{verdict: NoData, why: fmt.Sprintf("the query found %d series where one is asked: sum or max them", len(v))}
		}
		return sampled(v[0])
	case nil:
		return reading{verdict: NoData, why: "the source answered nothing"}
	}
	return reading{verdict: NoData, why: fmt.Sprintf("the query answers a %s where one number is asked", v.Type())}
}

// sampled reads the number of one series.
func sampled(s *model.Sample) reading {
	switch {
	case s == nil, s.Histogram == nil && s.Timestamp == 0 && s.Value == 0: // null, or no value at all
		return reading{verdict: NoData, why: "the source answered a series without a value"}
	case s.Histogram != nil:
		return reading{verdict: NoData, why: "the query found a native histogram where a number is asked"}
	}
	return reading{value: float64(s.Value)}
}
