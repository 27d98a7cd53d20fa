package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/train"
)

// Two releases that overlap: the older one does harm some seconds after a target took it, when the
// younger one is on the first targets already.
const (
	sleepyRelease  = "2.7.0-errors-after12s"
	youngerRelease = "2.7.1"
)

// overlap starts two releases of one train, of which the older one goes bad: both are taken back in
// one hop.
func (d *demo) overlap(ctx context.Context) error {
	d.scene("4. Two releases overlap, and the older one, %s, goes bad at its second stage", sleepyRelease)
	for _, release := range []string{sleepyRelease, youngerRelease} {
		path, err := writeSpec(d.Dir, release, "4s")
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "bake: 10s", "bake: 40s")+"train: {}\n"), 0o644); err != nil {
			return err
		}
		if err := d.submit(ctx, path); err != nil {
			return err
		}
	}
	both := func(l train.Ledger) bool { return len(l.Open) == 2 && l.Open[0].Granted == 2 && l.Open[1].Granted > 0 }
	if _, err := d.untilTrain(ctx, both); err != nil {
		return err
	}
	if _, err := d.sluice(ctx, "train", unit); err != nil {
		return err
	}
	d.say("Both are out. The older one begins to fail 12 s after a target took it.")
	l, err := d.untilTrain(ctx, func(l train.Ledger) bool { return len(l.Open) == 0 })
	if err != nil {
		return err
	}
	for _, c := range l.Closed {
		switch c.Result {
		case "rolled-back":
			d.tally.rolledBack++
		case "withdrawn":
			d.tally.withdrawn++
		}
	}
	_, err = d.sluice(ctx, "train", unit)
	return err
}

// untilTrain waits for a state of the unit's train.
func (d *demo) untilTrain(ctx context.Context, ok func(train.Ledger) bool) (l train.Ledger, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		ran, err := d.Sluice(ctx, "train", unit, "--output", "json")
		if err != nil {
			return l, err
		}
		l = train.Ledger{}
		if json.Unmarshal([]byte(ran.Stdout), &l) == nil && ok(l) {
			return l, nil
		}
		if err := pause.For(ctx, 300*time.Millisecond); err != nil {
			return l, fmt.Errorf("wait for the train of %s: %w", unit, err)
		}
	}
}
