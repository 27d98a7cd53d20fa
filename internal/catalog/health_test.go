package catalog_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// moon is a toy source, which has settings and counts as many events as they say.
type moon struct {
	Phase int `yaml:"phase" json:"phase"`
}

func (*moon) Check(spec.Section)        {}
func (*moon) SetDefaults(spec.Spec)     {}
func (*moon) Traits() spec.SourceTraits { return spec.SourceTraits{Language: spec.Selectors{}} }

// sky is a moon that was opened. It has what every source has, and none of the rest.
type sky struct {
	source.None
	events float64
}

func (s sky) Count(context.Context, string, source.Arm, source.Window, source.OnEmpty) source.Reading {
	return source.Reading{Value: s.events}
}

func (s sky) Gauge(context.Context, string, source.Window) source.Reading {
	return source.Reading{Value: s.events}
}

// tide is a toy form of check, with settings of its own: the source's number is below them.
type tide struct {
	Below spec.Number `yaml:"below" json:"below"`
}

func (*tide) Check(spec.Section)      {}
func (*tide) SetDefaults()            {}
func (*tide) Traits() spec.FormTraits { return spec.FormTraits{Source: true} }

type tideCheck struct {
	stage *health.Stage
	tide  tide
}

func (c tideCheck) Judge(ctx context.Context, at health.Look) health.Judged {
	r := c.stage.Source().Gauge(ctx, "tide", at.Window)
	out := health.Judged{Result: health.Result{Verdict: health.Pass, Sentence: "the tide is low"}}
	if r.Value >= float64(c.tide.Below) {
		out.Verdict, out.Breach = health.Fail, true
	}
	return out
}

// A source and a form of check that nobody else knows are each one line in the catalog.
func TestToySourceAndForm(t *testing.T) {
	c := catalog.New()
	c.Sources = append(c.Sources, source.Kind{
		Name: "moon", New: func() spec.SourceSettings { return new(moon) },
		Open: func(h spec.Health, _ source.Scope, _ source.Deps) (source.Source, error) {
			var m moon
			err := h.Source.Decode(&m)
			return sky{source.None{Every: h.Every}, float64(m.Phase)}, err
		},
	})
	c.Forms = append(c.Forms, health.Form{
		Name: "tide", New: func() spec.FormSettings { return new(tide) },
		Open: func(s *health.Stage, of spec.Check) (health.Check, error) {
			out := tideCheck{stage: s}
			err := of.Form.Decode(&out.tide)
			return out, err
		},
	})
	for phase, want := range map[string]health.Verdict{"3": health.Pass, "9": health.Fail} {
		doc, err := spec.Parse("toy.yaml", []byte("unit: edge\nrelease: \"2\"\nfleet: fleet.yaml\ndriver: {http: {}}\n"+
			"stages: [{name: all, reach: 100%, bake: 1m}]\n"+
			"health:\n  moon: {phase: "+phase+"}\n  without: [alive, traffic]\n  checks:\n    - {name: low, tide: {below: 5}}\n    - {name: high, value: x, max: 100}\n"), c.Kinds())
		require.NoError(t, err)
		now := time.Now()
		b := health.Binding{Scope: source.Scope{Unit: "edge", Stage: "all", Exposed: []fleet.Target{{ID: "t"}}, Since: now.Add(-time.Hour)}}
		e, err := health.Open(doc.Spec.Health, b, c.Health())
		require.NoError(t, err)
		r, err := e.Look(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, want, r.Results[0].Verdict, r.Results[0].Sentence)
		require.Equal(t, health.Pass, r.Results[1].Verdict, r.Results[1].Sentence)
	}
}

// A form that this build does not know is not judged by the known fields that stand beside it.
func TestUnknownFormBesideKnownFields(t *testing.T) {
	for _, check := range []string{`{"name":"e","no-such-form":{}}`, `{"name":"e","no-such-form":{"of":"y"},"value":"x","max":2}`} {
		var h spec.Health
		require.NoError(t, json.Unmarshal([]byte(`{"every":"1s","without":["alive","traffic"],"checks":[`+check+`]}`), &h))
		now := time.Now()
		b := health.Binding{Scope: source.Scope{Unit: "edge", Stage: "all", Exposed: []fleet.Target{{ID: "t"}}, Since: now.Add(-time.Hour)}}
		e, err := health.Open(h, b, catalog.New().Health())
		require.NoError(t, err)
		r, err := e.Look(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, health.NoData, r.Results[0].Verdict, check)
		require.Contains(t, r.Results[0].Sentence, "asks nothing that is known here", check)
	}
}
