package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
)

// Postgres is a PostgreSQL cluster of a stack's own: in a temporary folder, reached over a Unix
// socket there and over no network.
type Postgres struct {
	*Process
	// URL is how to reach a database in it.
	URL string

	bin string // folder of PostgreSQL's programs
	dir string // of the cluster, and of its socket
}

// startPostgres makes a cluster and waits until it answers. PostgreSQL refuses to run as root, so
// for root it runs as the user postgres, or nobody.
func startPostgres(ctx context.Context, log io.Writer) (*Postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-pg-") // short: a socket's path ends at 107 bytes
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	server := NewProcess("postgres", log, filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=")
	server.dir, server.user = dir, as // not this program's folder, which that user may not be allowed to read
	server.stop = syscall.SIGINT      // a fast shutdown: does not wait for clients to leave
	server.left = syscall.SIGQUIT     // an immediate one: SIGKILL would leave its shared memory behind
	p := &Postgres{Process: server, URL: "postgres://sluice@/temporal?host=" + dir, bin: bin, dir: dir}
	if err = p.create(ctx, data, as, log); err == nil {
		err = p.Restart(ctx)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// create makes the cluster. Whoever may reach the socket's folder may connect as anybody: that is
// its owner and root.
func (p *Postgres) create(ctx context.Context, data string, as *syscall.Credential, log io.Writer) error {
	if as != nil {
		if err := os.Chown(p.dir, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "initdb"), "-D", data, "-U", "sluice", "-A", "trust", "-E", "UTF8", "--locale=C")
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make a PostgreSQL cluster with %s: %w, see its log", cmd.Path, err)
	}
	return nil
}

// Restart starts the server, which must not be running, and waits until it answers. One that was
// killed leaves processes that end only when they notice, and until then its successor refuses to
// start: it is tried again for a while.
func (p *Postgres) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if !p.Running() {
			if err := p.Start(); err != nil {
				return err
			}
		}
		err := exec.CommandContext(ctx, filepath.Join(p.bin, "pg_isready"), "-q", "-h", p.dir, "-U", "sluice", "-d", "postgres").Run()
		if err == nil && p.Running() {
			return nil
		}
		if err != nil && !errors.As(err, new(*exec.ExitError)) {
			return fmt.Errorf("ask whether postgres is ready: %w", err)
		}
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("postgres was not ready in time, see its log: %w", err)
		}
	}
}

// close stops the server and removes its cluster.
func (p *Postgres) close() {
	p.Stop()
	_ = os.RemoveAll(p.dir) // a temporary folder that stays is no reason to fail
}

// postgresPrograms is the folder of initdb and postgres: Debian keeps them out of PATH, in one
// folder for each version.
func postgresPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		path, err = filepath.EvalSymlinks(path) // its folder has the other programs too; that of a link may not
		return filepath.Dir(path), err
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.Join(err, errors.New("find PostgreSQL: "+
			"no initdb in PATH nor in /usr/lib/postgresql/*/bin: install Debian's package postgresql"))
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(postgresVersion(a), postgresVersion(b)) })
	return filepath.Dir(newest), nil
}

// postgresVersion is 15 for /usr/lib/postgresql/15/bin/initdb.
func postgresVersion(path string) int {
	version, _, _ := strings.Cut(strings.TrimPrefix(path, "/usr/lib/postgresql/"), "/")
	n, _ := strconv.Atoi(version) // 0, the last choice, for what is not a number
	return n
}

// unprivileged is who PostgreSQL runs as; nil is whoever runs this.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // that is the answer
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("find a user for PostgreSQL, which refuses root: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
