package simulate

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
)

func TestParseFault(t *testing.T) {
	for text, want := range map[string]Fault{
		"errors 3x":                              {Kind: Errors, Factor: 3},
		"errors 30% from 10m on region=eu":       {Kind: Errors, Share: 0.3, From: 10 * time.Minute, On: map[string]string{"region": "eu"}},
		"latency 2.5x ramp 10m for 1h":           {Kind: Latency, Factor: 2.5, Ramp: 10 * time.Minute, For: time.Hour},
		"no traffic at 2h":                       {Kind: Traffic, At: 2 * time.Hour},
		"traffic 20% everywhere at 5m":           {Kind: Traffic, Share: 0.2, Everywhere: true, At: 5 * time.Minute},
		"check cpu 5x":                           {Kind: Check, Check: "cpu", Factor: 5},
		"check free 0.5x":                        {Kind: Check, Check: "free", Factor: 0.5},
		"traffic 3x everywhere":                  {Kind: Traffic, Share: 3, Everywhere: true},
		"crash one in 10":                        {Kind: Crash, OneIn: 10},
		"brick stays":                            {Kind: Brick, Stays: true},
		"errors 100% pulse 5m/10m":               {Kind: Errors, Share: 1, Pulse: 5 * time.Minute, Period: 10 * time.Minute},
		"errors 50% above 50% everywhere":        {Kind: Errors, Share: 0.5, Above: 0.5, Everywhere: true},
		"source away at 20m for 5m":              {Kind: Source, At: 20 * time.Minute, For: 5 * time.Minute},
		"silent on region=eu,tier=free from 90s": {Kind: Silent, On: map[string]string{"region": "eu", "tier": "free"}, From: 90 * time.Second},
	} {
		got, err := ParseFault(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, says := range map[string]string{
		"":                                "is empty",
		"error 3x":                        `"error" is no kind of fault (did you mean "errors"?)`,
		"errors":                          `"errors" needs how much: a factor above 1 such as "errors 3x", or a share of all requests such as "errors 30%"`,
		"errors from 10m":                 `"errors" needs how much`,
		"errors 3":                        `"3" is not how much of errors, expected a factor above 1 such as "errors 3x"`,
		"errors 130%":                     `"130%" is more than all there is`,
		"errors 0.5x":                     `"0.5x" makes nothing worse`,
		"errors 0%":                       `"0%" makes nothing worse`,
		"errors NaNx":                     `"NaNx" is not how much`,
		"latency 30%":                     `expected a factor above 1, such as "latency 2x"`,
		"latency 0.9x":                    `"0.9x" makes nothing worse`,
		"traffic 3x":                      `is more than usual, which is no fault of a release`,
		"traffic 3x above 50% everywhere": `"everywhere" for a peak that all targets share`,
		"check":                           "needs the name of a check",
		"check cpu":                       `"check cpu" needs how much: a factor such as "check cpu 3x"`,
		"errors 3x from":                  `"from" is no time, expected one such as 90s`,
		"errors 3x above":                 `"above" is no share of the fleet`,
		"errors 3x one in":                `"one in": expected "one in" and a number`,
		"errors 3x on":                    `"on": expected labels`,
		"errors 3x on a=b,a=c":            `"a" is said twice`,
		"errors 3x form 10m":              `"form" is not known here (did you mean "from"?)`,
		"errors 3x from 10":               `"from 10" is no time`,
		"errors 3x one of 10":             `"one of 10": expected "one in"`,
		"errors 3x on eu":                 `"on eu": expected labels`,
		"errors 3x pulse 10m/5m":          `"pulse 10m/5m"`,
		"errors 3x above 50":              `"above 50" is no share`,
		"errors 3x everywhere from 5m":    `"everywhere" has no "from"`,
		"refuse from 5m":                  `"refuse" happens when the release comes`,
		"errors 5x from 10m from 5m":      `"from" is said twice`,
		"errors 5x for 0s":                `"for" 0s is no time at all`,
		"errors 5x pulse 0s/5m":           `"pulse" 0s is no time at all`,
		"source away on region=eu":        `it has neither "on" nor "one in"`,
	} {
		_, err := ParseFault(text)
		require.ErrorContains(t, err, says, text)
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("errors 3x from 10m on region=eu one in 10")
	f.Add("check cpu 5x pulse 1m/2m stays")
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err == nil {
			for _, since := range []time.Duration{-time.Second, 0, time.Minute, 1000 * time.Hour} {
				s := fault.strength(since)
				require.True(t, s >= 0 && s <= 1, "%q: %v after %s", text, s, since)
			}
		}
	})
}

func TestStrength(t *testing.T) {
	f := Fault{For: time.Hour, Ramp: 10 * time.Minute, Pulse: 5 * time.Minute, Period: 20 * time.Minute}
	for since, want := range map[time.Duration]float64{
		-time.Second: 0, 0: 0, 4 * time.Minute: 0.4, 6 * time.Minute: 0, 21 * time.Minute: 1, 26 * time.Minute: 0, time.Hour: 0,
	} {
		require.InDelta(t, want, f.strength(since), 1e-9, "%s", since)
	}
}

// One in so many is that many, to the nearest one and at least one, always the same of a seed;
// fewer are some of more.
func TestPicks(t *testing.T) {
	var targets []fleet.Target
	for i := range 60 {
		targets = append(targets, fleet.Target{ID: fmt.Sprint(i), Labels: map[string]string{"half": fmt.Sprint(i % 2)}})
	}
	picks := func(text string, seed uint64) (ids []string) {
		f, err := ParseFault(text)
		require.NoError(t, err)
		for _, target := range f.picks(targets, seed) {
			ids = append(ids, target.ID)
		}
		return ids
	}
	for text, want := range map[string]int{
		"crash": 60, "crash one in 1": 60, "crash one in 4": 15, "crash one in 8": 8, "crash one in 10": 6, "crash one in 10 on half=1": 3, "crash one in 200": 1,
		"crash one in 10 on half=2": 0,
	} {
		for seed := range uint64(20) {
			require.Len(t, picks(text, seed), want, text)
		}
	}
	first := picks("crash one in 10", 1)
	require.Equal(t, first, picks("crash one in 10", 1))
	require.NotEqual(t, picks("crash one in 10", 1), picks("crash one in 10", 2))
	require.Subset(t, picks("crash one in 4", 1), picks("crash one in 16", 1))
}
