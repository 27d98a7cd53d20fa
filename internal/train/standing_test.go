package train

import (
	"reflect"
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
