package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/internal/connect"
)

// startPatience is how long a server may take until it answers.
const startPatience = time.Minute

// StartTemporal starts the embedded server on a SQLite file.
func (s *Stack) StartTemporal(ctx context.Context) error {
	return s.startDevstack(ctx, "--db", filepath.Join(s.Dir, "temporal.db"))
}

// StartOnPostgres starts the embedded server on a PostgreSQL cluster of its own. It needs
// PostgreSQL's programs.
func (s *Stack) StartOnPostgres(ctx context.Context) error {
	f, err := s.log("postgres")
	if err != nil {
		return err
	}
	if s.Postgres, err = startPostgres(ctx, f); err != nil {
		return err
	}
	return s.startDevstack(ctx, "--postgres", s.Postgres.URL)
}

// startDevstack starts the embedded server, which writes a file once it answers.
func (s *Stack) startDevstack(ctx context.Context, database ...string) error {
	ready := filepath.Join(s.Dir, "temporal.ready")
	return s.startServer(ctx, s.bin.Devstack, append(database, "--ready-file", ready, "--exit-with-parent"), func(ctx context.Context) error {
		_, err := s.Temporal.StartUntil(ctx, ready)
		return err
	})
}

// StartCLI starts the development server of the temporal CLI, on a SQLite file.
func (s *Stack) StartCLI(ctx context.Context, program string) error {
	args := []string{
		"server", "start-dev", "--log-level", "error", "--db-filename", filepath.Join(s.Dir, "temporal.db"), "--namespace", s.Namespace,
	}
	for _, name := range connect.Attributes() {
		args = append(args, "--search-attribute", name+"=Keyword")
	}
	return s.startServer(ctx, program, args, func(ctx context.Context) error {
		if err := s.Temporal.Start(); err != nil {
			return err
		}
		return s.Temporal.Await(ctx, func(ctx context.Context) error {
			c, err := connect.Dial(ctx, connect.Options{Address: s.Address, Namespace: s.Namespace})
			if err == nil {
				c.Close()
			}
			return err
		})
	})
}

// startServer starts this stack's Temporal with begin, on free ports that it keeps when it is
// started again.
func (s *Stack) startServer(ctx context.Context, program string, args []string, begin func(context.Context) error) error {
	ports, err := FreePorts(ctx, 2)
	if err != nil {
		return err
	}
	s.Address, s.UI = Loopback(ports[0]), "http://"+Loopback(ports[1])
	args = append(args, "--port", strconv.Itoa(ports[0]), "--ui-port", strconv.Itoa(ports[1]))
	if s.Temporal, err = s.NewProcess("temporal", program, args...); err != nil {
		return err
	}
	s.again = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, startPatience)
		defer cancel()
		return begin(ctx)
	}
	return s.again(ctx)
}

// RestartTemporal starts Temporal again, on the same ports and database.
func (s *Stack) RestartTemporal(ctx context.Context) error { return s.again(ctx) }

// History is what the server has recorded of a workflow; of its newest run where run is empty.
func History(ctx context.Context, c client.Client, id, run string) (*historypb.History, error) {
	var h historypb.History
	it := c.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		h.Events = append(h.Events, e)
	}
	return &h, nil
}
