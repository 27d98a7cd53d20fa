package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// UnreachableError says that no server answered, and what to do about it.
type UnreachableError struct {
	// Address is where a server was looked for.
	Address string
	// Err is why there was no answer.
	Err error
	// Hint is what is probably wrong; empty when nothing is known but Err.
	Hint string
}

// Error names the address and the way out.
func (e *UnreachableError) Error() string {
	why := e.Hint
	if why == "" {
		why = e.Err.Error()
	}
	return fmt.Sprintf("connect to Temporal: no server answers at %s (%s): "+
		"start one with `make dev`, or name another with --address or TEMPORAL_ADDRESS", e.Address, why)
}

// Unwrap is the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// AddressError says that an address cannot be one.
type AddressError struct{ message string }

// Error names the address and what was expected.
func (e *AddressError) Error() string {
	return "connect to Temporal: the address " + e.message + " (--address or TEMPORAL_ADDRESS)"
}

// checkAddress refuses what cannot be meant before gRPC makes something of it.
func checkAddress(address string) error {
	if scheme, rest, ok := strings.Cut(address, "://"); ok {
		if scheme == "dns" || scheme == "passthrough" || scheme == "unix" {
			return nil // gRPC's own
		}
		return &AddressError{fmt.Sprintf("%q is a URL, expected HOST:PORT, such as %s", address, rest)}
	}
	_, port, err := net.SplitHostPort(address)
	n, notNumber := strconv.Atoi(port)
	switch {
	case !strings.Contains(address, ":"):
		return &AddressError{fmt.Sprintf("%q has no port, expected HOST:PORT, such as %s:7233", address, address)}
	case err != nil || notNumber != nil || n < 1 || n > 65535:
		return &AddressError{fmt.Sprintf("%q is no HOST:PORT, expected one such as %s", address, DefaultAddress)}
	}
	return nil
}

// lookup bounds the second look at a name.
const lookup = 2 * time.Second

// hint says what gRPC's words for usual mistakes mean.
func hint(ctx context.Context, address string, err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "HTTP/1.1 header"):
		return "what answers there speaks HTTP/1 and not gRPC: is it Temporal's Web UI?"
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return "what answers there speaks no TLS: leave --tls out, or TEMPORAL_TLS"
	}
	host, _, splitErr := net.SplitHostPort(address)
	if _, notIP := netip.ParseAddr(host); splitErr != nil || notIP == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	_, lookupErr := net.DefaultResolver.LookupHost(ctx, host)
	if e, ok := errors.AsType[*net.DNSError](lookupErr); ok {
		return fmt.Sprintf("the name %s is not known: %s", host, e.Err)
	}
	return ""
}
