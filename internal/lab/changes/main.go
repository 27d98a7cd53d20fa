// Command changes measures the judge on changes that other people made and labelled. It reads
// public sets as they were published, of which none is in this repository; docs/changes.md has what
// came of it.
package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/sluicehq/sluice/internal/entry"
)

func main() { entry.Main("changes", run) }

type options struct {
	folders map[string]*string
	page    string
	verbose bool
}

// set is one that was published.
type set struct {
	name, title, help string
	spec              string
	read              func(folder string) ([]change, error)
	// signals are what others watch, for so long a bake.
	signals []signal
	bake    time.Duration
}

func sets() []set {
	return []set{
		{
			name: "changerca", title: "ChangeRCA",
			help: "`folder` with experiments of ChangeRCA: github.com/IntelligentDDS/ChangeRCA at e33c328, data/",
			spec: changeRCASpec, read: readChangeRCA, bake: 15 * time.Minute,
			signals: []signal{{metric: "errors", of: "requests"}, {metric: "latency"}, {metric: "cpu"}},
		},
		{
			name: "scwarn", title: "SCWarn",
			help: "`folder` with the hours of SCWarn: github.com/FSEwork/SCWarn at ab33fd9",
			spec: scwarnSpec, read: readSCWarn, bake: 10 * time.Minute,
			signals: []signal{{metric: "success_rate", drop: true}, {metric: "ops", drop: true}, {metric: "duration"}, {metric: "cpu"}},
		},
		{
			name: "kontrast", title: "Kontrast",
			help: "`folder` with cases.csv and the series of Kontrast: github.com/NetManAIOps/kontrast at fe885f1",
			spec: kontrastSpec, read: readKontrast, bake: 110 * time.Minute,
			signals: []signal{{metric: "kpi", both: true}},
		},
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := options{folders: map[string]*string{}}
	fs := entry.Flags("changes", stderr)
	for _, s := range sets() {
		o.folders[s.name] = fs.String(s.name, "", s.help)
	}
	fs.StringVar(&o.page, "page", "", "Markdown `file` whose tables between <!-- changes:NAME --> and <!-- changes:end --> are replaced")
	fs.BoolVar(&o.verbose, "v", false, "a line for each change")
	if err := entry.Parse(fs, args); err != nil {
		return err
	}
	some := false
	for _, s := range sets() {
		if *o.folders[s.name] == "" {
			continue
		}
		some = true
		changes, err := s.read(*o.folders[s.name])
		if err != nil {
			return err
		}
		var lines io.Writer
		if o.verbose {
			lines = stdout
		}
		t, err := report(ctx, s, changes, lines)
		if err != nil {
			return err
		}
		t.Text(stdout)
		if o.page != "" {
			if err := t.Into(o.page, "changes", s.name); err != nil {
				return err
			}
		}
	}
	if !some {
		return errors.New("no set is given, expected the folder of one, such as --changerca FOLDER")
	}
	return nil
}
