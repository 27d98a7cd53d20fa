// Package dial opens the worker's connections to the world, and refuses those to the addresses at
// which clouds keep the credentials of the machine itself. It decides when a connection is made:
// after names are resolved and redirects followed, so that no name, redirect or changed record
// leads there.
package dial

import (
	"context"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Guard opens connections. The zero value refuses link-local and metadata addresses, and those that
// are no machine's. It is safe for concurrent use.
type Guard struct {
	// AllowLinkLocal lets connections go to all of them, too.
	AllowLinkLocal bool
	// Resolver finds addresses; nil is the system's.
	Resolver *net.Resolver
}

// timeout bounds how long opening a connection may take.
const timeout = 5 * time.Second

// Context opens a connection, as net.Dialer.DialContext does. The error of one that is refused is a
// *RefusedError.
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

// Transport carries HTTP requests over guarded connections, and keeps many of them open. Its fields
// may be changed before it is used.
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
