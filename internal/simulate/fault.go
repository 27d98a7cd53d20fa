package simulate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/suggest"
)

// Kind is what a fault does.
type Kind string

// Kinds of faults.
const (
	Errors  Kind = "errors"  // more requests fail: 3x, or 30%
	Latency Kind = "latency" // requests take longer: 3x
	Traffic Kind = "traffic" // only so much of the traffic is left: 20%, 0%
	Check   Kind = "check"   // the number, or the bad events, of one check move: check cpu 3x
	Crash   Kind = "crash"   // the unit is down: no traffic, no metrics, not alive; the target takes orders
	Brick   Kind = "brick"   // the whole target is down and takes no order any more
	Silent  Kind = "silent"  // the target answers nobody and takes no order; its traffic goes on
	Refuse  Kind = "refuse"  // the target refuses the release
	Source  Kind = "source"  // the source of health answers nothing
)

// kinds are those that a text can name, in the order in which help lists them.
var kinds = []string{
	string(Errors), string(Latency), string(Traffic), string(Check), string(Crash), string(Brick), string(Silent), string(Refuse), string(Source),
}

// Fault is something that goes wrong on the targets that run the new release, from when they
// have it until they have it no more. Its other fields change the when and the where.
type Fault struct {
	Kind Kind
	// Check names the check that moves; only of the kind Check.
	Check string
	// Factor multiplies what is usual; 0 where Share says how much instead.
	Factor float64
	// Share is the share of requests that fail, or of the traffic that is left.
	Share float64
	// From is how long after a target got the release it begins; At is how long after the rollout began at
	// the earliest: the moment of a trigger.
	From, At time.Duration
	// For is how long it lasts; 0 is for ever. Ramp is how long it grows until it is as large as stated.
	For, Ramp time.Duration
	// Pulse and Period make it come and go: for Pulse of every Period. Zero is always.
	Pulse, Period time.Duration
	// Above is the share of the fleet that must have the release before it begins.
	Above float64
	// On are labels of the targets that have it; empty is all.
	On map[string]string
	// OneIn picks one target of so many; 0 and 1 are all.
	OneIn int
	// Everywhere says that targets without the release have it, too: an incident that all share, or what
	// the new release does to its neighbours.
	Everywhere bool
	// Stays says that taking the release back cures nothing.
	Stays bool
}

// Innocent says that the release has no part in the fault.
func (f Fault) Innocent() bool { return f.Everywhere && f.Above == 0 || f.Kind == Source }

// fits says whether a target can have the fault.
func (f Fault) fits(t fleet.Target, seed uint64) bool {
	return t.Matches(f.On) && (f.OneIn <= 1 || keyed(seed, hash(t.ID), hash("one in"))%uint64(f.OneIn) == 0) //nolint:gosec // positive
}

// strength is how much of the fault shows so long after it began, from 0 to 1.
func (f Fault) strength(since time.Duration) float64 {
	switch {
	case since < 0, f.For > 0 && since >= f.For, f.Period > 0 && since%f.Period >= f.Pulse:
		return 0
	case f.Ramp > 0 && since < f.Ramp:
		return since.Seconds() / f.Ramp.Seconds()
	}
	return 1
}

// ParseFault reads a fault as a command line has it: a kind, how much, and when and where:
//
//	errors 3x from 10m on region=eu
//	errors 30% one in 10
//	traffic 0% at 2h everywhere for 15m
//	check cpu 5x ramp 10m
func ParseFault(text string) (Fault, error) {
	p := faultParser{words: strings.Fields(text)}
	if len(p.words) == 0 {
		return Fault{}, fmt.Errorf("is empty, expected %s", faultForm)
	}
	f := &p.fault
	f.Kind = Kind(p.next())
	if f.Kind == "no" && p.peek() == string(Traffic) {
		f.Kind = Kind(p.next())
		p.words = append([]string{"0%"}, p.words...)
	}
	if !slices.Contains(kinds, string(f.Kind)) {
		return Fault{}, fmt.Errorf("%q is no kind of fault%s, expected one of %s", f.Kind, meant(string(f.Kind), kinds), strings.Join(kinds, ", "))
	}
	p.amount()
	for p.err == nil && len(p.words) > 0 {
		p.modifier(p.next())
	}
	if p.err == nil {
		p.err = f.check()
	}
	return p.fault, p.err
}

const faultForm = `a kind and how much, such as "errors 3x", "latency 2x", "traffic 0%" or "crash", and maybe "from 10m", "on region=eu", "one in 10"`

