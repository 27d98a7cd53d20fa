package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/clock"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/workflows/rollout"
	"github.com/sluicehq/sluice/workflows/train"
)

// work runs a worker until ctx ends, then lets what runs finish for a while.
func work(ctx context.Context, o options) error {
	log, err := logger(o, os.Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // stderr may not be syncable; there is nobody left to tell
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	kept, err := store.Dir(o.store)
	if err != nil {
		return err
	}
	if err := kept.Check(ctx); err != nil { // no reason not to take rollouts back
		log.Error("the store cannot be used: rollouts go on by their histories where these have the fleet", zap.Error(err))
	}
	server := new(clock.Clock)
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sluice_clock_ahead_seconds", Help: "How far this machine's clock is ahead of the Temporal server's. No decision rests on it.",
	}, func() float64 { return server.Ahead().Seconds() }))
	c, err := connect.Dial(ctx, connect.Options{
		Address: o.address, Namespace: o.namespace, Profile: o.profile,
		Logger: log, Metrics: registry, Clock: server,
	})
	if err != nil {
		return err
	}
	defer c.Close()
	registry.MustRegister(&openRollouts{deployment: o.deployment, count: c.CountWorkflow, now: time.Now})
	if o.listen.address != "" {
		health := func(ctx context.Context) error {
			_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
			return err
		}
		stop, err := serve(ctx, o.listen, registry, health, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	acts := activities.New(kept, activities.NewMetrics(registry), dial.Guard{AllowLinkLocal: o.linkLocal}, catalog.New())
	acts.Clock = server
	w := connect.NewWorkers(c, o.deployment, o.activities, &dated{now: server.Now})
	rollout.Register(w.Rollouts)
	train.Register(w.Rollouts)
	activities.Among(acts).Register(w)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	log.Info("worker is ready",
		zap.String("version", entry.Version()), zap.String("taskQueue", o.deployment.TaskQueue()), zap.String("store", o.store))
	<-ctx.Done()
	log.Info("worker stops: batches under way may finish")
	w.Stop()
	return nil
}
