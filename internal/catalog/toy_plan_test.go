package catalog_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// gossip is a toy form of check, which asks targets at an address, if it has one, and somebody else
// what to make of that.
type gossip struct {
	At string `yaml:"at,omitempty" json:"at"`
}

func (*gossip) Check(spec.Section)      {}
func (*gossip) SetDefaults()            {}
func (*gossip) Traits() spec.FormTraits { return spec.FormTraits{Opaque: true} }

func (g *gossip) AddressUses() []spec.AddressUse {
	if g.At == "" {
		return nil
	}
	return []spec.AddressUse{{Path: "at", Template: g.At}}
}

// A plan asks a form's registration what the form sees, and knows no form by name.
func TestToyFormInPlan(t *testing.T) {
	c := catalog.New()
	c.Forms = append(c.Forms, health.Form{Name: "gossip", New: func() spec.FormSettings { return new(gossip) }})
	const (
		fails   = "requests that fail: no check has bad and total"
		opaque  = "; what checks with gossip look at is not known"
		nobody  = "a program that is alive and answers nobody: no check has a probe"
		webhook = `{name: mine, webhook: {url: "http://judge/"}}`
	)
	for check, want := range map[string]struct {
		fails string
		dead  bool
	}{
		"{name: low, value: load, max: 1}": {fails, true},
		`{name: told, gossip: {}}`:         {fails + opaque, true},
		`{name: told, advisory: true, gossip: {}}, {name: low, value: load, max: 1}`: {fails, true},
		`{name: told, gossip: {at: "http://{{address}}/"}}`:                          {fails + opaque, false},
		`{name: told, gossip: {at: "http://{{address}}/"}},` + webhook: {
			fails + "; what checks with webhook and gossip look at is not known", false,
		},
	} {
		doc, err := spec.Parse("f.yaml", []byte("unit: edge\nrelease: a\nfleet: fleet.yaml\ndriver: {http: {}}\n"+
			"stages: [{name: all, reach: 100%, bake: 20m}]\nhealth: {scrape: {}, without: [traffic], checks: ["+check+"]}\n"), c.Kinds())
		require.NoError(t, err, check)
		blind := plan.Blind(doc.Spec, c.Kinds(), 50)
		require.Equal(t, want.fails, blind[0], check)
		require.Equal(t, want.dead, slices.Contains(blind, nobody), "%s: %q", check, blind)
	}
}
