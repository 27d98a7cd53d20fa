package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	historypb "go.temporal.io/api/history/v1"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// known is what the server knew of a run.
type known struct {
	state   rollout.State
	history *historypb.History
}

// longest is for how long a rollout goes on, at most, before the database is what it was before.
const longest = 5 * time.Second

// restore copies the server's database, lets the rollout go on, and puts the copy in the place of
// the database, as one who restores a backup. What was known in between is kept for the check.
func (d *drive) restore(ctx context.Context, pick float64) error {
	if err := d.offline(ctx, "temporal.db", "older.db"); err != nil {
		return err
	}
	if err := pause.For(ctx, time.Duration(pick*float64(longest))); err != nil {
		return err
	}
	k, err := d.knownAtKill(ctx)
	if err != nil {
		return err
	}
	d.lost = append(d.lost, k)
	err = d.offline(ctx, "older.db", "temporal.db")
	d.forget()
	return errors.Join(err, d.restart(ctx, worker, d.rig))
}

// offline copies a file of the server's database while no server runs.
func (d *drive) offline(ctx context.Context, from, to string) error {
	d.Temporal.Kill()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(filepath.Join(d.Dir, from+suffix))
		if os.IsNotExist(err) {
			_ = os.Remove(filepath.Join(d.Dir, to+suffix))
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(d.Dir, to+suffix), data, 0o600)
		}
		if err != nil {
			return fmt.Errorf("copy the server's database: %w", err)
		}
	}
	return d.restart(ctx, server, d.rig)
}

// knownAtKill kills the worker, and answers what the server knows from then on until there is one
// again. Only a worker tells the state, so that it is asked first, and again where the history went
// on in between.
func (d *drive) knownAtKill(ctx context.Context) (known, error) {
	for ctx.Err() == nil {
		before, err := stack.History(ctx, d.client, connect.WorkflowID(d.unit), "")
		if err != nil {
			return known{}, err
		}
		s, ok := d.status(ctx)
		if !ok {
			continue
		}
		if err := d.kill(ctx, worker, d.rig, 0); err != nil {
			return known{}, err
		}
		after, err := stack.History(ctx, d.client, connect.WorkflowID(d.unit), "")
		if err != nil || len(after.GetEvents()) == len(before.GetEvents()) {
			return known{s, after}, err
		}
		if err := d.restart(ctx, worker, d.rig); err != nil {
			return known{}, err
		}
	}
	return known{}, ctx.Err()
}
