package dial

import (
	"errors"
	"net"
	"strings"
	"syscall"
)

// Whose says whose trouble it is that there is no answer.
type Whose int

const (
	// Theirs may be the other side's: it refuses, breaks off or is silent.
	Theirs Whose = iota
	// Resolver is that of the machine's resolver, unless others can be resolved.
	Resolver
	// Own is the worker's: it has no descriptors, ports or memory left, or no way to its proxy.
	Own
)

// ErrOwn is matched by an error that is the worker's own, whatever else it wraps.
var ErrOwn = errors.New("the worker's own trouble")

// exhausted are errors of a machine, or of a process, that has nothing left. EAGAIN is that of a
// fork, or of a connection for which there is no port.
var exhausted = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOMEM, syscall.ENOBUFS, syscall.EAGAIN,
}

// Blame says whose trouble an error is. It is pure. What cannot be told from here, such as that
// there is no route, is Theirs: another worker can tell.
func Blame(err error) Whose {
	if err == nil {
		return Theirs
	}
	if errors.Is(err, ErrOwn) || proxied(err) {
		return Own
	}
	for _, own := range exhausted {
		if errors.Is(err, own) {
			return Own
		}
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok && !name.IsNotFound {
		return Resolver
	}
	return Theirs
}

// proxied says that the way to the worker's proxy is broken, or that it lets the worker through
// nowhere.
func proxied(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "proxyconnect" || strings.Contains(err.Error(), "Proxy Authentication Required")
}
