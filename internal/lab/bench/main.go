// Command sluice-bench measures Sluice on a Temporal server of its own, always against a baseline
// in the same run. `make bench` runs it; docs/performance.md has its results.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/lab/table"
)

// options are the flags.
type options struct {
	bin     stack.Binaries
	only    []string
	repeat  int
	targets int
	agents  int
	ramp    []int
	window  time.Duration
	// limit is how long all measurements may take, and until when that is.
	limit        time.Duration
	until        time.Time
	page, cpuOut string
	// progress is told of steps that take long.
	progress io.Writer
}

func main() { entry.Main("sluice-bench", run) }

// measurement is one of the tables.
type measurement struct {
	name string
	run  func(context.Context, options) (*table.Table, error)
}

func measurements() []measurement {
	return []measurement{
		{"overhead", measureOverhead},
		{"events", measureEvents},
		{"fleet", measureFleet},
		{"bundles", measureBundles},
		{"agents", measureAgents},
		{"concurrency", measureConcurrency},
		{"trains", measureTrains},
	}
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	o := options{progress: stderr}
	var names []string
	for _, m := range measurements() {
		names = append(names, m.name)
	}
	fs := entry.Flags("sluice-bench", stderr)
	o.bin.Flags(fs)
	only := fs.String("only", strings.Join(names, ","), "measurements to make")
	fs.IntVar(&o.repeat, "repeat", 5, "pairs of each measurement, after one that warms up")
	fs.DurationVar(&o.limit, "limit", 15*time.Minute,
		"after this `time` no more pair and no larger crowd is begun, and the notes say what was left out")
	fs.IntVar(&o.targets, "targets", 10_000, "targets of the fleet that goes forward and back")
	fs.IntVar(&o.agents, "agents", 10_000, "agents that prepare a bundle, go forward and back")
	ramp := fs.String("ramp", "1000,3000,5000", "how many rollouts bake at once, growing")
	fs.DurationVar(&o.window, "window", 15*time.Second, "how long each of --repeat windows of a step of the ramp is")
	fs.StringVar(&o.page, "page", "", "Markdown `file` whose tables between <!-- bench:NAME --> and <!-- bench:end --> are replaced")
	fs.StringVar(&o.cpuOut, "cpuprofile", "", "`file` for a profile of this process, in which the worker is")
	if err := entry.Parse(fs, args); err != nil {
		return o, err
	}
	for _, name := range strings.Split(*only, ",") {
		if !slices.Contains(names, name) {
			return o, fmt.Errorf("--only: %q is unknown, expected some of %s", name, strings.Join(names, ","))
		}
		o.only = append(o.only, name)
	}
	for _, text := range strings.Split(*ramp, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || len(o.ramp) > 0 && n <= o.ramp[len(o.ramp)-1] {
			return o, fmt.Errorf("--ramp: %q, expected growing numbers such as 100,500", *ramp)
		}
		o.ramp = append(o.ramp, n)
	}
	if o.repeat < 1 || o.targets < 10 || o.agents < 10 {
		return o, errors.New("--repeat must be at least 1, --targets and --agents at least 10")
	}
	return o, nil
}

// run makes the measurements and prints each as soon as it is there.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	if o.cpuOut != "" {
		f, err := os.Create(o.cpuOut)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	o.until = time.Now().Add(o.limit)
	for _, m := range measurements() {
		if !slices.Contains(o.only, m.name) {
			continue
		}
		loaded, began := load(), time.Now()
		t, err := m.run(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		t.Note("Measured %s on %s; %s before, %s after.", began.UTC().Format("2006-01-02 15:04 MST"), machine(), loaded, load())
		t.Text(stdout)
		fmt.Fprintf(stderr, "\n(%s took %s)\n", m.name, time.Since(began).Round(time.Second))
		if o.page == "" {
			continue
		}
		if err := t.Into(o.page, "bench", m.name); err != nil {
			return err
		}
	}
	return nil
}

// more says whether pair i is measured: pair 0 warms up, pair 1 is always, and the others are as
// long as there is time.
func (o options) more(i int) bool { return i < 2 || i <= o.repeat && time.Now().Before(o.until) }

// mediansOf words how numbers were made.
func mediansOf(pairs int) string {
	if pairs == 1 {
		return "One pair, after one that is thrown away."
	}
	return fmt.Sprintf("Medians of %d pairs (least to most), measured in turns after one that is thrown away.", pairs)
}

// medians is mediansOf of several measurements, of which time may have cut the last short.
func (o options) medians() string {
	text := mediansOf(o.repeat)
	if time.Now().After(o.until) {
		text += fmt.Sprintf(" The last had fewer pairs, since the %s were over.", o.limit)
	}
	return text
}

// machine words where this runs.
func machine() string {
	return fmt.Sprintf("%d cores (%s), %s, %s", runtime.NumCPU(), runtime.GOARCH, system(), runtime.Version())
}

func system() string {
	data, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return strings.Trim(strings.TrimSpace(name), `"`)
		}
	}
	return runtime.GOOS
}

// load is the machine's load average over a minute.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "load unknown"
	}
	return "load " + strings.Fields(string(data))[0]
}
