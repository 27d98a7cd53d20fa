package driver

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/secret"
)

func TestParseOutput(t *testing.T) {
	for text, want := range map[string]State{
		"2.4.1":                {Release: "2.4.1", Alive: true},
		"2.4.1\n":              {Release: "2.4.1", Alive: true},
		"2.4.1\r\nfence=3\r\n": {Release: "2.4.1", Fence: 3, Alive: true},
		"\n":                   {Alive: true},
		"\nfence=3\n":          {Fence: 3, Alive: true},
		"1\nalive=true\n":      {Release: "1", Alive: true},
		"1\nalive=false\n\n":   {Release: "1"},
		"1\ndetail=a=b\tc \n":  {Release: "1", Alive: true, Detail: "a=b c"},
		"1\nalive=false\nfence=9223372036854775807\ndetail=gone": {Release: "1", Fence: 1<<63 - 1, Detail: "gone"},
	} {
		got, _, err := parseOutput(text, false)
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, got, "%q", text)
	}
	for _, text := range []string{
		"", "1 2\n", "1\nfence=\n", "1\nfence=1.5\n", "1\nfence=-1\n", "1\nfence=9223372036854775808\n", "1\nalive=maybe\n",
		"1\nalive\n", "1\nhello\n", "1\n2\n", "\x00\n", "a\xffb\n", strings.Repeat("x", 257),
	} {
		got, _, err := parseOutput(text, false)
		require.Error(t, err, "%q", text)
		require.Zero(t, got)
	}
	_, _, err := parseOutput("1\n", true)
	require.ErrorContains(t, err, "printed more than")
}

// Only an agent's own word is that it has refused the newest order; what else a target calls its
// state is its own.
func TestParseRefused(t *testing.T) {
	for state, want := range map[string]bool{`"refused"`: true, `"applied"`: false, `""`: false, `null`: false, `5`: false, `{"refused":true}`: false} {
		s, _, err := parseState([]byte(`{"release":"1","fence":2,"alive":true,"state":`+state+`}`), secret.Secret{})
		require.NoError(t, err, state)
		require.Equal(t, State{Release: "1", Fence: 2, Alive: true, Refused: want}, s)
	}
}

// No answer makes the parsers panic or pass on what cannot be shown.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"release":"1","fence":2,"alive":true,"detail":"x"}`)
	f.Add("1\nfence=3\nalive=false\ndetail=x\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func() (State, error){
			func() (State, error) { s, _, err := parseState([]byte(text), secret.New("planted")); return s, err },
			func() (State, error) { s, _, err := parseOutput(text, false); return s, err },
		} {
			s, err := parse()
			if err != nil {
				continue
			}
			if checkRelease(s.Release) != nil || s.Fence < 0 || strings.ContainsFunc(s.Detail, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%q gave %+v", text, s)
			}
		}
	})
}
