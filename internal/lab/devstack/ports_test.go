package main

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChoosePortsGivesFreeDistinctPorts(t *testing.T) {
	ip := netip.MustParseAddr("127.0.0.1")
	chosen, err := choosePorts(t.Context(), ip, 0, 0)
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, port := range []int{chosen.frontend, chosen.ui, chosen.history, chosen.matching, chosen.worker} {
		require.False(t, seen[port], "port %d was chosen twice", port)
		seen[port] = true
		require.GreaterOrEqual(t, port, lowestPort)
		require.Less(t, port, ephemeralStart())
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", hostPort(ip, port))
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}

func TestChoosePortsKeepsPinned(t *testing.T) {
	ip := netip.MustParseAddr("127.0.0.1")
	free, err := choosePorts(t.Context(), ip, 0, 0)
	require.NoError(t, err)
	chosen, err := choosePorts(t.Context(), ip, free.frontend, free.ui)
	require.NoError(t, err)
	require.Equal(t, free.frontend, chosen.frontend)
	require.Equal(t, free.ui, chosen.ui)
}

func TestDialable(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1": "127.0.0.1",
		"0.0.0.0":   "127.0.0.1",
		"::":        "::1",
		"::1":       "::1",
		"10.1.2.3":  "10.1.2.3",
	} {
		require.Equal(t, want, dialable(netip.MustParseAddr(listen)).String(), listen)
	}
}
