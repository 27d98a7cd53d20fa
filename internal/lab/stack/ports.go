package stack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePorts are n different loopback ports below the range that outgoing connections take theirs from: nobody may take one
// while its process is dead.
func FreePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, 0, n)
	var last error
	for range 100 * n {
		if len(ports) == n {
			return ports, nil
		}
		port := 20_000 + rand.IntN(12_000)
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", Loopback(port))
		if err != nil {
			last = err
			continue
		}
		defer func() { _ = l.Close() }() // held until all are known, so that they differ
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("find a free port: %w", last)
}

// Loopback is a port's address, such as 127.0.0.1:20000.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
