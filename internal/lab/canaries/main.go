// Command canaries measures the judge on changes that other people made and labelled: which of the
// bad ones it blames, and when, and which of the good ones. It reads public sets as they were
// published, of which none is in this repository.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/lab/table"
)

func main() { entry.Main("canaries", run) }

type options struct {
	changeRCA string
	rate      float64
	bake      time.Duration
	verbose   bool
}

func run(_ context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	fs := entry.Flags("canaries", stderr)
	fs.StringVar(&o.changeRCA, "changerca", "", "`folder` with experiments of ChangeRCA: github.com/IntelligentDDS/ChangeRCA at e33c328, data/")
	fs.Float64Var(&o.rate, "rate", 0.001, "falseRollbackRate")
	fs.DurationVar(&o.bake, "bake", 15*time.Minute, "how long a change bakes; it may hold for half as long")
	fs.BoolVar(&o.verbose, "v", false, "a line for each change")
	if err := entry.Parse(fs, args); err != nil {
		return err
	}
	if o.changeRCA == "" {
		return errors.New("--changerca: is not given, expected the folder of the data")
	}
	changes, err := readChangeRCA(o.changeRCA)
	if err != nil {
		return err
	}
	report(stdout, o, changes)
	return nil
}

// decision is how a stage with a change ended.
type decision struct {
	verdict judge.Verdict // Pass went on, Fail was blamed, else it was held to the end
	at      time.Duration
	why     string
}

// decide judges as a rollout's gate does: a look each minute, a bake, and a hold. Traffic is not
// judged, since the set has no numbers of requests.
func (o options) decide(c change) decision {
	q := judge.Criteria{Worse: 0.2, Alpha: o.rate, Every: time.Minute, Bake: o.bake, Hold: o.bake / 4, MinSamples: 100}
	split, _ := slices.BinarySearchFunc(c.looks, 1, func(l judge.Look, at time.Duration) int { return cmp.Compare(l.At, at) })
	j, last := judge.New(q, c.looks[:split]), time.Duration(0)
	out := j.Outcome(0)
	for _, l := range append(slices.Clone(c.looks[split:]), judge.Look{At: o.bake * 3 / 2}) {
		for ; l.At-last > q.Every*3/2; last += q.Every { // a look that is not there
			j.See()
			if out = j.Outcome(last + q.Every); last+q.Every >= o.bake && out.Verdict == judge.Pass {
				return decision{out.Verdict, out.At, out.Evidence}
			}
		}
		last = l.At
		if l.At > o.bake*3/2 {
			break
		}
		j.See(l)
		out = j.Outcome(l.At)
		if out.Verdict == judge.Fail || l.At >= o.bake && out.Verdict == judge.Pass {
			break
		}
	}
	return decision{out.Verdict, out.At, out.Evidence}
}

func report(w io.Writer, o options, changes []change) {
	t := &table.Table{
		Title: fmt.Sprintf("Other people's canaries at a rate of %g%%: %d changes", 100*o.rate, len(changes)),
		Head:  []string{"changes", "all", "went on", "held", "blamed", "half of those blamed by, s"},
	}
	for _, bad := range []bool{true, false} {
		var all, on, held int
		var blamed []time.Duration
		for _, c := range changes {
			if c.bad != bad {
				continue
			}
			all++
			d := o.decide(c)
			switch d.verdict {
			case judge.Pass:
				on++
			case judge.Fail:
				blamed = append(blamed, d.at)
			default:
				held++
			}
			if o.verbose {
				_, _ = fmt.Fprintf(w, "%s: bad %v: %s at %s: %s\n", c.name, c.bad, d.verdict, d.at, d.why)
			}
		}
		slices.Sort(blamed)
		half := "–"
		if len(blamed) > 0 {
			half = fmt.Sprintf("%.0f", blamed[(len(blamed)-1)/2].Seconds())
		}
		name := map[bool]string{true: "bad", false: "good"}[bad]
		t.Add(name, fmt.Sprint(all), fmt.Sprint(on), fmt.Sprint(held), fmt.Sprint(len(blamed)), half)
	}
	t.Text(w)
}
