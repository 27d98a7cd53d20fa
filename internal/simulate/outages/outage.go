// Package outages is what public outages were made of, as files: a change, how fast it reached
// everybody, what it did, and how long people took. The same change can be deployed in several ways
// on a modelled fleet, to see what each would have cost.
package outages

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// MaxBytes bounds a file.
const MaxBytes = 1 << 20

// Outage is a file. All times of people count from the first harm.
type Outage struct {
	// Name is short, such as cloudflare-2019-07-02. Title says what happened in one line.
	Name  string `yaml:"name" json:"name"`
	Title string `yaml:"title" json:"title"`
	Org   string `yaml:"org,omitempty" json:"org,omitempty"`
	// Date is the day on which it began, as YYYY-MM-DD.
	Date string `yaml:"date,omitempty" json:"date,omitempty" jsonschema:"format=date"`
	// Sources are where it is told, as URLs.
	Sources []string `yaml:"sources,omitempty" json:"sources,omitempty"`
	// Change is what was changed.
	Change string `yaml:"change" json:"change"`
	// Faults are what the change does, each as sluice simulate --fault has it.
	Faults []Fault `yaml:"faults,omitempty" json:"faults,omitempty"`
	// Spread is how long a push takes to reach the whole fleet. Default 1m.
	Spread spec.Duration `yaml:"spread,omitempty" json:"spread,omitempty"`
	// Detected is when people noticed, Mitigated when most of the harm was over, Over when all was.
	Detected  spec.Duration `yaml:"detected,omitempty" json:"detected,omitempty"`
	Mitigated spec.Duration `yaml:"mitigated,omitempty" json:"mitigated,omitempty"`
	Over      spec.Duration `yaml:"over,omitempty" json:"over,omitempty"`
	// Load is what targets serve while all is well. Default: that of simulate. A rate and errors are
	// above 0.
	Load []Load `yaml:"load,omitempty" json:"load,omitempty"`
	// Fleet are the targets. Default: 200 in four regions, see Standard.
	Fleet []Group `yaml:"fleet,omitempty" json:"fleet,omitempty"`
	// Grades say how a value is known, by the name of its field: read (in a source), second-hand,
	// memory, or modelled.
	Grades map[string]Grade `yaml:"grades,omitempty" json:"grades,omitempty"`
	// Limits says what a gate could not have done here; empty where there is nothing to say.
	Limits string `yaml:"limits,omitempty" json:"limits,omitempty"`
}

// Grade says how a value is known.
type Grade string

// Grades.
const (
	Read       Grade = "read"        // in a public source
	SecondHand Grade = "second-hand" // in a summary
	Memory     Grade = "memory"      // from memory, not looked up
	Modelled   Grade = "modelled"    // made up so that the model shows what was told in words
)

// Fault is a fault as text.
type Fault struct {
	simulate.Fault `yaml:"-" json:"-"`
	Text           string `yaml:"-" json:"-"`
}

// UnmarshalText reads it as sluice simulate --fault does.
func (f *Fault) UnmarshalText(text []byte) (err error) {
	f.Text = string(text)
	f.Fault, err = simulate.ParseFault(f.Text)
	return err
}

// MarshalText writes the text.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.Text), nil }

// Load is simulate.Load.
type Load struct {
	On     map[string]string `yaml:"on,omitempty" json:"on,omitempty"`
	Rate   spec.Number       `yaml:"rate,omitempty" json:"rate,omitempty"`
	Errors spec.Number       `yaml:"errors,omitempty" json:"errors,omitempty"`
	Day    spec.Number       `yaml:"day,omitempty" json:"day,omitempty"`
	Burst  spec.Number       `yaml:"burst,omitempty" json:"burst,omitempty"`
	Wander spec.Number       `yaml:"wander,omitempty" json:"wander,omitempty"`
}

