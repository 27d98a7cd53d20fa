package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// change is one that other people made and labelled, with the numbers that were seen of it.
type change struct {
	name string
	// group are changes that were under way at once; empty where there were no others.
	group string
	bad   bool
	// at is since when targets run the change: what they showed before is not of it.
	at time.Time
	// before is until when they ran what was there before it; at, where that is the same.
	before time.Time
	// exposed and control are ids of targets.
	exposed, control []string
	// numbers are by metric and by target.
	numbers map[string]map[string]series
}

// series are numbers in order of time.
type series []sample

type sample struct {
	at    time.Time
	value float64
}

// add puts a number at its place. Of two at one moment the first stays, or both are added up.
func (c *change) add(metric, target string, at time.Time, value float64, sum bool) {
	if math.IsNaN(value) {
		return
	}
	if c.numbers == nil {
		c.numbers = map[string]map[string]series{}
	}
	if c.numbers[metric] == nil {
		c.numbers[metric] = map[string]series{}
	}
	s := c.numbers[metric][target]
	i, found := slices.BinarySearchFunc(s, at, func(s sample, at time.Time) int { return s.at.Compare(at) })
	switch {
	case !found:
		s = slices.Insert(s, i, sample{at, value})
	case sum:
		s[i].value += value
	}
	c.numbers[metric][target] = s
}

// within are the numbers after from and not after to.
func (s series) within(from, to time.Time) series {
	after := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(s, t, func(s sample, t time.Time) int { return cmp.Or(s.at.Compare(t), -1) })
		return i
	}
	first, end := after(from), after(to)
	return s[first:max(first, end)]
}

// sum adds numbers up.
func (s series) sum() (total float64) {
	for _, one := range s {
		total += one.value
	}
	return total
}

// mean is that of the numbers; none of none.
func (s series) mean() float64 { return s.sum() / float64(len(s)) }
