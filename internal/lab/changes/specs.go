package main

import "strings"

// rates are those of false rollbacks at which changes are judged, the first as a spec has it that
// says nothing.
var rates = []string{"0.1%", "1%", "5%"}

// at is a spec with a rate.
func at(rate, text string) string {
	return strings.Replace(text, "  recorded: {}\n", "  recorded: {}\n  falseRollbackRate: "+rate+"\n", 1)
}

// One spec for each set, by what its numbers are: a limit for counts as in the examples (20%), half
// as much again for numbers without counts, half of the requests; looks as often as there are
// numbers; a bake as long as the changes act. A series of which nobody says what it is has no limit
// but chance.
const (
	changeRCASpec = `unit: change
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: canary, count: 1, bake: 10m, decideWithin: 5m}
  - {name: all, reach: 100%, bake: 10m}
health:
  recorded: {}
  every: 1m
  warmup: 1m
  without: [alive]
  checks:
    - {name: success, bad: errors, total: requests, against: control, worse: 20%}
    - {name: latency, shift: {value: latency, against: control, rise: 50%}}
    - {name: cpu, shift: {value: cpu, against: control, rise: 50%}}
`
	scwarnSpec = `unit: change
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages: [{name: all, reach: 100%, bake: 10m, decideWithin: 5m}]
health:
  recorded: {}
  every: 1m
  without: [alive, traffic]
  checks:
    - {name: good, value: success_rate, min: 0.99, tolerate: 2}
    - {name: fast, value: duration, max: 1, tolerate: 2}
    - {name: success, shift: {value: success_rate, against: before, drop: 1%}}
    - {name: requests, shift: {value: ops, against: before, drop: 50%}}
    - {name: duration, shift: {value: duration, against: before, rise: 50%}}
    - {name: cpu, shift: {value: cpu, against: before, rise: 50%}}
`
	kontrastSpec = `unit: change
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages: [{name: all, reach: 100%, bake: 110m, decideWithin: 10m}]
health:
  recorded: {}
  every: 1m
  without: [alive, traffic]
  checks:
    - {name: kpi, shift: {value: kpi, against: before, season: [day, week], rise: 0%, drop: 0%}}
`
)
