package health

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
)

// darkLooks is how many looks in a row must find a target without requests: a load balancer takes
// one that restarted back only after some checks of its own.
const darkLooks = 3

// requestsOf are each exposed target's requests in a window; none where the source does not tell
// targets apart. A target without a usable series is not in it.
func (m trafficCheck) requestsOf(ctx context.Context, w source.Window) map[string]float64 {
	out := map[string]float64{}
	for id, r := range source.PerTargetOf(m.source).Counts(ctx, m.spec.Traffic, w, source.EmptyIsUnknown).Of {
		if r.Verdict == "" {
			out[id] = r.Value
		}
	}
	return out
}

// busy are the targets with requests.
func busy(of map[string]float64) map[string]float64 {
	for id, n := range of {
		if n <= 0 {
			delete(of, id)
		}
	}
	return of
}

// each adds to a verdict on all targets that one of them had requests before the stage and has none
// any more: the others hide it.
func (m trafficCheck) each(ctx context.Context, at Look, out Judged, r requests) Judged {
	before := m.before()
	if out.Verdict == Fail || len(before.Targets) == 0 {
		return out
	}
	now := m.requestsOf(ctx, at.Window)
	dark := darkTargets(before, now, r.span, ownShare(before, r), m.trafficLevel())
	switch {
	case len(dark) == 0:
		return out
	case at.Streak+1 < darkLooks:
		out.Verdict, out.Pending = Unexercised, true
		out.Suspicion = fmt.Sprintf("look %d of %d", at.Streak+1, darkLooks)
	default:
		out.Verdict = Fail
	}
	out.Breach = true
	out.Value, out.Limit = nil, nil
	out.Sentence = fmt.Sprintf("%d of %d exposed targets had requests before the stage and have %s now: %s",
		len(dark), len(now), left(dark), listed(dark, 5))
	return out
}

// ownShare is which part of all requests is left of those before the stage, at most 1: at night all
// targets have fewer.
func ownShare(b Baseline, r requests) float64 {
	measured, all := b.At.Sub(b.From).Seconds(), b.Exposed+b.Control
	if measured <= 0 || all <= 0 || r.span <= 0 {
		return 0
	}
	return min(1, (r.mine+r.others)/r.span.Seconds()/(all/measured))
}

// left words how many requests dark targets have.
func left(dark []string) string {
	if slices.ContainsFunc(dark, func(d string) bool { return strings.Contains(d, " of ") }) {
		return "almost none"
	}
	return "none"
}

// darkTargets are those that had so many requests before that none, or almost none, since is no
// chance, in words: of half of the window, since a source may lag.
func darkTargets(b Baseline, now map[string]float64, window time.Duration, left, level float64) []string {
	measured := b.At.Sub(b.From).Seconds()
	if measured <= 0 {
		return nil
	}
	var out []string
	for id, expected := range b.unsteady().Dark(b.Targets, now, window.Seconds()/2*left/measured, level) {
		words := humanize.Integer(expected) + " expected"
		if n := now[id]; n >= 1 {
			words = humanize.Integer(n) + " of " + words
		}
		out = append(out, fmt.Sprintf("%s (%s)", id, words))
	}
	slices.Sort(out)
	return out
}
