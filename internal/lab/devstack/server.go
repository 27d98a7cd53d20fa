package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// stopPatience bounds a graceful stop. Nothing is lost when it runs out: the server survives being
// killed.
const stopPatience = 10 * time.Second

// serve runs the stack until ctx is done. It writes the ready file when clients can connect, and
// removes it before it stops.
func serve(ctx context.Context, opts options, stdout io.Writer) error {
	if err := removeReady(opts.readyFile); err != nil {
		return err
	}
	dbs, err := openDatabases(ctx, opts)
	if err != nil {
		return err
	}
	defer dbs.close()
	chosen, err := choosePorts(ctx, opts.ip, opts.port, opts.uiPort)
	if err != nil {
		return err
	}
	cfg := serverConfig(dbs, opts.ip, chosen)
	cfg.Global.PProf = config.PProf{Port: opts.pprofPort, Host: "127.0.0.1"}
	logger, stopping := newLogger(opts.logLevel)
	server, err := newServer(cfg, logger)
	if err != nil {
		return fmt.Errorf("set up the Temporal server: %w", err)
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("start the Temporal server: %w", err)
	}
	address := cfg.PublicClient.HostPort
	ui := newUI(opts.ip, chosen.ui, address)
	go func() { _ = ui.Start() }() // it ends the process itself when it cannot listen

	stack := ready{Address: address, UI: "http://" + hostPort(dialable(opts.ip), chosen.ui), PID: os.Getpid()}
	switch err := stack.wait(ctx); {
	case err == nil:
		if err := stack.announce(opts.readyFile, stdout); err != nil {
			return err
		}
		<-ctx.Done()
	case ctx.Err() == nil: // otherwise it was told to stop while it started
		return err
	}

	if err := removeReady(opts.readyFile); err != nil {
		return err
	}
	stopping()
	ui.Stop()
	return stopWithin(server, stopPatience)
}

func stopWithin(server temporal.Server, patience time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- server.Stop() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return fmt.Errorf("the Temporal server did not stop within %v and was abandoned; its state is safe", patience)
	}
}

func newServer(cfg *config.Config, logger log.Logger) (temporal.Server, error) {
	claims, err := authorization.GetClaimMapperFromConfig(&cfg.Global.Authorization, logger)
	if err != nil {
		return nil, err
	}
	hosts := make(map[primitives.ServiceName]static.Hosts)
	for name, service := range cfg.Services {
		ip := netip.MustParseAddr(service.RPC.BindOnIP)
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(hostPort(dialable(ip), service.RPC.GRPCPort))
	}
	return temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		// Without static hosts the services would find each other by gossip over more ports, and
		// after a kill first wait for members that are gone.
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(tuning()),
		temporal.WithCustomMetricsHandler(metrics.NoopMetricsHandler),
	)
}

func serverConfig(dbs databases, ip netip.Addr, chosen ports) *config.Config {
	frontend := hostPort(dialable(ip), chosen.frontend)
	disabled := config.ArchivalNamespaceDefaults{
		History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
		Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
	}
	return &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     "main",
			VisibilityStore:  "visibility",
			NumHistoryShards: dbs.shards,
			DataStores:       map[string]config.DataStore{"main": {SQL: dbs.main}, "visibility": {SQL: dbs.visibility}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			"frontend": {RPC: config.RPC{GRPCPort: chosen.frontend, BindOnIP: ip.String()}},
			"history":  {RPC: config.RPC{GRPCPort: chosen.history, BindOnIP: "127.0.0.1"}},
			"matching": {RPC: config.RPC{GRPCPort: chosen.matching, BindOnIP: "127.0.0.1"}},
			"worker":   {RPC: config.RPC{GRPCPort: chosen.worker, BindOnIP: "127.0.0.1"}},
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: disabled},
		PublicClient:      config.PublicClient{HostPort: frontend},
	}
}
