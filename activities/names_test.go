package activities

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every activity has a name here, and no other.
func TestNames(t *testing.T) {
	var methods []string
	for m := range reflect.TypeFor[*Activities]().Methods() {
		methods = append(methods, m.Name)
	}
	require.ElementsMatch(t, methods, []string{
		TypePlan, TypeValidate, TypePreflight, TypeObserve, TypeBaseline, TypeApply, TypeWatch, TypeGate,
		TypeFindLate, TypeRelist, TypeRevert, TypeRecover, TypeNotify,
	})
}
