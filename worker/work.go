package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/zap"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/workflows"
)

// work runs a worker until ctx ends, then lets what runs finish for a while.
func work(ctx context.Context, o options) error {
	log, err := logger(o)
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
	c, err := connect.Dial(ctx, connect.Options{
		Address: o.address, Namespace: o.namespace, Profile: o.profile,
		Logger: log, Metrics: registry,
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if o.listen != "" {
		stop, err := listen(ctx, o.listen, registry, c, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	w := connect.NewWorkers(c, o.activities)
	w.Rollouts.RegisterWorkflowWithOptions(workflows.Rollout, workflow.RegisterOptions{Name: connect.WorkflowType})
	w.Rollouts.RegisterWorkflow(workflows.Notify)
	w.RegisterActivities(activities.New(kept, activities.NewMetrics(registry), dial.Guard{AllowLinkLocal: o.linkLocal}))
	if err := w.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	log.Info("worker is ready", zap.String("version", version), zap.String("taskQueue", connect.TaskQueue), zap.String("store", o.store))
	<-ctx.Done()
	log.Info("worker stops: batches under way may finish")
	w.Stop()
	return nil
}

// listen serves /metrics and /healthz until stop is called.
func listen(ctx context.Context, addr string, reg *prometheus.Registry, c client.Client, log *zap.Logger) (stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for /metrics: %w (choose another with --listen, or none with --listen=)", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
			http.Error(w, "temporal does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics listener ended", zap.Error(err))
		}
	}()
	log.Info("listening", zap.String("metrics", "http://"+l.Addr().String()+"/metrics"))
	return func() { _ = srv.Close() }, nil
}
