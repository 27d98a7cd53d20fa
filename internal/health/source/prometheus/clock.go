package prometheus

import (
	"context"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// Times in questions are of the clock of those who ask. On the way to the server and back they are
// corrected: samples are dated by its clock.

// clockTimeout is how long the server is asked for its time.
const clockTimeout = 5 * time.Second

// measureClock asks the server for its time; unanswered, the newest answer counts.
func (p *server) measureClock(ctx context.Context) {
	if p.now == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	if c, ok := p.clock(ctx, p.now); ok {
		p.ahead, p.late = c.Ahead, c.Late
	}
}

// Ahead is how far the server's clock was ahead.
func (p *server) Ahead() (string, time.Duration) { return p.host, p.ahead }

// tooFar refuses to ask a server whose clock is too far away.
func (p *server) tooFar(query string) source.Reading {
	if p.ahead.Abs() <= source.MostAhead {
		return source.Reading{}
	}
	far := source.NoData(query, "the clock of %s is %s the Temporal server's, at most %s is corrected: set it right",
		p.host, source.Apart(p.ahead), spec.Duration(source.MostAhead))
	far.Impossible = true
	return far
}

// corrected dates points by the clock of those who ask.
func (p *server) corrected(m model.Matrix) model.Matrix {
	if p.ahead == 0 {
		return m
	}
	for _, series := range m {
		for i := range series.Values {
			series.Values[i].Timestamp = series.Values[i].Timestamp.Add(-p.ahead)
		}
	}
	return m
}
