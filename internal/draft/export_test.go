package draft

import "time"

// SeenPage is a look at a page of which nothing else is known.
func SeenPage(p Page) Seen {
	return Seen{Looked: true, From: "a page", Page: p, Probe: "/", source: "http://{{address}}/metrics"}
}

// SeenPrometheus is a look at the same by way of a Prometheus that knows all targets by a label.
func SeenPrometheus(p Page, label string) Seen {
	return Seen{
		Looked: true, From: "Prometheus at p:9090", Page: p, Probe: "/", Interval: 15 * time.Second, source: "http://p:9090",
		who: identity{label: label, template: "{{address}}", known: 6},
	}
}
