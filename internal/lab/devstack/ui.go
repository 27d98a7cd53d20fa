package main

import (
	"net/netip"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// newUI returns the Web UI, not yet listening.
func newUI(ip netip.Addr, port int, temporalAddress string) *uiserver.Server {
	host := ip.String()
	if ip.Is6() {
		host = "[" + host + "]" // the UI server joins host and port by hand
	}
	return uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: temporalAddress,
		Host:                host,
		Port:                port,
		EnableUI:            true,
		DefaultNamespace:    namespace,
		HideLogs:            true,
		DisableNewsFetch:    true, // nothing here calls out to the internet
		// Without TLS some browsers would not send the CSRF cookie, and signals from the Web UI
		// would be refused.
		CORS: uiconfig.CORS{CookieInsecure: true},
	}))
}
