package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
)

// tally is the demo's last line, counted and never assumed.
type tally struct {
	promoted, rolledBack, withdrawn, refused, aborted int
	workerKills, serverKills                          int
	wrong                                             int
	// production is the shape with PostgreSQL; only there databaseKills counts.
	production    bool
	databaseKills int
}

func (t tally) String() string {
	shape, refused, databases := "demo", fmt.Sprintf(" withdrawn=%d refused=%d", t.withdrawn, t.refused), ""
	if t.production {
		shape, refused, databases = "postgres", "", fmt.Sprintf(" database_kills=%d", t.databaseKills)
	}
	return fmt.Sprintf("%s: promoted=%d rolled_back=%d%s aborted=%d worker_kills=%d server_kills=%d%s targets_left_wrong=%d",
		shape, t.promoted, t.rolledBack, refused, t.aborted, t.workerKills, t.serverKills, databases, t.wrong)
}

// expected is the only tally that is a success. A Temporal server that is not ours is not killed.
func expected(production, ours bool) tally {
	t := tally{promoted: 2, rolledBack: 3, withdrawn: 1, refused: 1, aborted: 1, workerKills: 1}
	if ours {
		t.serverKills = 1
	}
	if production {
		t = tally{promoted: 1, rolledBack: 1, aborted: 1, workerKills: 2, serverKills: t.serverKills, production: true, databaseKills: 1}
	}
	return t
}

// outage is something that is killed in the middle of the good release, and what is said of it.
type outage struct {
	stage string // whose bake it falls into
	kills string
	back  string
	kill  func()
	start func(context.Context) error
}

// onSQLite are the outages with one worker: it, and the Temporal server where that is ours.
func (d *demo) onSQLite(ours bool) []outage {
	outages := []outage{{
		"early", "the only worker. The bake's clock runs on in Temporal; nobody can promote.", "the worker",
		func() { d.killWorker(0) }, func(context.Context) error { return d.Workers[0].Start() },
	}}
	if ours {
		outages = append(outages, outage{
			"half", "the Temporal server.", "the Temporal server, on the same database", d.killTemporal, d.RestartTemporal,
		})
	}
	return outages
}

// onPostgres are the outages with two workers: each of them has to take over from the other.
func (d *demo) onPostgres() []outage {
	return []outage{
		{
			"early", "the first worker. The second takes over.", "the first worker",
			func() { d.killWorker(0) }, func(context.Context) error { return d.Workers[0].Start() },
		},
		{
			"half", "the Temporal server and the second worker.", "the Temporal server, on the same database, and the second worker",
			func() { d.killTemporal(); d.killWorker(1) },
			func(ctx context.Context) error {
				if err := d.RestartTemporal(ctx); err != nil {
					return err
				}
				return d.Workers[1].Start()
			},
		},
		{
			"everyone", "PostgreSQL, under the running server.", "PostgreSQL",
			func() { d.Postgres.Kill(); d.tally.databaseKills++ }, func(ctx context.Context) error { return d.Postgres.Restart(ctx) },
		},
	}
}

func (d *demo) killWorker(i int) { d.Workers[i].Kill(); d.tally.workerKills++ }

func (d *demo) killTemporal() { d.Temporal.Kill(); d.tally.serverKills++ }

// suffer waits for the stage, kills, and starts again after three seconds.
func (d *demo) suffer(ctx context.Context, o outage) error {
	if err := d.untilBaking(ctx, o.stage); err != nil {
		return err
	}
	d.say("kill -9: %s", o.kills)
	o.kill()
	if err := pause.For(ctx, 3*time.Second); err != nil {
		return err
	}
	if err := o.start(ctx); err != nil {
		return fmt.Errorf("start %s again: %w", o.back, err)
	}
	d.say("%s is started again.", o.back)
	return nil
}
