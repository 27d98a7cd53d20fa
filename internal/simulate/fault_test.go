package simulate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseFault(t *testing.T) {
	for text, want := range map[string]Fault{
		"errors 3x":                              {Kind: Errors, Factor: 3},
		"errors 30% from 10m on region=eu":       {Kind: Errors, Share: 0.3, From: 10 * time.Minute, On: map[string]string{"region": "eu"}},
		"latency 2.5x ramp 10m for 1h":           {Kind: Latency, Factor: 2.5, Ramp: 10 * time.Minute, For: time.Hour},
		"no traffic at 2h":                       {Kind: Traffic, At: 2 * time.Hour},
		"traffic 20% everywhere at 5m":           {Kind: Traffic, Share: 0.2, Everywhere: true, At: 5 * time.Minute},
		"check cpu 5x":                           {Kind: Check, Check: "cpu", Factor: 5},
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
		"":                             "is empty",
		"error 3x":                     `"error" is no kind of fault (did you mean "errors"?)`,
		"errors":                       "says how much of errors",
		"errors 3":                     `"3" says how much of errors, expected a factor such as 3x or a share such as 30%`,
		"errors 130%":                  `"130%" says how much`,
		"latency 30%":                  "expected a factor such as 3x",
		"check":                        "needs the name of a check",
		"errors 3x form 10m":           `"form" is not known here (did you mean "from"?)`,
		"errors 3x from 10":            `"10" is how long "from" is`,
		"errors 3x one of 10":          `"one of 10": expected "one in"`,
		"errors 3x on eu":              `"on eu": expected labels`,
		"errors 3x pulse 10m/5m":       `"pulse 10m/5m"`,
		"errors 3x above 50":           `"50" is no share`,
		"errors 3x everywhere from 5m": `"everywhere" has no "from"`,
		"refuse from 5m":               `"refuse" happens when the release comes`,
		"errors 5x from 10m from 5m":   `"from" is said twice`,
		"errors 5x for 0s":             `"for" 0s is no time at all`,
		"errors 5x pulse 0s/5m":        `"pulse" 0s is no time at all`,
		"source away on region=eu":     `it has neither "on" nor "one in"`,
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
