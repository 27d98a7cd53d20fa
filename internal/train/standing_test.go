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
