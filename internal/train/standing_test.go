package train

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each field makes a difference.
func TestSameKnowsEveryField(t *testing.T) {
	t.Parallel()
	for i := range reflect.TypeFor[Standing]().NumField() {
		var a, b Standing
		f := reflect.ValueOf(&b).Elem().Field(i)
		switch f.Kind() {
		case reflect.Int, reflect.Int64:
			f.SetInt(1)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString("x")
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		default:
			t.Fatalf("a field of kind %s", f.Kind())
		}
		require.False(t, a.same(b), reflect.TypeFor[Standing]().Field(i).Name)
		require.True(t, b.same(b))
	}
}

func TestWordOfATrain(t *testing.T) {
	for want, l := range map[string]Ledger{
		"idle":          {},
		"held":          {Hold: &Hold{Why: "an incident"}},
		"running":       {Open: []Rollout{{Number: 1, State: Going}}},
		"rolling-back":  {Hold: &Hold{After: 1}, Open: []Rollout{{Number: 1, State: Back}}},
		"ended-by-hand": {Open: []Rollout{{Number: 1, State: Lost}, {Number: 2, State: Back}}},
	} {
		require.Equal(t, want, l.Word())
	}
}

func TestMarksOfStages(t *testing.T) {
	for want, r := range map[string]Rollout{
		"✓|in it|·|":   {State: Going, Stages: 3, Passed: 1, Granted: 2, Reserved: 2},
		"✓|waits|·|":   {State: Going, Stages: 3, Passed: 1, Granted: 1, Reserved: 1, Wants: true},
		"waits|·|·|":   {State: Going, Stages: 3, Reserved: 1},
		"·|·|·|·":      {State: Queued},
		"✓|✓|✓|":       {State: Guarding, Stages: 3, Passed: 3, Granted: 3},
		"✓|·|·|":       {State: Superseded, Stages: 3, Passed: 1, Granted: 1},
		"↩|↩|·|":       {State: Back, Stages: 3, Passed: 1, Granted: 2},
		"↩|·|·|":       {State: Going, WithdrawnBy: 1, Stages: 3, Passed: 1, Granted: 1},
		"left|left|·|": {State: Lost, Stages: 3, Passed: 1, Granted: 2},
	} {
		require.Equal(t, want, strings.Join([]string{r.Mark(0), r.Mark(1), r.Mark(2), r.Mark(3)}, "|"))
	}
}

func TestEndedAreTheYoungestFirst(t *testing.T) {
	l := Ledger{Closed: []Closed{{Number: 1}, {Number: 4}, {Number: 2}, {Number: 3}}}
	require.Equal(t, []Closed{{Number: 4}, {Number: 3}, {Number: 2}}, l.Ended(3))
	require.Len(t, l.Ended(10), 4)
}
