package sim

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// faults is what is wrong with a release. A release says so by its name, after the version; several
// can be joined, and a suffix that is not in this table is part of the version:
//
//	2.4.1              nothing is wrong
//	2.4.1-errors       30 % of requests are answered 500; -errors5x: five times the usual rate
//	2.4.1-latency      requests take 10 times as long; -latency3x: three times
//	2.4.1-notraffic    no request arrives any more, and so no error either
//	2.4.1-crash20s     the unit dies 20 s after it was applied: no metrics, no traffic, not
//	                   alive; the target still takes orders. -crash: at once
//	2.4.1-gone20s      the whole target stops answering after 20 s, orders included
//	2.4.1-refuse       the order is refused (422)
//	2.4.1-flaky        each target's first order is answered 503
//	2.4.1-noeffect     the order is accepted (200), and the old release stays in effect
//	2.4.1-slow3s       the order takes 3 s
//	2.4.1-flood        a target's own metrics page has 100,000 series more; -flood5000: 5,000
//	…-onebad           only one target in 10 has the other faults, or errors if there is
//	                   none; -onebad50: one in 50
//	…-only17           only the target at this place of the fleet, from 0, has them
//	…-after60s         the other faults begin 60 s after the order: a dormant one
type faults struct {
	errors    float64 // share of requests that fail
	latency   float64 // factor on the usual latency
	noTraffic bool
	crash     *time.Duration
	gone      *time.Duration
	refuse    bool
	flaky     bool
	noEffect  bool
	slow      time.Duration
	flood     int // series that a page has beyond those of others
	oneIn     int
	only      *int
	after     time.Duration
}

// What is usual: the share of requests that fail, and how much worse a fault makes it when it does
// not say.
const (
	usualErrors  = 0.005
	manyErrors   = 0.3
	manyTimes    = 10
	usualOneIn   = 10
	usualLatency = 1
	manySeries   = 100_000
)

var suffix = regexp.MustCompile(`^(errors|latency|onebad|only|flood)(?:([0-9]{1,6})x?)?$` +
	`|^(crash|gone|after|slow)([0-9][0-9.a-zµ]*)?$` +
	`|^(notraffic|refuse|flaky|noeffect)$`)

func parseFaults(release string) faults {
	f := faults{errors: usualErrors, latency: usualLatency}
	bad := false
	for _, word := range strings.Split(release, "-")[1:] {
		m := suffix.FindStringSubmatch(word)
		if m == nil {
			continue
		}
		f.set(m)
		bad = bad || m[1] != "onebad" && m[1] != "only" && m[3] != "after"
	}
	if (f.oneIn > 0 || f.only != nil) && !bad {
		f.errors = manyErrors
	}
	return f
}

func (f *faults) set(m []string) {
	n, _ := strconv.Atoi(m[2])
	d, err := time.ParseDuration(m[4])
	if err != nil || d < 0 {
		d = 0
	}
	switch m[1] + m[3] + m[5] {
	case "errors":
		f.errors = manyErrors
		if n > 0 {
			f.errors = min(1, usualErrors*float64(n))
		}
	case "latency":
		f.latency = manyTimes
		if n > 0 {
			f.latency = float64(n)
		}
	case "onebad":
		f.oneIn = usualOneIn
		if n > 0 {
			f.oneIn = n
		}
	case "only":
		f.only = &n
	case "flood":
		f.flood = cmp.Or(n, manySeries)
	case "crash":
		f.crash = &d
	case "gone":
		f.gone = &d
	case "after":
		f.after = d
	case "slow":
		f.slow = d
	case "notraffic":
		f.noTraffic = true
	case "refuse":
		f.refuse = true
	case "flaky":
		f.flaky = true
	case "noeffect":
		f.noEffect = true
	}
}

// on is the faults as the target at this index of the fleet has them.
func (f faults) on(index int, release string) faults {
	if f.only != nil && *f.only != index || f.oneIn > 0 && (uint64(index)+hash(release))%uint64(f.oneIn) != 0 {
		return faults{errors: usualErrors, latency: usualLatency}
	}
	return f
}