// Group are targets with the same labels.
type Group struct {
	Count  int               `yaml:"count" json:"count" jsonschema:"minimum=1,maximum=10000"`
	Labels map[string]string `yaml:"labels,omitempty" json:"labels,omitempty"`
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Parse reads and validates a file. The error is a strictyaml.Problems with everything that is
// wrong; file is how it names the file.
func Parse(file string, data []byte) (Outage, error) {
	var o Outage
	doc := strictyaml.Decode(file, data, MaxBytes, nil, &o)
	if doc.Readable() {
		o.validate(doc)
	}
	return o, doc.Problems().Err()
}

func (o *Outage) validate(doc *strictyaml.Document) {
	add := func(path, format string, args ...any) {
		if !doc.Bad(path) {
			doc.Add(path, fmt.Sprintf(format, args...))
		}
	}
	if !nameForm.MatchString(o.Name) {
		add("name", "%s is no name, expected lower-case letters, digits and '-', such as cloudflare-2019-07-02", strictyaml.Quote(o.Name))
	}
	if _, err := time.Parse(time.DateOnly, o.Date); doc.Has("date") && err != nil {
		add("date", "is %s and is no date, expected YYYY-MM-DD such as 2025-12-05", strictyaml.Quote(o.Date))
	}
	for path, text := range map[string]string{"title": o.Title, "change": o.Change} {
		if strings.TrimSpace(text) == "" {
			add(path, "is required")
		}
	}
	if o.Spread == 0 && !doc.Has("spread") {
		o.Spread = spec.Duration(defaultSpread)
	}
	for _, d := range []struct {
		path string
		of   spec.Duration
	}{{"spread", o.Spread}, {"detected", o.Detected}, {"mitigated", o.Mitigated}, {"over", o.Over}} {
		if d.of < 0 {
			add(d.path, "is %s, expected a time that is not below 0", d.of)
		}
	}
	for i, source := range o.Sources {
		if u, err := url.Parse(source); err != nil || u.Host == "" {
			add(strictyaml.Index("sources", i), "is %s, expected a URL such as https://example.com/what-happened", strictyaml.Quote(source))
		}
	}
	o.validatePeople(doc, add)
	if known := o.validateFleet(doc, add); known {
		o.validateLabels(add)
	}
	o.validateLoad(doc, add)
	known := []string{"spread", "detected", "mitigated", "over", "faults", "load", "fleet"}
	for _, name := range slices.Sorted(maps.Keys(o.Grades)) {
		path := strictyaml.Field("grades", name)
		if !slices.Contains(known, name) {
			add(path, "is graded, expected one of %s", strings.Join(known, ", "))
		}
		if g := o.Grades[name]; !slices.Contains([]Grade{Read, SecondHand, Memory, Modelled}, g) {
			add(path, "is %s, expected read, second-hand, memory or modelled", strictyaml.Quote(string(g)))
		}
	}
}

// validatePeople checks the times of people: a harmful change needs them, and they follow each
// other.
func (o *Outage) validatePeople(doc *strictyaml.Document, add func(path, format string, args ...any)) {
	harmful := false
	for i, f := range o.Faults { // what one does that cannot be read is not known
		harmful = harmful || !f.Innocent() && !doc.Bad(strictyaml.Index("faults", i))
	}
	if !harmful {
		return
	}
	for _, path := range []string{"mitigated", "over"} {
		if !doc.Has(path) {
			add(path, "is required for a change that does harm: how long after the first harm")
		}
	}
	if doc.Has("mitigated") && o.Detected > o.Mitigated {
		add("detected", "is %s, after mitigated (%s)", o.Detected, o.Mitigated)
	}
	if doc.Has("over") && !doc.Bad("over") && o.Mitigated > o.Over {
		add("mitigated", "is %s, after over (%s)", o.Mitigated, o.Over)
	}
}

// validateFleet checks the groups of targets, and says whether their labels are known.
func (o *Outage) validateFleet(doc *strictyaml.Document, add func(path, format string, args ...any)) (known bool) {
	total := 0
	known = !doc.Bad("fleet")
	for i, g := range o.Fleet {
		group := strictyaml.Index("fleet", i)
		path := group + ".count"
		switch {
		case total > mostTargets: // which was said
		case doc.Bad(path):
		case !doc.Has(path):
			add(path, "is required, expected at least 1")
		case g.Count < 1:
			add(path, "is %d, expected at least 1", g.Count)
		case g.Count > mostTargets-total:
			all := float64(total) + float64(g.Count)
			add(path, "makes %s targets, expected at most %s in all", humanize.Integer(all), humanize.Integer(mostTargets))
			total = mostTargets + 1
		default:
			total += g.Count
		}
		known = known && !doc.Bad(path) && !doc.Bad(group+".labels")
	}
	return known
}

// validateLabels checks that what faults and loads are on is in the fleet.
func (o *Outage) validateLabels(add func(path, format string, args ...any)) {
	targets := o.Targets().Targets
	for i, f := range o.Faults {
		if err := simulate.UnknownLabels(f.On, targets); err != nil {
			add(strictyaml.Index("faults", i), "%s", err)
		}
	}
	for i, l := range o.Load {
		if err := simulate.UnknownLabels(l.On, targets); err != nil {
			add(strictyaml.Index("load", i)+".on", "%s", err)
		}
	}
}

// validateLoad checks when faults begin, and the numbers of loads.
func (o *Outage) validateLoad(doc *strictyaml.Document, add func(path, format string, args ...any)) {
	for i, f := range o.Faults {
		if f.At > latest || f.From > latest {
			add(strictyaml.Index("faults", i), "begins more than %s after the change, and so long nobody looks", spec.Duration(latest))
		}
	}
	for i, l := range o.Load {
		path := strictyaml.Index("load", i)
		none := func(field string, n spec.Number) bool { return n == 0 && doc.Has(path+"."+field) }
		wrong := none("rate", l.Rate) || none("errors", l.Errors)
		for _, most := range []struct {
			is   spec.Number
			most spec.Number
		}{{l.Rate, 1e9}, {l.Errors, 1}, {l.Day, 1}, {l.Burst, 1e6}, {l.Wander, 10}} {
			wrong = wrong || !(most.is >= 0 && most.is <= most.most) // nor NaN
		}
		if wrong {
			add(path, "expected a rate above 0 up to 1,000,000,000, errors above 0%% up to 100%%, a day of 0%% to 100%%, "+
				"a burst of 0 to 1,000,000 and a wander of 0 to 10")
		}
	}
}

const (
	defaultSpread = 60_000_000_000 // a minute
	// latest is when a fault may begin.
	latest      = 14 * 24 * time.Hour
	mostTargets = 10_000
	// standardTargets is the size of the standard fleet.
	standardTargets = 200
)

// Harmful says that the change itself does harm.
func (o Outage) Harmful() bool {
	return slices.ContainsFunc(o.Faults, func(f Fault) bool { return !f.Innocent() })
}

// Shows says that what the change does shows in something that a spec's checks ask for.
func (o Outage) Shows(s spec.Spec) bool {
	asked := func(name string) bool {
		return slices.ContainsFunc(s.Health.Checks, func(c spec.Check) bool { return c.Name == name })
	}
	return slices.ContainsFunc(o.Faults, func(f Fault) bool { return !f.Innocent() && (f.Kind != simulate.Check || asked(f.Check)) })
}

// Targets are those of the outage's fleet.
func (o Outage) Targets() fleet.Fleet {
	if len(o.Fleet) == 0 {
		return Standard()
	}
	var f fleet.Fleet
	for _, g := range o.Fleet {
		for range g.Count {
			f.Targets = append(f.Targets, target(len(f.Targets), g.Labels))
		}
	}
	return f
}

// Standard is the fleet on which outages are replayed: 200 targets in four regions, of which a
// tenth serves internal users, and a quarter has the older hardware. Label `edge` is what of a
// network is near: half of them.
func Standard() fleet.Fleet {
	var f fleet.Fleet
	for i := range standardTargets {
		labels := map[string]string{
			"region": []string{"eu", "us", "asia", "south"}[i%4], "tier": "public", "hardware": "new", "class": "a", "edge": "far",
		}
		site := i / 4 // in every region
		if site%10 == 3 {
			labels["tier"] = "internal"
		}
		if site%4 == 1 {
			labels["hardware"] = "old"
		}
		if site%7 < 2 {
			labels["class"] = "b" // 28 %
		}
		if site%2 == 0 {
			labels["edge"] = "near"
		}
		f.Targets = append(f.Targets, target(i, labels))
	}
	return f
}

func target(i int, labels map[string]string) fleet.Target {
	return fleet.Target{
		ID:      fmt.Sprintf("t%05d", i),
		Address: fmt.Sprintf("10.%d.%d.%d:80", i>>16, i>>8&0xff, i&0xff),
		Labels:  maps.Clone(labels),
	}
}

// Model is the outage as simulate has it.
func (o Outage) Model(seed uint64) simulate.Model {
	m := simulate.Model{Seed: seed}
	for _, f := range o.Faults {
		m.Faults = append(m.Faults, f.Fault)
	}
	for _, l := range o.Load {
		m.Loads = append(m.Loads, simulate.Load{
			On: l.On, Rate: float64(l.Rate), Errors: float64(l.Errors), Day: float64(l.Day), Burst: float64(l.Burst), Wander: float64(l.Wander),
		})
	}
	return m
}
