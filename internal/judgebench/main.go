// Command judgebench measures how often tests that compare two arms alarm falsely.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "judgebench:", err)
		os.Exit(1)
	}
}

// run prints how often Mann and Whitney's test of two arms that are alike alarms,
// at 5 % and on both sides, if it is read again and again while data comes in.
func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("judgebench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	runs := flags.Int("runs", 1000, "simulated bakes for each row")
	seed := flags.Uint64("seed", 1, "seed of the simulation")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *runs < 1 {
		return fmt.Errorf("-runs %d: need 1 at least", *runs)
	}
	fmt.Fprintf(stdout, "%-6s %s\n", "looks", "false alarms of Mann-Whitney")
	for _, looks := range []int{1, 5, 20, 100} {
		random := rand.New(rand.NewPCG(*seed, uint64(looks)))
		alarms := 0
		for range *runs {
			if alarm(random, looks) {
				alarms++
			}
		}
		fmt.Fprintf(stdout, "%-6d %.1f %%\n", looks, 100*float64(alarms)/float64(*runs))
	}
	return nil
}

// alarm reads two arms that are alike, ten more values of each per look.
func alarm(random *rand.Rand, looks int) bool {
	var exposed, control []float64
	for range looks {
		for range 10 {
			exposed, control = append(exposed, random.ExpFloat64()), append(control, random.ExpFloat64())
		}
		if test, ok := mannWhitney(exposed, control); ok && test.different <= 0.05 {
			return true
		}
	}
	return false
}
