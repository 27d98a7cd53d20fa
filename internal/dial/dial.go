// Package dial opens the worker's connections to the world, and refuses those to
// the addresses at which clouds keep the credentials of the machine itself. It
// decides when a connection is made: after names are resolved and redirects
// followed, so that no name, redirect or changed record leads there.
package dial

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Guard opens connections. The zero value refuses link-local and metadata
// addresses. It is safe for concurrent use.
type Guard struct {
	// AllowLinkLocal lets connections go to link-local and metadata addresses, too.
	AllowLinkLocal bool
	// Resolver finds addresses; nil is the system's.
	Resolver *net.Resolver
}

// metadata are addresses of metadata services that are not link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),      // AWS, over IPv6
	netip.MustParseAddr("fd20:ce::254"),       // Google, over IPv6
	netip.MustParseAddr("fd00:c1::a9fe:a9fe"), // Oracle, over IPv6
	netip.MustParseAddr("fd00:42::42"),        // Scaleway, over IPv6
	netip.MustParseAddr("100.100.100.200"),    // Alibaba
	netip.MustParseAddr("192.0.0.192"),        // Oracle
	netip.MustParseAddr("168.63.129.16"),      // Azure's wire server
}

// timeout bounds how long opening a connection may take.
const timeout = 5 * time.Second

// Context opens a connection, as net.Dialer.DialContext does. The error of one that
// is refused is a *RefusedError.
func (g Guard) Context(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, Resolver: g.Resolver, ControlContext: g.control}
	return d.DialContext(ctx, network, address)
}

// control sees the address that a connection really goes to.
func (g Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	if g.AllowLinkLocal {
		return nil
	}
	return check(address)
}

// RefusedError says where a Guard did not connect to.
type RefusedError struct {
	// Host is an address or, for what was meant for a proxy, a name.
	Host string
}

// Error names the host and what would allow it.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("connections to %s are refused: it is a link-local or cloud metadata address (sluice-worker --allow-link-local permits them)", e.Host)
}

// check refuses the address of a metadata service, in whatever form it is written.
func check(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	return checkIP(at.Addr())
}

func checkIP(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	if v4, ok := embedded(ip); ok {
		ip = v4
	}
	if ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || slices.Contains(metadata, ip) {
		return &RefusedError{ip.String()}
	}
	return nil
}

// embedded is the IPv4 address inside an IPv6 address that a NAT64 or 6to4 gateway
// would forward to, or that was written with sixteen bytes.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return ip, false
	}
	b := ip.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(ip), netip.MustParsePrefix("::/96").Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return ip, false
}

// Transport carries HTTP requests over guarded connections, and keeps many of them
// open. Its fields may be changed before it is used.
func (g Guard) Transport() *http.Transport {
	return &http.Transport{
		Proxy:                 g.behind(http.ProxyFromEnvironment),
		DialContext:           g.Context,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          2048, // below common limits on open files, far above what runs in parallel
		MaxIdleConnsPerHost:   256,  // many targets may lie behind one gateway
		IdleConnTimeout:       60 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}
