package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/rollout"
)

// relayed is a deployment whose six agents take orders from a relay only. No worker knows where
// they are.
type relayed struct {
	*deployment
	relay  *stack.Process
	url    string
	agents []*stack.Process
}

func deployBehindRelay(t *testing.T) *relayed {
	t.Helper()
	r := &relayed{deployment: serve(t)}
	r.work()
	by, text, err := signature.Generate()
	require.NoError(t, err)
	r.write("order.key", string(text))
	r.write("order.pub", by.Key().String())
	r.write("agents.token", "of agents")
	r.write("workers.token", "of workers")
	r.startRelay()
	fleet := "targets:\n"
	for i := range 6 {
		id := fmt.Sprintf("web-%d", i+1)
		fleet += fmt.Sprintf("  - {id: %s, address: %s.invalid:1}\n", id, id)
		r.startAgent(id)
	}
	r.write("fleet.yaml", fleet)
	return r
}

func (r *relayed) write(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.Dir, name)
	require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(r.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (r *relayed) process(name, program string, args ...string) *stack.Process {
	r.t.Helper()
	p, err := r.NewProcess(name, filepath.Join(os.Getenv("SLUICE_BIN"), program), args...)
	require.NoError(r.t, err)
	r.t.Cleanup(p.Kill)
	return p
}

func (r *relayed) start(code int, args ...string) stack.Ran {
	r.t.Helper()
	return r.sluice(code, append([]string{"start", "--store", filepath.Join(r.Dir, "store")}, args...)...)
}

func (r *relayed) startRelay() {
	r.t.Helper()
	ports, err := stack.FreePorts(r.t.Context(), 1)
	require.NoError(r.t, err)
	address := stack.Loopback(ports[0])
	r.url = "http://" + address
	r.relay = r.process("relay", "sluice-relay", "--listen", address, "--folder", filepath.Join(r.Dir, "relay"),
		"--agent-token", "file:"+filepath.Join(r.Dir, "agents.token"), "--worker-token", "file:"+filepath.Join(r.Dir, "workers.token"))
	require.NoError(r.t, r.relay.StartAnswering(r.t.Context(), r.url+"/healthz"))
}

// startAgent starts an agent that refuses releases with a file for it.
func (r *relayed) startAgent(id string) {
	r.t.Helper()
	config := r.write(id+"/agent.yaml", fmt.Sprintf(`id: %s
listen: 127.0.0.1:0
folder: %s/agent
pull: {relay: "%s", keys: ["file:%s/order.pub"], token: "file:%s/agents.token"}
units:
  edge-proxy:
    to: %s/app
    check: [sh, -c, "! cat {{dir}}/refused-by-{{id}}"]
    confirm: {command: [test, %s/app, -ef, "{{dir}}"]}
`, id, filepath.Join(r.Dir, id), r.url, r.Dir, r.Dir, filepath.Join(r.Dir, id), filepath.Join(r.Dir, id)))
	r.agents = append(r.agents, r.process(id, "sluice-agent", "--config", config))
	require.NoError(r.t, r.agents[len(r.agents)-1].Start())
}

// behindRelay writes a spec of two stages for a bundle of one file, with more files by name.
func (r *relayed) behindRelay(version, bake string, more ...string) string {
	r.t.Helper()
	r.write("bundle-"+version+"/version", version)
	for _, name := range more {
		r.write("bundle-"+version+"/"+name, "line 7: no such feature")
	}
	return r.write("spec-"+version+".yaml", fmt.Sprintf(`unit: edge-proxy
bundle: ./bundle-%s
version: %q
fleet: fleet.yaml
fallback: remove
driver: {agent: {via: %q, key: "file:%s/order.key", token: "file:%s/workers.token", timeout: 30s}}
stages:
  - {name: canary, count: 2, bake: %s}
  - {name: everyone, reach: 100%%, bake: %s}
health: {every: 500ms, without: [traffic], checks: [{name: here, probe: {http: "%s/healthz?by={{id}}"}}]}
`, version, version, r.url, r.Dir, r.Dir, bake, bake, r.url))
}

// run is the version to which each agent's link leads.
func (r *relayed) run() string {
	var all []string
	for i := range r.agents {
		data, err := os.ReadFile(filepath.Join(r.Dir, fmt.Sprintf("web-%d", i+1), "app", "version"))
		if err != nil {
			data = []byte("none")
		}
		all = append(all, string(data))
	}
	return strings.Join(all, " ")
}

// Agents that nobody can reach: a release is promoted, one is while relay and agent are killed, one
// is refused by a single consumer's check, and one is taken back.
func TestBehindARelay(t *testing.T) {
	t.Parallel()
	r := deployBehindRelay(t)
	all := func(v string) string { return strings.TrimSpace(strings.Repeat(v+" ", 6)) }
	r.start(0, "--wait", r.behindRelay("1", "2s"))
	require.Equal(t, all("1"), r.run())

	r.start(0, r.behindRelay("2", "4s"))
	r.until("the canary's bake", phase(rollout.PhaseBake, 0))
	r.relay.Kill()
	r.agents[0].Kill()
	require.NoError(t, r.agents[0].Start())
	require.NoError(t, r.relay.Start())
	s := r.result()
	require.Equal(t, rollout.PhasePromoted, s.Outcome.Result, "%+v", s.Outcome)
	require.Equal(t, all("2"), r.run())

	ran := r.start(6, "--wait", r.behindRelay("3", "2s", "refused-by-web-4"))
	require.Contains(t, ran.Stdout+ran.Stderr, "line 7: no such feature")
	require.Contains(t, ran.Stdout+ran.Stderr, "web-4")
	require.Equal(t, all("2"), r.run())

	r.start(0, r.behindRelay("4", "1h"))
	r.until("the canary's bake", phase(rollout.PhaseBake, 0))
	require.Equal(t, 2, strings.Count(r.run(), "4"))
	r.sluice(0, "abort", unit, "--why", "it loses orders")
	s = r.result()
	require.Equal(t, rollout.PhaseAborted, s.Outcome.Result)
	require.Equal(t, 2, s.Outcome.Reverted)
	require.Equal(t, all("2"), r.run())
	r.asksForASignature("web-6")
}

// asksForASignature has one agent take signed bundles only: the outcome says how to sign.
func (r *relayed) asksForASignature(id string) {
	config, err := os.ReadFile(filepath.Join(r.Dir, id, "agent.yaml"))
	require.NoError(r.t, err)
	r.write(id+"/agent.yaml", fmt.Sprintf("%skeys: [\"file:%s/order.pub\"]\n", config, r.Dir))
	r.agents[5].Kill()
	require.NoError(r.t, r.agents[5].Start())
	before, spec := r.run(), r.behindRelay("5", "2s")
	ran := r.start(6, "--wait", spec)
	said := ran.Stdout + ran.Stderr
	require.Contains(r.t, said, id)
	require.Contains(r.t, said, "sluice bundle sign DIGEST --unit edge-proxy --key FILE --store FOLDER, then start again")
	store := []string{"--store", filepath.Join(r.Dir, "store")}
	built := r.sluice(0, append([]string{"bundle", "build", filepath.Join(r.Dir, "bundle-5")}, store...)...)
	release := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(built.Stdout)
	require.Equal(r.t, before, r.run())
	r.sluice(0, append([]string{"bundle", "sign", release, "--unit", unit, "--key", filepath.Join(r.Dir, "order.key")}, store...)...)
	r.start(0, "--wait", spec)
	require.NotContains(r.t, r.run(), "2")
}
