package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/agent"
	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
)

// hostCount is the size of every fleet of agents, and agentUnit the configuration that they keep.
const (
	hostCount = 8
	agentUnit = "features"
)

// host is a folder with a sluice-agent, whose consumer is a script, and a page of metrics that shows what the consumer has loaded.
type host struct {
	id, dir, url string
	agent        *stack.Process
	page         page
}

// consumerScript refuses a release whose file refuse names the host, loads the version behind the link, and shows it. It takes its
// time, so that something can happen meanwhile.
const consumerScript = `cd "$1"
case $2 in
check) sleep 0.1; if grep -qsx "$4" "$3/refuse"; then echo "line 7: not on $4"; exit 1; fi;;
reload) sleep 0.1; if [ -e app/version ]; then cat app/version > loading; mv loading loaded; else rm -f loaded; fi;;
confirm) cmp -s loaded "$3/version";;
esac`

const agentText = `id: %[1]s
listen: %[2]s
folder: %[3]s/agent
units:
  %[4]s:
    to: %[3]s/app
    check: [sh, -c, %[5]q, x, %[3]s, check, "{{dir}}", "{{id}}"]
    reload: [sh, -c, %[5]q, x, %[3]s, reload, "{{dir}}"]
    confirm: {command: [sh, -c, %[5]q, x, %[3]s, confirm, "{{dir}}"], within: 5s}
`

// openHosts starts a fleet of agents on which nothing is installed yet, and the server of its pages.
func (d *depot) openHosts(ctx context.Context) error {
	ports, err := stack.FreePorts(ctx, hostCount+1)
	if err != nil {
		return err
	}
	pages, mux := stack.Loopback(ports[hostCount]), http.NewServeMux()
	list := "targets:\n"
	for i := range hostCount {
		id := fmt.Sprintf("host-%d", i+1)
		h := &host{id: id, dir: filepath.Join(d.Dir, id), url: "http://" + stack.Loopback(ports[i])}
		if err := os.MkdirAll(h.dir, 0o755); err != nil {
			return err
		}
		config := filepath.Join(h.dir, "agent.yaml")
		text := fmt.Sprintf(agentText, id, stack.Loopback(ports[i]), h.dir, agentUnit, consumerScript)
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			return err
		}
		if h.agent, err = d.NewProcess(id, filepath.Join(d.s.bin.Dir, "sluice-agent"), "--config", config); err != nil {
			return err
		}
		d.hosts = append(d.hosts, h)
		if err := h.start(ctx); err != nil {
			return err
		}
		mux.HandleFunc("GET /"+id+"/metrics", func(w http.ResponseWriter, _ *http.Request) { h.page.write(w, h.loaded()) })
		list += fmt.Sprintf("  - {id: %s, address: %s/%s, labels: {agent: %q}}\n", id, pages, id, strings.TrimPrefix(h.url, "http://"))
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "fleet.yaml"), []byte(list), 0o644); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", pages)
	if err != nil {
		return err
	}
	d.pages = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	d.done.Go(func() { _ = d.pages.Serve(listener) }) // until it is closed
	return nil
}

// start starts the agent, for the first time or again, and waits until it serves.
func (h *host) start(ctx context.Context) error {
	if err := h.agent.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return h.agent.Await(ctx, func(ctx context.Context) error { return stack.Answers(ctx, h.url+"/healthz") })
}

// loaded is the version that the consumer runs; empty for none.
func (h *host) loaded() string {
	data, _ := os.ReadFile(filepath.Join(h.dir, "loaded"))
	return strings.TrimSpace(string(data))
}

// settledState asks the agent until no order is under way any more.
func (h *host) settledState(ctx context.Context) (agent.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		s, err := h.status(ctx)
		if err == nil && s.State != agent.Applying {
			return s, nil
		}
		if over := pause.For(ctx, 50*time.Millisecond); over != nil {
			return s, fmt.Errorf("%s does not come to rest: %w", h.id, errors.Join(over, err))
		}
	}
}

func (h *host) status(ctx context.Context) (s agent.Status, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/sluice/v1/units/"+agentUnit, nil)
	if err != nil {
		return s, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer func() { _ = res.Body.Close() }() // only read
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// behind answers the release that the link leads to, by the name of its folder; empty for no link. Its files are compared with
// their bundle, each by its hash: an error says what is another's, missing or too much.
func (h *host) behind(known map[string]bundle.Bundle) (string, error) {
	dir, err := os.Readlink(filepath.Join(h.dir, "app"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name, _, _ := strings.Cut(filepath.Base(dir), ".")
	release := "sha256:" + name
	b, ok := known[release]
	if !ok {
		return release, fmt.Errorf("the link leads to %s, which nobody has rolled out", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return release, err
	}
	defer func() { _ = root.Close() }() // only read
	return release, b.Drift(root)
}

// page are counters as a service has them: so many requests a second, of which some fail where a harmful version is loaded.
type page struct {
	mu        sync.Mutex
	at        time.Time
	good, bad float64
}

const perSecond = 200

func (p *page) write(w http.ResponseWriter, version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.at.IsZero() {
		n := perSecond * now.Sub(p.at).Seconds()
		bad := 0.0
		if strings.HasPrefix(version, "harmful") {
			bad = 0.3 * n
		}
		p.good, p.bad = p.good+n-bad, p.bad+bad
	}
	p.at = now
	fmt.Fprintf(w, "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} %.0f\nhttp_requests_total{code=\"500\"} %.0f\n", p.good, p.bad)
}
