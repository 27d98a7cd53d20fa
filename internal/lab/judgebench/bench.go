package main

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"
)

// The rates of false rollbacks that judges are set to.
const (
	usual  = 0.05
	strict = 0.001
)

// bench is the judges, calibrated, and what was measured so far. Only the end of the context ends a
// measurement early: what comes out of it then means nothing, and is not shown.
type bench struct {
	runs int
	seed uint64
	// judges are those that go through all worlds.
	judges []contender
	// limits are what calibration found, such as "Kayenta 1.48".
	limits []string
	done   map[string][]result
}

// Names of judges that reports look up.
const (
	nameOurs       = "Sluice"
	nameOursEven   = "Sluice, calibrated"
	nameOracle     = "oracle"
	nameOracleEven = "oracle, calibrated"
	nameGrid       = "likelihood grid"
	nameGridEven   = "likelihood grid, calibrated"
	nameRank       = "Mann-Whitney"
	nameApart      = "z-test"
	nameCumulative = "Sluice without starts"
)

// newBench calibrates all judges on clean bakes of another seed.
func newBench(ctx context.Context, runs int, seed uint64) *bench {
	b := &bench{runs: runs, seed: seed, done: map[string][]result{}}
	bakes := sample{clean(), runs, seed + 1}
	even, alpha := oursCalibrated(ctx, bakes, usual)
	b.judges = append(b.judges, ours(usual), even, grid(nameGrid).at(nats(usual)))
	b.limit(nameOursEven, alpha)
	for _, r := range []rule{
		grid(nameGridEven),
		argo("Argo Rollouts"), flagger("Flagger"), alarm("AppConfig"),
		rates("ratio of rates"),
		kayenta(nameRank, 5*time.Minute), kayenta("Kayenta", bake),
		apart(nameApart),
	} {
		threshold := r.threshold(ctx, bakes, usual)
		b.judges = append(b.judges, r.at(threshold))
		b.limit(r.name, threshold)
	}
	const onesided = 1.6449 // standard deviations, at 5 %
	b.judges = append(b.judges, apart("z-test, 5% each").at(onesided), oracle(nameOracle).at(nats(usual)), oracles(ctx, bakes))
	return b
}

// fewer is how many bakes the slowest tables are of.
func (b *bench) fewer() int { return max(20, b.runs/2) }

// peers are the ways of other tools, and two tests, each calibrated but for the last.
func (b *bench) peers() []contender { return b.judges[4 : len(b.judges)-2] }

// compared are Sluice's judge, its peers and the oracle.
func (b *bench) compared() []contender {
	return slices.Concat(b.judges[:1], b.peers(), b.judges[len(b.judges)-2:len(b.judges)-1])
}

func (b *bench) limit(name string, x float64) {
	b.limits = append(b.limits, name+" "+strconv.FormatFloat(x, 'g', 3, 64))
}

// oracles are one oracle for each factor, each calibrated.
func oracles(ctx context.Context, bakes sample) contender {
	o, thresholds := oracle(nameOracleEven), map[float64]float64{}
	for _, w := range harmful() {
		one := rule{o.name, func(s series) score {
			s.factor = w.factor
			return o.begin(s)
		}}
		thresholds[w.factor] = one.threshold(ctx, bakes, usual)
	}
	return contender{o.name, func(s series) int { return o.first(s, thresholds[s.factor]) }}
}

func nats(alpha float64) float64 { return -math.Log(alpha) }

// strictly are the judges that are set to the strict rate.
func strictly() []contender { return []contender{ours(strict), oracle(nameOracle).at(nats(strict))} }

// cumulative is Sluice's judge as it would be if faults only ever were there from the start: that
// is how it reads criteria without a time between looks.
func cumulative() contender {
	c := criteria(usual)
	c.Every = 0
	return sluice(nameCumulative, c)
}

// measure is how judges do in a world, by their names.
type measure func(context.Context, world) map[string]result

// in measures judges in a world, once: key tells sets of judges apart.
func (b *bench) in(ctx context.Context, w world, key string, judges []contender) map[string]result {
	id := key + "/" + w.name
	if b.done[id] == nil {
		b.done[id] = sample{w, b.runs, b.seed}.measure(ctx, judges)
	}
	out := map[string]result{}
	for i, j := range judges {
		out[j.name] = b.done[id][i]
	}
	return out
}

// usually measures all judges at the usual rate, or those by likelihood.
func (b *bench) usually(ctx context.Context, w world) map[string]result {
	judges := b.judges
	if w.own {
		judges = slices.Concat(b.judges[:4], b.judges[len(b.judges)-2:len(b.judges)-1])
	}
	return b.in(ctx, w, "usual", judges)
}

// strictly measures those at the strict rate.
func (b *bench) strictly(ctx context.Context, w world) map[string]result {
	return b.in(ctx, w, "strict", strictly())
}

// lately measures what bears on faults that begin late.
func (b *bench) lately(ctx context.Context, w world) map[string]result {
	return b.in(ctx, w, "late", append([]contender{cumulative()}, b.judges...))
}
