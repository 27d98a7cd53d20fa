package stack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePort is a loopback port below the range that outgoing connections take theirs from: nobody may take it while its
// process is dead.
func FreePort(ctx context.Context) (int, error) {
	var last error
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", Loopback(port))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}

// Loopback is a port's address, such as 127.0.0.1:20000.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
