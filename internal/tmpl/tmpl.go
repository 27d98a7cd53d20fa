// Package tmpl fills placeholders such as {{id}} or {{label.region}} into text.
//
// It is deliberately less than a template language: no conditions, no functions, no nesting, and a
// value is never looked at again once it is filled in. An unknown name and a label that a target
// lacks are errors, never an empty string. There is no way to write a literal "{{".
package tmpl

import (
	"fmt"
	"slices"
	"strings"
)

// Names of placeholders. Label stands for every {{label.NAME}}.
const (
	ID      = "id"
	Address = "address"
	Unit    = "unit"
	Release = "release"
	Fence   = "fence"
	Label   = "label"
	Dir     = "dir"
)

const labelPrefix = Label + "."

// Values is what the placeholders stand for. The zero value knows no name.
type Values struct {
	id     string
	names  []named // a handful: cheaper than a map, which would be made for every order
	labels map[string]string
}

type named struct{ name, value string }

// ForTarget answers the values that every target has. The labels are kept, not copied.
func ForTarget(id, address string, labels map[string]string) Values {
	return Values{id: id, names: append(make([]named, 0, 4), named{ID, id}, named{Address, address}), labels: labels}
}

// With answers v with one more value, whose name v does not have yet.
func (v Values) With(name, value string) Values {
	v.names = append(v.names, named{name, value})
	return v
}

func (v Values) lookup(name string) (string, error) {
	if label, ok := strings.CutPrefix(name, labelPrefix); ok {
		value, ok := v.labels[label]
		if !ok {
			return "", fmt.Errorf("target %q has no label %q, which {{%s}} asks for", v.id, label, name)
		}
		return value, nil
	}
	for _, n := range v.names {
		if n.name == name {
			return n.value, nil
		}
	}
	return "", fmt.Errorf("{{%s}} is not known here", name)
}

// Escape makes a value fit for the place where it is filled in, or refuses it. Before is the text
// filled so far, so that it can tell the place.
type Escape func(name, value, before string) (string, error)

// Fill replaces every placeholder in text by its value, as it is.
func Fill(text string, v Values) (string, error) {
	return FillEscaped(text, v, func(_, value, _ string) (string, error) { return value, nil })
}

// FillEscaped is Fill with every value passed through escape.
func FillEscaped(text string, v Values, escape Escape) (string, error) {
	var out strings.Builder
	out.Grow(2 * len(text))
	err := walk(text, func(literal, name string) error {
		out.WriteString(literal)
		if name == "" {
			return nil
		}
		value, err := v.lookup(name)
		if err != nil {
			return err
		}
		value, err = escape(name, value, out.String())
		if err != nil {
			return fmt.Errorf("{{%s}}: %w", name, err)
		}
		out.WriteString(value)
		return nil
	})
	if err != nil {
		return "", err
	}
	return out.String(), nil
}

// Check says whether text is well formed and uses none but the allowed names. Allowing Label allows
// every {{label.NAME}}.
func Check(text string, allowed ...string) error {
	return walk(text, func(_, name string) error {
		if name == "" || slices.Contains(allowed, name) && name != Label {
			return nil
		}
		if label, ok := strings.CutPrefix(name, labelPrefix); ok && label != "" && slices.Contains(allowed, Label) {
			return nil
		}
		return fmt.Errorf("{{%s}} is not known here, expected one of %s", name, list(allowed))
	})
}

func list(allowed []string) string {
	shown := make([]string, 0, len(allowed))
	for _, name := range allowed {
		if name == Label {
			name = labelPrefix + "NAME"
		}
		shown = append(shown, "{{"+name+"}}")
	}
	return strings.Join(shown, ", ")
}

// walk calls visit with each run of literal text and the placeholder after it; the name is empty
// after the last run.
func walk(text string, visit func(literal, name string) error) error {
	for rest := text; ; {
		literal, after, found := strings.Cut(rest, "{{")
		if !found {
			return visit(literal, "")
		}
		inside, tail, closed := strings.Cut(after, "}}")
		name := strings.TrimSpace(inside)
		switch {
		case !closed:
			return fmt.Errorf("%q has {{ without }}", text)
		case name == "" || strings.ContainsAny(name, "{}"):
			return fmt.Errorf("%q has a placeholder without a plain name, expected one such as {{id}}", text)
		}
		if err := visit(literal, name); err != nil {
			return err
		}
		rest = tail
	}
}
