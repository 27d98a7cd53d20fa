package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Free ports are chosen between lowestPort and the start of the kernel's ephemeral range. Below
// that range nobody's outgoing connection can take a port while its server is being restarted, and
// a client that keeps redialling a dead loopback port cannot connect to itself, which would keep
// the port busy for as long as the client lives.
const (
	lowestPort       = 20000
	defaultEphemeral = 32768
)

// portPatience is how long a pinned port may stay busy before that is an error: long enough for the
// kernel to take apart a predecessor that was killed a moment ago.
const portPatience = 5 * time.Second

// ports are all that the stack listens on.
type ports struct {
	frontend, ui              int
	history, matching, worker int // reached only from inside this process
}

// choosePorts returns ports that were all free at one moment. Pinned ones (not 0) must be free
// within portPatience.
func choosePorts(ctx context.Context, ip netip.Addr, frontend, ui int) (ports, error) {
	held := &reservations{}
	defer held.release()

	chosen := ports{frontend: frontend, ui: ui}
	loopback := netip.MustParseAddr("127.0.0.1")
	for _, want := range []struct {
		port *int
		ip   netip.Addr
		flag string
	}{
		{&chosen.frontend, ip, "--port"},
		{&chosen.ui, ip, "--ui-port"},
		{&chosen.history, loopback, ""},
		{&chosen.matching, loopback, ""},
		{&chosen.worker, loopback, ""},
	} {
		var err error
		if *want.port != 0 {
			err = held.pinned(ctx, want.ip, *want.port, want.flag)
		} else {
			*want.port, err = held.free(ctx, want.ip)
		}
		if err != nil {
			return ports{}, fmt.Errorf("choose ports: %w", err)
		}
	}
	return chosen, nil
}

// reservations holds chosen ports open until all are chosen, so that none is chosen twice.
type reservations struct{ listeners []net.Listener }

func (r *reservations) release() {
	for _, l := range r.listeners {
		_ = l.Close() // nothing was accepted, so nothing can be lost
	}
}

func (r *reservations) take(ctx context.Context, ip netip.Addr, port int) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", hostPort(ip, port))
	if err != nil {
		return 0, err
	}
	r.listeners = append(r.listeners, l)
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (r *reservations) pinned(ctx context.Context, ip netip.Addr, port int, flagName string) error {
	deadline := time.Now().Add(portPatience)
	for {
		_, err := r.take(ctx, ip, port)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is in use by another program: choose another with %s, or 0 for a free one",
				hostPort(ip, port), flagName)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func (r *reservations) free(ctx context.Context, ip netip.Addr) (int, error) {
	if span := ephemeralStart() - lowestPort; span > 0 {
		for range 100 {
			port, err := r.take(ctx, ip, lowestPort+rand.IntN(span))
			if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
				return port, err
			}
		}
	}
	return r.take(ctx, ip, 0) // better an ephemeral port than none
}

// ephemeralStart is the first port that the kernel gives to outgoing connections.
func ephemeralStart() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return defaultEphemeral // not Linux; others start higher
	}
	low, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\t")
	n, err := strconv.Atoi(strings.TrimSpace(low))
	if err != nil {
		return defaultEphemeral
	}
	return min(n, defaultEphemeral)
}

func hostPort(ip netip.Addr, port int) string {
	return netip.AddrPortFrom(ip, uint16(port)).String()
}

// dialable is the address by which this machine reaches what listens on ip: loopback, when that is
// everywhere.
func dialable(ip netip.Addr) netip.Addr {
	switch {
	case !ip.IsUnspecified():
		return ip
	case ip.Is4():
		return netip.MustParseAddr("127.0.0.1")
	default:
		return netip.IPv6Loopback()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
