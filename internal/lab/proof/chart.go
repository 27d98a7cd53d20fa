package main

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/simulate/outages"
)

// A panel is an outage: the share of the fleet exposed to harm, by time since the deployment began.
// Both axes are logarithmic, since half a minute and ten days, and one target and all, are in one
// picture.
const (
	panelWidth, panelHeight = 300, 150
	leftEdge, topEdge       = 44, 26
	plotWidth, plotHeight   = 244, 96
	perRow                  = 3
	legendHeight            = 40
)

var (
	earliest, latest = 10 * time.Second, 12 * 24 * time.Hour
	least            = 0.005
)

const style = `<style>
text{font:11px system-ui,sans-serif;fill:#57606a}.t{font-weight:600;fill:#1f2328}
path{fill:none;stroke-width:1.6;stroke-linejoin:round}.g{stroke:#d0d7de;stroke-width:.6}
.w0{stroke:#cf222e}.w1{stroke:#bc4c00}.w2{stroke:#8250df}.w3{stroke:#0969da}.w4{stroke:#1a7f37;stroke-width:2.6}
@media(prefers-color-scheme:dark){text{fill:#9198a1}.t{fill:#f0f6fc}.g{stroke:#3d444d}
.w0{stroke:#ff7b72}.w1{stroke:#f0883e}.w2{stroke:#d2a8ff}.w3{stroke:#79c0ff}.w4{stroke:#56d364}}
</style>
`

// chart draws every outage.
func chart(results []result) string {
	results = harmful(results)
	rows := (len(results) + perRow - 1) / perRow
	width, height := perRow*panelWidth, legendHeight+rows*panelHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" `+
		`aria-label="Share of the fleet exposed to harm over time, by outage and way">`+"\n", width, height)
	b.WriteString(style)
	legend(&b)
	for i, r := range results {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%perRow*panelWidth, legendHeight+i/perRow*panelHeight)
		panel(&b, r)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func legend(b *strings.Builder) {
	x := leftEdge
	for i, w := range outages.Ways() {
		fmt.Fprintf(b, `<path class="w%d" d="M%d 14h18"/><text x="%d" y="18">%s</text>`+"\n", i, x, x+23, html.EscapeString(string(w)))
		x += 45 + 6*len(w)
	}
	fmt.Fprintf(b, `<text x="%d" y="34">share of the fleet exposed to harm, by time since the deployment began</text>`+"\n", leftEdge)
}

func panel(b *strings.Builder, r result) {
	fmt.Fprintf(b, `<text class="t" x="%d" y="16">%s</text>`+"\n", leftEdge, html.EscapeString(r.Outage.Name))
	for _, share := range []float64{1, 0.1, 0.01} {
		fmt.Fprintf(b, `<path class="g" d="M%d %.0fh%d"/><text x="%d" y="%.0f" text-anchor="end">%.0f%%</text>`+"\n",
			leftEdge, up(share), plotWidth, leftEdge-4, up(share)+4, 100*share)
	}
	for _, tick := range []struct {
		at   time.Duration
		name string
	}{{time.Minute, "1 min"}, {10 * time.Minute, "10 min"}, {time.Hour, "1 h"}, {10 * time.Hour, "10 h"}, {100 * time.Hour, "100 h"}} {
		fmt.Fprintf(b, `<path class="g" d="M%.0f %dv%d"/><text x="%.0f" y="%d" text-anchor="middle">%s</text>`+"\n",
			across(tick.at), topEdge, plotHeight, across(tick.at), topEdge+plotHeight+14, tick.name)
	}
	for i, p := range r.Ways {
		line(b, i, p.Curve)
	}
	line(b, len(r.Ways), r.Gated[0].Curve)
}

// line draws a way. Those that do the same lie side by side.
func line(b *strings.Builder, way int, curve []simulate.Point) {
	if len(curve) == 0 {
		return
	}
	beside := 1.5 * float64(way)
	base := up(least)
	fmt.Fprintf(b, `<path class="w%d" d="M%d %.0f`, way, leftEdge, base)
	last, began := base, curve[0].At
	for i, p := range curve {
		y := base
		if p.Harmed > 0 {
			y = min(base, up(max(p.Exposed, p.Harmed))+beside)
		}
		x := across(p.At.Sub(began))
		if at := math.Round(y); at != math.Round(last) {
			fmt.Fprintf(b, "H%.0fV%.0f", x, y)
			last = y
		}
		if i == len(curve)-1 {
			fmt.Fprintf(b, "H%.0f", across(p.At.Sub(began)+time.Minute))
		}
	}
	fmt.Fprintf(b, "V%.0f\"/>\n", base)
}

// across and up are places of a time and of a share.
func across(d time.Duration) float64 {
	d = min(max(d, earliest), latest)
	return leftEdge + plotWidth*math.Log(float64(d)/float64(earliest))/math.Log(float64(latest)/float64(earliest))
}

func up(share float64) float64 {
	return topEdge + plotHeight*math.Log(1/max(share, least))/math.Log(1/least)
}