// check refuses what contradicts itself.
func (f Fault) check() error {
	switch {
	case f.Everywhere && f.From > 0:
		return fmt.Errorf(`"everywhere" has no "from", which counts from when a target got the release: say "at", which counts from when the rollout began`)
	case f.Kind == Refuse && (f.From > 0 || f.For > 0):
		return fmt.Errorf(`"refuse" happens when the release comes: it has neither "from" nor "for"`)
	case f.Kind == Source && (len(f.On) > 0 || f.OneIn > 1):
		return fmt.Errorf(`"source away" is of the source, which has no targets: it has neither "on" nor "one in"`)
	}
	return nil
}

type faultParser struct {
	words []string
	// said are the modifiers that were read.
	said  []string
	fault Fault
	err   error
}

func (p *faultParser) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

func (p *faultParser) next() string {
	w := p.peek()
	p.words = p.words[min(1, len(p.words)):]
	return w
}

func (p *faultParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// amount reads how much, where the kind has it.
func (p *faultParser) amount() {
	f := &p.fault
	switch f.Kind {
	case Check:
		if f.Check = p.next(); f.Check == "" {
			p.fail(`"check" needs the name of a check and how much, such as "check cpu 3x"`)
		}
	case Errors, Latency, Traffic:
	case Crash, Brick, Silent, Refuse, Source:
		if f.Kind == Source && p.peek() == "away" {
			p.next()
		}
		return
	}
	word := p.next()
	if number, ok := strings.CutSuffix(word, "x"); ok {
		if factor, err := strconv.ParseFloat(number, 64); err == nil && factor > 0 && factor <= 1e6 {
			if f.Factor = factor; f.Kind == Traffic {
				f.Share, f.Factor = factor, 0
			}
			return
		}
	}
	if strings.HasSuffix(word, "%") {
		if share, err := spec.ParseNumber(word); err == nil && share >= 0 && share <= 1 && f.Kind != Latency {
			f.Share = float64(share)
			return
		}
	}
	p.fail("%q says how much of %s, expected a factor such as 3x%s", word, f.Kind, map[bool]string{true: " or a share such as 30%"}[f.Kind != Latency])
}

// modifiers are the words behind kind and amount.
var modifiers = []string{"from", "at", "for", "ramp", "pulse", "above", "on", "one", "everywhere", "stays"}

func (p *faultParser) modifier(word string) {
	f := &p.fault
	if slices.Contains(p.said, word) {
		p.fail("%q is said twice, expected it once", word)
	}
	p.said = append(p.said, word)
	switch word {
	case "from":
		f.From = p.duration(word)
	case "at":
		f.At = p.duration(word)
	case "for":
		f.For = p.duration(word)
	case "ramp":
		f.Ramp = p.duration(word)
	case "pulse":
		on, all, _ := strings.Cut(p.next(), "/")
		p.words = append([]string{on, all}, p.words...)
		f.Pulse, f.Period = p.duration(word), p.duration(word)
		if f.Pulse > f.Period {
			p.fail(`"pulse %s/%s": expected the time that it is there, and how often it comes, such as 5m/10m`, on, all)
		}
	case "above":
		p.share(p.next(), &f.Above)
	case "on":
		p.labels(p.next())
	case "one":
		in, n := p.next(), p.next()
		var err error
		if f.OneIn, err = strconv.Atoi(n); in != "in" || err != nil || f.OneIn < 1 {
			p.fail(`"one %s %s": expected "one in" and a number, such as "one in 10"`, in, n)
		}
	case "everywhere":
		f.Everywhere = true
	case "stays":
		f.Stays = true
	default:
		p.fail("%q is not known here%s, expected one of %s", word, meant(word, modifiers), strings.Join(modifiers, ", "))
	}
}

func (p *faultParser) duration(of string) time.Duration {
	word := p.next()
	d, err := spec.ParseDuration(word)
	if err != nil || d < 0 {
		p.fail("%q is how long %q is, expected a time such as 90s, 10m or 2h", word, of)
	}
	if d == 0 && (of == "for" || of == "pulse") { // zero is for ever, and always
		p.fail("%q %s is no time at all, expected one such as 90s, 10m or 2h", of, word)
	}
	return d.Std()
}

func (p *faultParser) share(word string, to *float64) {
	share, err := spec.ParseNumber(word)
	if err != nil || share <= 0 || share > 1 || !strings.HasSuffix(word, "%") {
		p.fail("%q is no share, expected one such as 50%%", word)
	}
	*to = float64(share)
}

func (p *faultParser) labels(word string) {
	p.fault.On = map[string]string{}
	for pair := range strings.SplitSeq(word, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			p.fail(`"on %s": expected labels of the fleet, such as region=eu or region=eu,tier=free`, word)
		}
		p.fault.On[name] = value
	}
}

// meant is a word's nearest neighbour as a question; empty where none is near.
func meant(word string, known []string) string {
	if near, ok := suggest.Nearest(word, known); ok {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}
