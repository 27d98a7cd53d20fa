package data

import (
	"slices"
	"strconv"
	"strings"
)

// Change is one difference of two values.
type Change struct {
	// Pointer is where it is: in the new value, or in the old one for what was removed.
	Pointer string
	// Old is nil for what was added, New for what was removed.
	Old, New *Value
}

// Changes answers the differences of two values, in the order of the new one. An entry of a list
// that has an identity, see Entries, is compared with its like wherever that stands.
func Changes(old, new *Value) []Change {
	var out []Change
	changes("", old, new, func(c Change) { out = append(out, c) })
	return out
}

func changes(at string, old, new *Value, tell func(Change)) {
	switch {
	case old.Kind != new.Kind || new.Kind == Scalar:
		if !same(old, new) {
			tell(Change{at, old, new})
		}
	case new.Kind == Mapping || identity(old, new) != "":
		named(at, old, new, tell)
	default:
		inOrder(at, old, new, tell)
	}
}

// named compares entries that have names.
func named(at string, old, new *Value, tell func(Change)) {
	field := identity(old, new)
	was, is := old.byName(field), new.byName(field)
	for i, item := range old.Items {
		if _, stays := is[old.name(i, field)]; !stays {
			tell(Change{old.pointer(at, i), item, nil})
		}
	}
	for i, item := range new.Items {
		if before, ok := was[new.name(i, field)]; ok {
			changes(new.pointer(at, i), before, item, tell)
		} else {
			tell(Change{new.pointer(at, i), nil, item})
		}
	}
}

// inOrder compares lists by position, without what is the same at their beginnings and ends.
func inOrder(at string, old, new *Value, tell func(Change)) {
	a, b := old.Items, new.Items
	first := 0
	for len(a) > 0 && len(b) > 0 && same(a[0], b[0]) {
		a, b, first = a[1:], b[1:], first+1
	}
	for len(a) > 0 && len(b) > 0 && same(a[len(a)-1], b[len(b)-1]) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	for i := range max(len(a), len(b)) {
		switch here := at + "/" + strconv.Itoa(first+i); {
		case i >= len(a):
			tell(Change{here, nil, b[i]})
		case i >= len(b):
			tell(Change{here, a[i], nil})
		default:
			changes(here, a[i], b[i], tell)
		}
	}
}

// same compares two values, whatever the order of keys.
func same(a, b *Value) bool {
	if a.Kind != b.Kind || len(a.Items) != len(b.Items) || a.Scalar != b.Scalar {
		return false
	}
	if a.Kind != Mapping {
		return slices.EqualFunc(a.Items, b.Items, same)
	}
	is := b.byName("")
	for i, key := range a.Keys {
		if other, ok := is[key]; !ok || !same(a.Items[i], other) {
			return false
		}
	}
	return true
}

// identities are the fields by which the entries of a list are known.
var identities = []string{"id", "name", "key"}

// identity is the field by which the entries of both lists are known: every entry is a mapping that
// has it, with a text or number that no other entry of its list has. Empty where there is none.
func identity(a, b *Value) string {
	if a.Kind != List || b.Kind != List {
		return ""
	}
	for _, field := range identities {
		if a.known(field) && b.known(field) {
			return field
		}
	}
	return ""
}

func (v *Value) known(field string) bool {
	seen := make(map[string]bool, len(v.Items))
	for i, item := range v.Items {
		by := item.child(field)
		if by == nil || by.Kind != Scalar || by.Scalar == nil || seen[v.name(i, field)] {
			return false
		}
		seen[v.name(i, field)] = true
	}
	return true
}

// name is what an entry is known by: its key, or the value of a field.
func (v *Value) name(i int, field string) string {
	if v.Kind == Mapping {
		return v.Keys[i]
	}
	return scalarText(v.Items[i].child(field).Scalar)
}

func (v *Value) byName(field string) map[string]*Value {
	out := make(map[string]*Value, len(v.Items))
	for i, item := range v.Items {
		out[v.name(i, field)] = item
	}
	return out
}

func (v *Value) pointer(at string, i int) string {
	if v.Kind == Mapping {
		return at + "/" + escape.Replace(v.Keys[i])
	}
	return at + "/" + strconv.Itoa(i)
}

// Count is how two groups of entries differ.
type Count struct {
	// Old is how many there were, New how many there are.
	Old, New int
	// Removed, Added and Changed are those that are not in both as they were.
	Removed, Added, Changed int
}

// Touched is how many are not as they were; one that was removed and one that was added are one
// that was replaced.
func (c Count) Touched() int { return c.Changed + max(c.Removed, c.Added) }

// Entries counts how the entries of two lists or mappings differ. Those of mappings are known by
// their keys, those of lists by id, name or key where all of them have one, each another; others by
// what they are, as often as they are there. Old may be nil: there were none.
func Entries(old, new *Value) Count {
	if old == nil || old.Kind == Scalar {
		old = &Value{Kind: new.Kind}
	}
	c := Count{Old: len(old.Items), New: len(new.Items)}
	field := identity(old, new)
	if old.Kind == Mapping && new.Kind == Mapping || field != "" {
		was := old.byName(field)
		for i, item := range new.Items {
			before, ok := was[new.name(i, field)]
			switch {
			case !ok:
				c.Added++
			case !same(before, item):
				c.Changed++
			}
		}
		c.Removed = c.Old + c.Added - c.New
		return c
	}
	left := map[string]int{}
	for i, item := range old.Items {
		left[old.whole(i, item)]++
	}
	for i, item := range new.Items {
		key := new.whole(i, item)
		if left[key]--; left[key] < 0 {
			c.Added++
		}
	}
	c.Removed = c.Old + c.Added - c.New
	return c
}

// whole is all that an entry is.
func (v *Value) whole(i int, item *Value) string {
	return strings.Join(v.Keys[min(i, len(v.Keys)):min(i+1, len(v.Keys))], "") + item.Text(0)
}

// Share is which part of the old entries n is; where there were none, any are all.
func (c Count) Share(n int) float64 {
	switch {
	case n == 0:
		return 0
	case c.Old == 0:
		return 1
	}
	return float64(n) / float64(c.Old)
}
