package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/lab/hosts"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

// oneRelay is a victim of rollouts to agents behind relays.
const oneRelay victim = "relay"

// relays are two over one folder: the worker asks the first, the hosts one or the other.
type relays struct {
	all  []*stack.Process
	urls []string
	key  string // the file of the key that signs orders and bundles; its public half has the same name and .pub
}

func openRelays(ctx context.Context, l *lane) (r *relays, err error) {
	r = &relays{key: filepath.Join(l.Dir, "order.key")}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	by, text, err := signature.Generate()
	if err == nil {
		err = errors.Join(os.WriteFile(r.key, text, 0o600), os.WriteFile(r.key+".pub", []byte(by.Key().String()), 0o600))
	}
	if err != nil {
		return r, err
	}
	ports, err := stack.FreePorts(ctx, 2)
	for i, port := range ports {
		p, err := l.NewProcess(fmt.Sprintf("relay-%d", i+1), filepath.Join(l.s.bin.Dir, "sluice-relay"),
			"--listen", stack.Loopback(port), "--folder", filepath.Join(l.Dir, "relay"))
		if err != nil {
			return r, err
		}
		r.all, r.urls = append(r.all, p), append(r.urls, "http://"+stack.Loopback(port))
		if err := r.start(ctx, i); err != nil {
			return r, err
		}
	}
	return r, err
}

// start starts one, for the first time or again, and waits until it serves.
func (r *relays) start(ctx context.Context, i int) error {
	return r.all[i].StartAnswering(ctx, r.urls[i]+"/healthz")
}

func (r *relays) close() {
	if r != nil {
		for _, p := range r.all {
			p.Kill()
		}
	}
}

// pulls are the settings of agents, which take signed bundles only.
func (r *relays) pulls() (out []string) {
	if r != nil {
		for _, url := range r.urls {
			out = append(out, fmt.Sprintf("pull: {relay: %[1]q, keys: [%[2]q]}\nkeys: [%[2]q]\n", url, "file:"+r.key+".pub"))
		}
	}
	return out
}

// driver is how a specification reaches them.
func (r *relays) driver() string {
	if r == nil {
		return `{agent: {url: "http://{{label.agent}}", timeout: 10s}}`
	}
	return fmt.Sprintf("{agent: {via: %q, key: %q, timeout: 15s}}", r.urls[0], "file:"+r.key)
}

// sign keeps a signature of a bundle that is about to be rolled out, where agents ask for one.
func (d *depot) sign(ctx context.Context, folder, release string) error {
	if d.relays == nil {
		return nil
	}
	for _, args := range [][]string{{"build", folder}, {"sign", release, "--unit", hosts.Unit, "--key", d.relays.key}} {
		ran, err := d.Sluice(ctx, append(append([]string{"bundle"}, args...), "--store", d.store())...)
		if err != nil || ran.Code != 0 {
			return fmt.Errorf("bundle %s: exit %d: %w\n%s", args[0], ran.Code, err, ran.Stderr)
		}
	}
	return nil
}
