package main

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"
)

// source is the randomness of one run of a world: the same whatever else runs.
func source(seed uint64, world string, run int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(world + "\x00" + strconv.Itoa(run)))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

func poisson(r *rand.Rand, mean float64) float64 {
	switch {
	case mean <= 0:
		return 0
	case mean > 500: // requests, whose number matters less than what becomes of them
		return max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	return distuv.Poisson{Lambda: mean, Src: r}.Rand()
}

func gamma(r *rand.Rand, shape float64) float64 {
	return distuv.Gamma{Alpha: shape, Beta: 1, Src: r}.Rand()
}

// part is how many of n events are kept, each with probability keep.
func part(r *rand.Rand, n, keep float64) float64 {
	kept := 0.0
	for range int(n) {
		if r.Float64() < keep {
			kept++
		}
	}
	return kept
}

// times words a factor.
func times(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) + "×" }
