package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/edges"
)

// edge is one HAProxy with its folder.
type edge struct{ fleet.Target }

func (e *edge) site() string { return e.Labels[edges.LabelSite] }

// install writes the folder of an edge that runs its first release, one of a folder.
func (e *edge) install(releases, backend string) error {
	if err := os.MkdirAll(e.site(), 0o755); err != nil {
		return err
	}
	env := strings.Join(e.env(backend), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(e.site(), "site.env"), []byte(env), 0o644); err != nil {
		return err
	}
	return edges.Render(filepath.Join(releases, firstRelease+".cfg"), filepath.Join(e.site(), "haproxy.cfg"), "@RELEASE@", firstRelease)
}

// env is what the configuration of every release asks for.
func (e *edge) env(backend string) []string {
	return []string{"EDGE_ID=" + e.ID, "EDGE_TRAFFIC=" + e.Address, "EDGE_METRICS=" + e.Labels[edges.LabelMetrics], "EDGE_BACKEND=" + backend}
}

// argv are the arguments with which the program env runs HAProxy as a master with one worker. In
// the foreground: it is a child of this program, and ends with it.
func (e *edge) argv(haproxy, backend string) []string {
	return append(e.env(backend), haproxy, "-C", e.site(), "-W", "-f", "haproxy.cfg", "-p", "haproxy.pid")
}

// answer is what is to be seen of an edge from the outside.
type answer struct {
	// Release is what the live process says that it is.
	Release string
	// Worker is the pid of the process that answered: a reload starts another.
	Worker string
	// Master is the content of the pid file, and Config the digest of the file in effect.
	Master, Config string
}

// ask asks the live process, and looks into its folder.
func (e *edge) ask(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Address+"/__release", nil)
	if err != nil {
		return answer{}, err
	}
	req.Close = true // a kept connection would be answered by the worker that was there before a reload
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", e.ID, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err != nil || res.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("ask %s: %s: %q: %w", e.ID, res.Status, body, err)
	}
	a := answer{Release: string(body), Worker: res.Header.Get("x-worker")}
	pid, err := os.ReadFile(filepath.Join(e.site(), "haproxy.pid"))
	if err != nil {
		return answer{}, err
	}
	config, err := os.ReadFile(filepath.Join(e.site(), "haproxy.cfg"))
	if err != nil {
		return answer{}, err
	}
	sum := sha256.Sum256(config)
	a.Master, a.Config = strings.TrimSpace(string(pid)), hex.EncodeToString(sum[:6])
	return a, nil
}

// answers asks every edge.
func (r *rig) answers(ctx context.Context) (map[string]answer, error) {
	all := map[string]answer{}
	for _, e := range r.edges {
		a, err := e.ask(ctx)
		if err != nil {
			return nil, err
		}
		all[e.ID] = a
	}
	return all, nil
}
