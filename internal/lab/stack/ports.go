package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// FreePorts are n different loopback ports below the range that outgoing connections take theirs
// from: nobody may take one while its process is dead. Nor does another call answer one of them as
// long as this process lives, in whatever process it is: most are not listened on until later. It
// is safe for concurrent use.
func FreePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, 0, n)
	last := errors.New("all are claimed")
	for range 100 * n {
		if len(ports) == n {
			return ports, nil
		}
		port := 20_000 + rand.IntN(12_000)
		claimed, err := claim(port)
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		if !claimed {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", Loopback(port))
		if err != nil {
			last = err
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("find a free port: %w", last)
}

// claims are the locked files of the ports that this process has claimed. They stay open until it
// ends.
var claims struct {
	sync.Mutex
	files map[int]*os.File
}

// claim says whether a port is this process's from now on: nobody had claimed it. A claim is a
// lock, which ends with its process.
func claim(port int) (bool, error) {
	claims.Lock()
	defer claims.Unlock()
	if claims.files[port] != nil {
		return false, nil
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("sluice-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return false, errors.Join(f.Close(), ignoreTaken(err))
	}
	if claims.files == nil {
		claims.files = map[int]*os.File{}
	}
	claims.files[port] = f
	return true, nil
}

// ignoreTaken drops the error that says that another process holds the lock.
func ignoreTaken(err error) error {
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	return err
}

// Loopback is a port's address, such as 127.0.0.1:20000.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
