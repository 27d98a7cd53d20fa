// Command proof deploys the change of public outages in five ways on a modelled fleet, and good
// changes beside troubles that are not theirs, and says what each way cost and how often Sluice was
// right. `make proof` runs it; docs/proof.md has its results.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/simulate/outages"
)

// options are the flags.
type options struct {
	outages, spec, page, readme, chart, json string
	quick                                    bool
	seeds, workers                           int
	seed                                     uint64
}

func main() { entry.Main("proof", run) }

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := entry.Flags("proof", stderr)
	fs.StringVar(&o.outages, "outages", "", "`folder` with files of outages (*.yaml), in place of those that Sluice brings along")
	fs.StringVar(&o.spec, "spec", "", "`file` of the spec for all of them, in place of the default one")
	fs.IntVar(&o.seeds, "seeds", 10, "rollouts with Sluice of each outage and of each good change, each with other chances")
	fs.Uint64Var(&o.seed, "seed", 1, "the first of those seeds")
	fs.BoolVar(&o.quick, "quick", false, "one rollout of each outage, and of three good changes; fails where a goal is missed")
	fs.IntVar(&o.workers, "workers", runtime.GOMAXPROCS(0), "deployments that are played at once")
	fs.StringVar(&o.page, "page", "", "Markdown `file` whose tables between <!-- proof:NAME --> and <!-- proof:end --> are replaced")
	fs.StringVar(&o.readme, "readme", "", "`file` of which only the table of ways is replaced")
	fs.StringVar(&o.chart, "chart", "", "`file` for the chart, an SVG")
	fs.StringVar(&o.json, "json", "", "`file` for every deployment, as JSON")
	if err := entry.Parse(fs, args); err != nil {
		return o, err
	}
	if o.seeds < 1 || o.workers < 1 {
		return o, fmt.Errorf("--seeds and --workers: expected at least 1")
	}
	if o.quick {
		o.seeds = 1
	}
	return o, nil
}

// run plays everything, and tells it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	all, err := o.load()
	if err != nil {
		return err
	}
	results, err := o.play(ctx, all, catalog.New(), func(done, of int) {
		if done%20 == 0 || done == of {
			fmt.Fprintf(stderr, "proof: %d of %d deployments\n", done, of)
		}
	})
	if err != nil {
		return err
	}
	for _, r := range reports() {
		t := r.make(results)
		t.Text(stdout)
		pages := []string{o.page}
		if r.name == "ways" {
			pages = append(pages, o.readme)
		}
		for _, page := range pages {
			if page == "" {
				continue
			}
			if err := t.Into(page, "proof", r.name); err != nil {
				return err
			}
		}
	}
	if err := o.write(results); err != nil {
		return err
	}
	if o.quick {
		return held(results)
	}
	return nil
}

// write writes what flags ask for beside the page.
func (o options) write(results []result) error {
	if o.chart != "" {
		if err := os.WriteFile(o.chart, []byte(chart(results)), 0o644); err != nil {
			return err
		}
	}
	if o.json == "" {
		return nil
	}
	data, err := json.Marshal(results)
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, data, 0o644)
}

// load reads the outages. The error has everything that is wrong in any of them.
func (o options) load() ([]outages.Outage, error) {
	if o.outages == "" {
		return outages.All()
	}
	files, err := filepath.Glob(filepath.Join(o.outages, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("--outages: %s has no file *.yaml", o.outages)
	}
	var all []outages.Outage
	var wrong []error
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		one, err := outages.Parse(file, data)
		all, wrong = append(all, one), append(wrong, err)
	}
	return all, errors.Join(wrong...)
}
