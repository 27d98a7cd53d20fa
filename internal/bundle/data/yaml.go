package data

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"go.yaml.in/yaml/v4"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// maxValues bounds how many values a file of YAML has, with those that aliases repeat.
const maxValues = 1_000_000

// readYAML reads a file of YAML: one document, with plain keys, without merge keys.
func readYAML(file string, content []byte) (*Value, error) {
	root, problems := strictyaml.Node(file, content, MaxBytes)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	r := yamlReader{file: file, scalars: map[*yaml.Node]any{}}
	return r.value(root, 0)
}

type yamlReader struct {
	file   string
	values int
	// scalars are those that were read: aliases may repeat each of them many times.
	scalars map[*yaml.Node]any
}

func (r *yamlReader) problem(n *yaml.Node, format string, args ...any) error {
	return strictyaml.Problem{File: r.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)}
}

func (r *yamlReader) value(n *yaml.Node, depth int) (*Value, error) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	v := &Value{Line: n.Line, Column: n.Column}
	if r.values++; r.values > maxValues {
		return nil, r.problem(n, "there are more than %d values, those that aliases repeat included", maxValues)
	}
	switch {
	case depth > maxDepth:
		return nil, r.problem(n, "values are nested more than %d deep", maxDepth)
	case n.Kind == yaml.SequenceNode:
		v.Kind = List
	case n.Kind == yaml.MappingNode:
		v.Kind = Mapping
	default:
		known, ok := r.scalars[n]
		if !ok {
			var err error
			if known, err = r.scalar(n); err != nil {
				return nil, err
			}
			r.scalars[n] = known
		}
		v.Scalar = known
		return v, nil
	}
	return v, r.items(v, n, depth)
}

func (r *yamlReader) items(v *Value, n *yaml.Node, depth int) error {
	step, seen := int(v.Kind), map[string]bool{} // a mapping has a key before each value
	for i := 0; i+step-1 < len(n.Content); i += step {
		if key := n.Content[i]; v.Kind == Mapping {
			switch {
			case key.Kind != yaml.ScalarNode:
				return r.problem(key, "a key is not plain text")
			case key.ShortTag() == "!!merge":
				return r.problem(key, "merge keys are not read, expected the fields written out")
			case seen[key.Value]:
				return r.problem(key, "duplicate key %s: readers differ in which of them counts", strictyaml.Quote(key.Value))
			}
			seen[key.Value] = true
			v.Keys = append(v.Keys, key.Value)
		}
		item, err := r.value(n.Content[i+step-1], depth+1)
		if err != nil {
			return err
		}
		v.Items = append(v.Items, item)
	}
	return nil
}

// scalar is the value of a text, as JSON would have it: a date is a text.
func (r *yamlReader) scalar(n *yaml.Node) (any, error) {
	var out any
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool", "!!int", "!!float":
		if err := n.Decode(&out); err != nil {
			return nil, r.problem(n, "%s is not what its tag says", strictyaml.Quote(n.Value))
		}
	}
	switch x := out.(type) {
	case bool:
		return x, nil
	case int, int64, uint64:
		return json.Number(fmt.Sprint(x)), nil
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, r.problem(n, "%s is not a number that JSON has", strictyaml.Quote(n.Value))
		}
		return json.Number(strconv.FormatFloat(x, 'g', -1, 64)), nil
	default:
		return n.Value, nil
	}
}
