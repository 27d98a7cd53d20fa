package simulate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/suggest"
)

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
		return Fault{}, fmt.Errorf("%q is no kind of fault%s, expected one of %s",
			f.Kind, meant(string(f.Kind), kinds), strings.Join(kinds, ", "))
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

const faultForm = `a kind and how much, such as "errors 3x", "latency 2x", "traffic 0%" or "crash", ` +
	`and maybe "from 10m", "on region=eu", "one in 10"`

// check refuses what contradicts itself.
func (f Fault) check() error {
	switch {
	case f.Everywhere && f.From > 0:
		return fmt.Errorf(`"everywhere" has no "from", which counts from when a target got the release: ` +
			`say "at", which counts from when the rollout began`)
	case f.Kind == Refuse && (f.From > 0 || f.For > 0):
		return fmt.Errorf(`"refuse" happens when the release comes: it has neither "from" nor "for"`)
	case f.Kind == Source && (len(f.On) > 0 || f.OneIn > 1):
		return fmt.Errorf(`"source away" is of the source, which has no targets: it has neither "on" nor "one in"`)
	case f.Kind == Traffic && f.Share > 1 && !f.Innocent():
		return fmt.Errorf(`"traffic %gx" is more than usual, which is no fault of a release: `+
			`say less, such as "traffic 20%%", or "everywhere" for a peak that all targets share`, f.Share)
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
	word := p.peek()
	if word == "" || slices.Contains(modifiers, word) {
		p.fail("%q needs how much: %s", f.named(), f.amounts())
		return
	}
	p.next()
	number, factor := strings.CutSuffix(word, "x")
	share, err := spec.ParseNumber(word)
	if factor {
		var x float64
		x, err = strconv.ParseFloat(number, 64)
		share = spec.Number(x)
	}
	switch least := map[Kind]spec.Number{Errors: 1, Latency: 1}[f.Kind]; {
	case err != nil, !factor && (!strings.HasSuffix(word, "%") || f.Kind == Latency), !(share >= 0 && share <= 1e6):
		p.fail("%q is not how much of %s, expected %s", word, f.named(), f.amounts())
	case !factor && share > 1:
		p.fail("%q is more than all there is, expected %s", word, f.amounts())
	case factor && share < least, share == 0 && f.Kind != Traffic:
		p.fail("%q makes nothing worse, expected %s", word, f.amounts())
	case factor && f.Kind != Traffic:
		f.Factor = float64(share)
	default:
		f.Share = float64(share)
	}
}

// named is the kind, with its check.
func (f Fault) named() string { return strings.TrimSpace(string(f.Kind) + " " + f.Check) }

// amounts words what says how much of a kind.
func (f Fault) amounts() string {
	switch f.Kind {
	case Latency:
		return `a factor above 1, such as "latency 2x"`
	case Traffic:
		return `the share that is left, such as "traffic 20%"`
	case Check:
		return fmt.Sprintf(`a factor such as "%s 3x", or a share of bad events such as "%s 30%%"`, f.named(), f.named())
	}
	return `a factor above 1 such as "errors 3x", or a share of all requests such as "errors 30%"`
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
			p.fail(`"%s": expected "one in" and a number, such as "one in 10"`, strings.TrimSpace("one "+in+" "+n))
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
		p.fail("%q is no time, expected one such as 90s, 10m or 2h", strings.TrimSpace(of+" "+word))
	}
	if d == 0 && (of == "for" || of == "pulse") { // zero is for ever, and always
		p.fail("%q %s is no time at all, expected one such as 90s, 10m or 2h", of, word)
	}
	return d.Std()
}

func (p *faultParser) share(word string, to *float64) {
	share, err := spec.ParseNumber(word)
	if err != nil || share <= 0 || share > 1 || !strings.HasSuffix(word, "%") {
		p.fail("%q is no share of the fleet, expected one such as 50%%", strings.TrimSpace("above "+word))
	}
	*to = float64(share)
}

func (p *faultParser) labels(word string) {
	p.fault.On = map[string]string{}
	for pair := range strings.SplitSeq(word, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			p.fail(`"%s": expected labels of the fleet, such as region=eu or region=eu,tier=free`, strings.TrimSpace("on "+word))
		}
		if _, twice := p.fault.On[name]; twice {
			p.fail(`"on %s": %q is said twice, and a target has one: write a --fault for each`, word, name)
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
