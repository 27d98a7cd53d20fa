package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// A place that is in the fleet twice is refused, however it is spelt; both ids and the place are
// named.
func TestOnePlaceTwice(t *testing.T) {
	at := func(url string) spec.Choice { return spec.Choose("http", driver.HTTP{URL: url}) }
	unitAt, gateway := "http://{{address}}/units/{{unit}}", "http://{{address}}/{{id}}/units/{{unit}}"
	run := func(argv ...string) spec.Choice {
		return spec.Choose("exec", driver.Exec{Observe: []string{"x"}, Apply: argv})
	}
	for name, tc := range map[string]struct {
		driver spec.Choice
		a, b   fleet.Target
		want   string
	}{
		"the same address":      {at(unitAt), fleet.Target{ID: "a", Address: "h:80"}, fleet.Target{ID: "b", Address: "h:80"}, "targets a (h:80) and b (h:80) are one place: the orders for both would go to http://h:80/units/"},
		"another spelling":      {at(unitAt), fleet.Target{ID: "a", Address: "Host.:80"}, fleet.Target{ID: "b", Address: "host:080"}, "one place"},
		"by a label":            {at("http://{{label.ip}}:1/{{unit}}"), fleet.Target{ID: "a", Address: "x:1", Labels: map[string]string{"ip": "h"}}, fleet.Target{ID: "b", Address: "y:1", Labels: map[string]string{"ip": "h"}}, "one place"},
		"a gateway":             {at(gateway), fleet.Target{ID: "a", Address: "h:80"}, fleet.Target{ID: "b", Address: "h:80"}, ""},
		"two ports":             {at(unitAt), fleet.Target{ID: "a", Address: "h:80"}, fleet.Target{ID: "b", Address: "h:81"}, ""},
		"a program":             {run("ssh", "{{address}}", "install", "{{release}}"), fleet.Target{ID: "a", Address: "h:80"}, fleet.Target{ID: "b", Address: "h:80"}, "one place: the orders for both would go to ssh h:80 install"},
		"a program by id":       {run("put", "{{id}}", "{{address}}"), fleet.Target{ID: "a", Address: "h:80"}, fleet.Target{ID: "b", Address: "h:80"}, ""},
		"a program's variables": {run("put"), fleet.Target{ID: "a", Address: "h:80"}, fleet.Target{ID: "b", Address: "h:80"}, ""},
		"ids in two cases":      {at(unitAt), fleet.Target{ID: "web-1", Address: "h:80"}, fleet.Target{ID: "WEB-1", Address: "h:81"}, `the ids "web-1" and "WEB-1" differ only in upper and lower case`},
	} {
		s := unit(spec.Stage{Name: "all", Reach: percent(100)})
		s.Driver.Choice = tc.driver
		_, err := plan.New(s, fleet.Fleet{Targets: []fleet.Target{tc.a, tc.b}}, spec.Kinds{Drivers: drivers})
		if tc.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, tc.want, name)
		var problem *plan.Error
		require.ErrorAs(t, err, &problem, name)
		require.Equal(t, "fleet", problem.Path)
	}
}

var drivers = []spec.Kind[spec.Settings]{
	{Name: "http", New: func() spec.Settings { return new(driver.HTTP) }},
	{Name: "exec", New: func() spec.Settings { return new(driver.Exec) }},
}
