package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/lab/hosts"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/pause"
)

// The measured bundle: so many files of so many bytes.
const (
	bundleFiles = 2000
	bundleBytes = 8 << 10
)

// pair is something that Sluice does, and the like of it that others do: each answers a number of a
// unit.
type pair struct {
	what, unit, than string
	sluice, other    func(context.Context) (float64, error)
}

// measureBundles compares bundles with tar on the same files, and an agent with programs beside it.
func measureBundles(ctx context.Context, o options) (*table.Table, error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	if err := writeFiles(filepath.Join(dir, "files")); err != nil {
		return nil, err
	}
	t := &table.Table{Title: "Bundles and agents", Head: []string{"what", "Sluice", "than", "baseline", "ratio"}}
	b := boxes{dir: dir, bin: o.bin.Dir}
	defer b.close()
	for _, p := range append(b.packing(), b.starting(), b.idling(), b.polling(), b.holding()) {
		var of, to []float64
		for i := 0; o.more(i); i++ {
			x, err := p.sluice(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.what, err)
			}
			y, err := p.other(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", p.what, p.than, err)
			}
			if i > 0 {
				of, to = append(of, x), append(to, y)
			}
		}
		t.Add(p.what, spread(of, "%.0f")+" "+p.unit, p.than, spread(to, "%.0f")+" "+p.unit, spread(ratios(of, to), "%.2f"))
	}
	t.Note("%d files of %d KiB. %s The goal is an idle agent below 20 MiB.", bundleFiles, bundleBytes>>10, o.medians())
	return t, nil
}

func writeFiles(dir string) error {
	rng := rand.New(rand.NewPCG(1, 1))
	data := make([]byte, bundleBytes)
	for i := range bundleFiles {
		path := filepath.Join(dir, fmt.Sprintf("%02d", i%40), fmt.Sprintf("%04d.json", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		for n := range data {
			data[n] = byte(' ' + rng.IntN(90))
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// boxes are what is measured, in a folder.
type boxes struct {
	dir, bin   string
	built      bundle.Bundle
	relay, sim *server // nil until they are asked
}

func (b *boxes) path(name string) string { return filepath.Join(b.dir, name) }

// took answers how many milliseconds something takes.
func took(do func() error) (float64, error) {
	began := time.Now()
	err := do()
	return float64(time.Since(began)) / float64(time.Millisecond), err
}

// shell runs a line in the folder.
func (b *boxes) shell(line string) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		if err := os.RemoveAll(b.path("out")); err != nil {
			return 0, err
		}
		return took(func() error {
			cmd := exec.CommandContext(ctx, "sh", "-ec", line)
			cmd.Dir = b.dir
			return cmd.Run()
		})
	}
}

// packing builds a bundle and unpacks it, as tar would.
func (b *boxes) packing() []pair {
	unpack := b.shell("sha256sum bundle.tar >sum; mkdir out; tar -xf bundle.tar -C out; sync -f out")
	return []pair{
		{"build", "ms", "tar -c", b.build, b.shell("tar --sort=name -cf files.tar -C files .")},
		{"verify, unpack, sync", "ms", "sha256sum, tar -x, sync -f", b.unpack, unpack},
	}
}

func (b *boxes) build(ctx context.Context) (float64, error) {
	return took(func() error {
		f, err := os.Create(b.path("bundle.tar"))
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it is read again
		b.built, err = bundle.Build(ctx, b.path("files"), f)
		return err
	})
}

func (b *boxes) unpack(context.Context) (float64, error) {
	if err := os.RemoveAll(b.path("out")); err != nil {
		return 0, err
	}
	return took(func() error {
		if err := os.Mkdir(b.path("out"), 0o755); err != nil {
			return err
		}
		root, err := os.OpenRoot(b.path("out"))
		if err != nil {
			return err
		}
		defer func() { _ = root.Close() }() // Unpack has synced it
		archive, err := os.Open(b.path("bundle.tar"))
		if err != nil {
			return err
		}
		defer func() { _ = archive.Close() }() // only read
		if err := b.built.VerifyArchive(archive); err != nil {
			return err
		}
		if _, err := archive.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return b.built.Unpack(root, archive)
	})
}

// starting is how long an agent takes from its start to its first answer.
func (b *boxes) starting() pair {
	check := func(ctx context.Context) (float64, error) {
		return took(exec.CommandContext(ctx, b.agent(), "--config", b.path("agent.yaml"), "--check").Run)
	}
	return pair{"agent: start to first answer", "ms", "its start to the end with --check", func(ctx context.Context) (ms float64, err error) {
		err = b.withAgent(ctx, func(_ int, started time.Duration) error {
			ms = float64(started) / float64(time.Millisecond)
			return nil
		})
		return ms, err
	}, check}
}

// idleFor is how long a program idles before its memory is read.
const idleFor = 2 * time.Second

// idling is how much memory an agent has when it has nothing to do.
func (b *boxes) idling() pair {
	mib := func(pid int) float64 { return float64(usageOf(pid).rss) / (1 << 20) }
	return pair{"agent: resident, idle", "MiB", "sluice-sim with one target", func(ctx context.Context) (rss float64, err error) {
		err = b.withAgent(ctx, func(pid int, _ time.Duration) error {
			err := pause.For(ctx, idleFor)
			rss = mib(pid)
			return err
		})
		return rss, err
	}, func(ctx context.Context) (float64, error) {
		sim, _, err := b.simulate(ctx)
		if err != nil {
			return 0, err
		}
		defer sim.Kill()
		err = pause.For(ctx, idleFor)
		return mib(sim.PID()), err
	}}
}

// simulate starts a sluice-sim with one target.
func (b *boxes) simulate(ctx context.Context) (*stack.Process, string, error) {
	sim := stack.NewProcess("sim", io.Discard, filepath.Join(b.bin, "sluice-sim"), "--targets", "1", "--rps-per-target", "1",
		"--fleet-file", b.path("fleet.yaml"), "--ready-file", b.path("sim.ready"))
	address, err := sim.StartUntil(ctx, b.path("sim.ready"))
	return sim, strings.TrimSpace(string(address)), err
}

func (b *boxes) agent() string { return filepath.Join(b.bin, "sluice-agent") }

// withAgent starts an agent with one unit, and ends it.
func (b *boxes) withAgent(ctx context.Context, do func(pid int, started time.Duration) error) error {
	ports, err := stack.FreePorts(ctx, 1)
	if err != nil {
		return err
	}
	address := stack.Loopback(ports[0])
	if err := os.WriteFile(b.path("agent.yaml"), []byte(hosts.Settings("host-1", address, b.dir)), 0o644); err != nil {
		return err
	}
	p := stack.NewProcess("agent", io.Discard, b.agent(), "--config", b.path("agent.yaml"))
	began := time.Now()
	if err := p.Start(); err != nil {
		return err
	}
	defer p.Kill()
	for stack.Answers(ctx, "http://"+address+"/healthz") != nil {
		if !p.Running() {
			return fmt.Errorf("%s has ended: run it with --config %s", b.agent(), b.path("agent.yaml"))
		}
		if err := pause.For(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return do(p.PID(), time.Since(began))
}
