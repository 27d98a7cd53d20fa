package prometheus

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/promql"
)

// begin is when evidence begins.
func (p *server) begin() time.Time { return p.scope.Since.Add(p.spec.Warmup.Std()) }

// fresh says what is wrong with the series that a query reads: the newest sample of each selector
// must be recent, and from after the apply. A selector without any sample is left to the query
// itself, as long as others have some. When the query answered nothing, and that is to mean none,
// the source must show that it would know.
func (p *server) fresh(ctx context.Context, query string, w source.Window, l source.OnEmpty, lacking bool) source.Reading {
	selectors, err := promql.Selectors(query)
	if err != nil || len(selectors) == 0 {
		return source.NoData(query, "the query asks about no series, so nothing tells how old its answer is")
	}
	recent := false
	for _, s := range selectors {
		r := p.newest(ctx, s, w.At)
		if lacking && r.Verdict == "" {
			return source.NoData(
				query,
				"the query answers nothing, although there are series of %s: "+
					"they were read only once yet, or the query needs others that are absent (… or vector(0) fills them in)",
				source.Cut(s, 80),
			)
		}
		if r.Empty && l == source.EmptyIsZero {
			r = p.newest(ctx, p.ownOf(s), w.At)
			if r.Empty && lacking {
				return nobodyHas(query, p.ownOf(s))
			}
		}
		if r.Empty {
			continue
		}
		if r.Verdict != "" {
			return r
		}
		recent = true
		if old := p.times(w).Aged(p.stamp(r)); old.Verdict != "" {
			return old
		}
	}
	if !recent {
		return source.Reading{Verdict: judge.Stale, Why: "no series of the query has a recent sample"}
	}
	return source.Reading{}
}

// stamp is the time that a reading of seconds means.
func (p *server) stamp(r source.Reading) time.Time {
	return time.UnixMilli(int64(1000 * min(max(r.Value, 0), 1<<40))).Add(-p.ahead)
}

// times are when samples count in a look.
func (p *server) times(w source.Window) source.Times {
	return source.Times{At: w.At, Begin: p.begin(), After: p.spec.StaleAfter, Ahead: source.Ahead(p.spec, time.Since(p.began)), Late: p.late}
}

// newest is when the newest sample of a selector was taken, in seconds.
func (p *server) newest(ctx context.Context, selector string, at time.Time) source.Reading {
	return p.query(ctx, newest("max", selector), at).Usable()
}

// newest asks for the time of a selector's newest sample, also of one that is in the future of the
// query's time: a source whose clock is ahead shows by it. How far it looks is less than how far a
// selector looks back, 5m unless the source was told otherwise, so that samples of now are found,
// too.
func newest(aggregation, selector string) string {
	return aggregation + "(timestamp(" + selector + lookahead + aggregation + "(timestamp(" + selector + "))"
}

// lookahead is the part of newest that looks into the future, up to where the same follows of the
// past: of a server that refuses it only that is asked.
const lookahead = " offset -4m)) or "
