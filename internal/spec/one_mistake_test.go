package spec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// TestOneMistakeOneProblem spoils every value of every valid spec in turn, in several ways, and
// expects at most one problem: what follows from a value that is wrong is no news.
func TestOneMistakeOneProblem(t *testing.T) {
	for name, data := range cases(t, "testdata/valid") {
		var root yaml.Node
		require.NoError(t, yaml.Unmarshal(data, &root))
		refused := 0
		for _, n := range scalars(&root) {
			was := *n
			for _, bad := range []string{"~", "-1", "0", "0s", "0%", "-5m", "5 minutes", "1h", "8000h", "10000%", "", "(", "[]", "x y"} {
				n.Value, n.Tag, n.Style = bad, "", 0
				if bad == "" || bad == "(" {
					n.Style = yaml.DoubleQuotedStyle
				}
				text, err := yaml.Marshal(&root)
				require.NoError(t, err)
				_, err = parse(name+".yaml", text)
				if err == nil {
					continue
				}
				refused++
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("%s:%d: %q in the place of %q:\n%s", name, was.Line, bad, was.Value, err)
				}
			}
			*n = was
		}
		require.Positive(t, refused, name)
	}
}

// TestOneKeyOneProblem misspells every key of every valid spec in turn. Without a key that others
// mean something beside, every one of them may be told.
func TestOneKeyOneProblem(t *testing.T) {
	for name, data := range cases(t, "testdata/valid") {
		var root yaml.Node
		require.NoError(t, yaml.Unmarshal(data, &root))
		for _, m := range mappings(&root) {
			all := m.Content
			for i := 0; i < len(all); i += 2 {
				was := all[i].Value
				all[i].Value += "z"
				text, err := yaml.Marshal(&root)
				require.NoError(t, err)
				_, err = parse(name+".yaml", text)
				if err != nil && strings.Contains(err.Error(), "\n") {
					t.Errorf("%s:%d: %s misspelt:\n%s", name, all[i].Line, was, err)
				}
				all[i].Value = was
			}
		}
	}
}

// mappings are all mappings.
func mappings(n *yaml.Node) (all []*yaml.Node) {
	if n.Kind == yaml.MappingNode {
		all = append(all, n)
	}
	for _, c := range n.Content {
		all = append(all, mappings(c)...)
	}
	return all
}

// scalars are all values that are no keys.
func scalars(n *yaml.Node) []*yaml.Node {
	switch n.Kind {
	case yaml.ScalarNode:
		return []*yaml.Node{n}
	case yaml.MappingNode:
		var all []*yaml.Node
		for i := 1; i < len(n.Content); i += 2 {
			all = append(all, scalars(n.Content[i])...)
		}
		return all
	}
	var all []*yaml.Node
	for _, c := range n.Content {
		all = append(all, scalars(c)...)
	}
	return all
}

// TestOneUnknownKindOneProblem names kinds that this build has not got: that nothing stands there
// is no news.
func TestOneUnknownKindOneProblem(t *testing.T) {
	const good = `unit: edge
release: "1"
fleet: {file: fleet.yaml}
driver: {http: {}}
stages: [{name: all, reach: 100%, bake: 5m}]
health:
  scrape: {}
  checks:
    - {name: errors, bad: e, total: t, max: 1%}
    - {name: answers, probe: {http: "http://{{address}}/"}}
`
	_, err := parse("f.yaml", []byte(good))
	require.NoError(t, err)
	for was, unknown := range map[string]string{
		"http: {}": "no-such-driver: {}", "file: fleet.yaml": "no-such-list: edge", "scrape: {}": "no-such-source: {}",
		"probe: {http": "no-such-form: {http", "max: 1%": "ceiling: 1%",
		"http: \"http": "icmp: \"http",
	} {
		_, err := parse("f.yaml", []byte(strings.Replace(good, was, unknown, 1)))
		require.ErrorContains(t, err, "unknown field")
		require.NotContains(t, err.Error(), "\n", unknown)
	}
}
