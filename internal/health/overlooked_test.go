package health

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
)

// shares are how many of 10,000 requests have each value of a label, or values of labels as a page
// writes them.
type shares map[string]int

// renaming is a release that counts what happens by other values of labels.
type renaming struct {
	bad, total             string // matchers; `code=~"5.."` and none, where they are empty
	before, after, control shares
	last                   bool // no control is left
	want                   Verdict
	says                   string
}

// usual are requests of which 5 of 10,000 fail.
func usual() shares { return shares{"200": 9695, "404": 300, "500": 5} }

// renamings are releases that fail as ever, or 20% of requests under another name, or do well.
func renamings() map[string]renaming {
	word := shares{"200": 7700, "404": 300, "internal_error": 2000}
	const newCode = `a value of "code" is new since the stage and common: `
	outcome := shares{`outcome="ok"`: 9990, `outcome="error"`: 10}
	const byOutcome = `outcome="error"`
	return map[string]renaming{
		"nothing is renamed":               {after: usual(), want: Pass},
		"to a word":                        {after: word, want: NoData, says: newCode + `"internal_error" (`},
		"to a word, last stage":            {after: word, last: true, want: NoData, says: newCode},
		"to a class":                       {bad: `code=~"5[0-9][0-9]"`, after: shares{"200": 7700, "404": 300, "5xx": 2000}, want: NoData, says: newCode + `"5xx"`},
		"to a class that the regex has":    {after: shares{"200": 7700, "404": 300, "5xx": 2000}, want: Fail},
		"to another code that bad lacks":   {bad: `code="500"`, after: shares{"200": 7700, "404": 300, "502": 2000}, want: NoData, says: `"502"`},
		"to a code of clients":             {after: shares{"200": 7700, "404": 300, "499": 2000}, want: NoData, says: `"499"`},
		"some of them are":                 {after: shares{"200": 9100, "404": 300, "500": 300, "oops": 300}, want: NoData, says: `"oops" (`},
		"to many names, none common":       {after: shares{"200": 8900, "404": 300, "a": 200, "b": 200, "c": 200, "d": 200}, want: NoData, says: `values of "code" are new`},
		"the label is gone from errors":    {after: shares{"200": 7700, "404": 300, `status="500"`: 2000}, want: NoData, says: newCode + `"" (`},
		"the label is gone":                {after: shares{`status="200"`: 8000, `status="500"`: 2000}, want: NoData},
		"the control has it, too":          {after: word, control: word, want: Pass},
		"the time before had it":           {before: word, after: word, last: true, want: Pass},
		"it was there, but rare":           {before: shares{"200": 9690, "404": 300, "internal_error": 10}, after: word, want: NoData, says: newCode},
		"it is new and rare":               {after: shares{"200": 9600, "404": 300, "internal_error": 100}, want: Pass},
		"another success":                  {after: shares{"201": 9695, "404": 300, "500": 5}, want: Pass},
		"successes of any kind":            {after: shares{"200": 5000, "201": 2000, "204": 1500, "301": 1195, "404": 300, "500": 5}, want: Pass},
		"classes of successes":             {after: shares{"2xx": 9695, "4XX": 300, "500": 5}, want: Pass},
		"another answer of a usual class":  {before: shares{"200": 9000, "404": 1000}, control: shares{"200": 9000, "404": 1000}, after: shares{"200": 8800, "410": 1200}, want: Pass},
		"more answers of a rare class":     {after: shares{"200": 9000, "404": 300, "429": 700}, want: NoData, says: `"429"`},
		"a few odd codes before":           {before: shares{"200": 9900, "0": 100}, control: shares{"200": 9900, "0": 100}, after: shares{"201": 9900, "0": 100}, want: Pass},
		"words, errors renamed":            {bad: byOutcome, before: outcome, after: shares{`outcome="ok"`: 8000, `outcome="failure"`: 2000}, want: NoData, says: `a value of "outcome" is new since the stage and common: "failure"`},
		"words, successes renamed":         {bad: byOutcome, before: outcome, after: shares{`outcome="success"`: 9990, `outcome="error"`: 10}, want: NoData, says: `"success"`},
		"words, everything else is bad":    {bad: `outcome!="ok"`, before: outcome, after: shares{`outcome="ok"`: 8000, `outcome="failure"`: 2000}, want: Fail},
		"words, it is known":               {bad: `outcome="error",outcome!="success"`, before: outcome, after: shares{`outcome="success"`: 9990, `outcome="error"`: 10}, want: Pass},
		"words, it is known in total":      {bad: `outcome="error"`, total: `outcome!="skipped"`, before: outcome, after: shares{`outcome="ok"`: 7990, `outcome="skipped"`: 2000, `outcome="error"`: 10}, want: Pass},
		"words, total names all":           {bad: byOutcome, total: `outcome=~"ok|error"`, before: outcome, after: shares{`outcome="ok"`: 8000, `outcome="failure"`: 2000}, want: NoData, says: `"failure" (`},
		"a success among words":            {bad: byOutcome, before: outcome, after: shares{`outcome="200"`: 9990, `outcome="error"`: 10}, want: NoData, says: `"200"`},
		"two labels, one renamed":          {bad: `code=~"5..",kind="server"`, before: twoLabels("500", "server"), after: twoLabels("oops", "server"), want: NoData, says: newCode + `"oops"`},
		"two labels, both renamed":         {bad: `code=~"5..",kind="server"`, before: twoLabels("500", "server"), after: twoLabels("oops", "srv"), want: NoData, says: `code="oops" with kind="srv"`},
		"two labels, none renamed":         {bad: `code=~"5..",kind="server"`, before: twoLabels("500", "server"), after: usualTwo(), want: Pass},
		"a new path beside":                {bad: `outcome="error",path!="/healthz"`, before: paths("/a"), after: paths("/b"), want: Pass},
		"the same matchers in both":        {bad: `code=~"5..",job="web"`, total: `job="web"`, before: jobs("500"), after: jobs("oops"), want: NoData, says: newCode + `"oops"`},
		"other programs on the same pages": {bad: `code=~"5..",job="web"`, total: `job="web"`, before: jobs("500"), after: shares{`code="200",job="web"`: 9990, `code="oops",job="batch"`: 2000}, want: Pass},
	}
}

func twoLabels(code, kind string) shares {
	of := shares{`code="200",kind="client"`: 7700, `code="404",kind="client"`: 300, fmt.Sprintf("code=%q,kind=%q", code, kind): 2000}
	if code == "500" {
		return usualTwo()
	}
	return of
}

func usualTwo() shares {
	return shares{`code="200",kind="client"`: 9695, `code="404",kind="client"`: 300, `code="500",kind="server"`: 5}
}

func paths(path string) shares {
	return shares{fmt.Sprintf(`outcome="ok",path=%q`, path): 9990, fmt.Sprintf(`outcome="error",path=%q`, path): 10}
}

func jobs(code string) shares {
	n := 5
	if code != "500" {
		n = 2000
	}
	return shares{`code="200",job="web"`: 10_000 - n, fmt.Sprintf(`code=%q,job="web"`, code): n}
}

// series is a value as a page writes its labels.
func labelled(value string) string {
	if strings.Contains(value, "=") {
		return value
	}
	return fmt.Sprintf("code=%q", value)
}

// page shows so many times 10,000 requests.
func (s shares) page(n int) string {
	var out strings.Builder
	out.WriteString("# TYPE requests_total counter\n")
	for _, value := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&out, "requests_total{%s} %d\n", labelled(value), s[value]*n)
	}
	return out.String()
}

// check is a check of what the release does.
func (r renaming) check() (c spec.Check) {
	c = spec.Check{Name: "errors", Max: num(0.05), MinSamples: 100, Bad: "requests_total{code=~\"5..\"}", Total: "requests_total"}
	if r.bad != "" {
		c.Bad = "requests_total{" + r.bad + "}"
	}
	if r.total != "" {
		c.Total = "requests_total{" + r.total + "}"
	}
	return c
}

func (r renaming) shares() (before, control shares) {
	if before = r.before; before == nil {
		before = usual()
	}
	if control = r.control; control == nil {
		control = before
	}
	return before, control
}

// What a release counts under a new name must not be taken for health: on the targets' own pages.
func TestScrapeFindsNewValues(t *testing.T) {
	for name, tc := range renamings() {
		for _, restarts := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, restarted %v", name, restarts), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					before, control := tc.shares()
					f := newFarm(t, 6)
					exposed := 3
					if tc.last {
						exposed = 6
					}
					old := before.page(1000)
					f.page("*", old)
					h, b := quiet(scrapeSpec(tc.check())), f.binding(exposed)
					h.Source, h.Warmup = baselined(h, 10), 0
					past, err := f.open(t, h, b).Baseline(t.Context(), f.applied.Add(-time.Minute))
					require.NoError(t, err)
					b.Before = past
					m := f.open(t, h, b)
					var res Result
					for i := range 6 {
						if i == 4 { // another worker goes on
							kept := m.State()
							m = f.open(t, h, b)
							require.NoError(t, m.Restore(kept))
						}
						for j, target := range f.targets {
							switch {
							case j >= exposed:
								f.page(target.ID, control.page(1000+i))
							case restarts:
								f.page(target.ID, tc.after.page(i+1))
							default:
								f.page(target.ID, sum(before, 1000, tc.after, i))
							}
						}
						res = f.look(t, m, time.Duration(5*(i+1))*time.Second).Results[0]
					}
					require.Equal(t, tc.want, res.Verdict, res.Sentence)
					require.Contains(t, res.Sentence, tc.says)
				})
			})
		}
	}
}

// counting is a Prometheus that counts so many requests a second of the exposed targets, and of the
// control, from the stage on and before it.
func counting(before, after, control shares, since time.Time, asks *int) transport {
	return func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		query := form.Get("query")
		at, _ := strconv.ParseFloat(form.Get("time"), 64)
		tree, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		if err != nil {
			return nil, err
		}
		of := after
		switch {
		case !strings.Contains(query, `10\\.0\\.0\\.0:80`):
			of = control
		case at <= float64(since.Unix()):
			of = before
		}
		if strings.HasPrefix(query, "topk(") {
			*asks++
		}
		answer := vector()
		if !whose(query) && !strings.HasSuffix(query, " > 0") && !strings.Contains(query, "((clamp_min") || strings.HasPrefix(query, "topk(") {
			answer = of.answer(tree, at)
		}
		return replied(r, answer)
	}
}

// answer sums the requests of the first selector of a query by the labels of its sum, or says when
// they were sampled.
func (s shares) answer(tree parser.Expr, at float64) string {
	var by []string
	summed := false
	var picked *parser.VectorSelector
	long, stamps := 0.0, false
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.AggregateExpr:
			if n.Op == parser.SUM || n.Op == parser.MAX {
				if !summed {
					by = n.Grouping
				}
				summed = true
			}
		case *parser.Call:
			stamps = stamps || n.Func.Name == "timestamp"
		case *parser.MatrixSelector:
			if long == 0 {
				long = n.Range.Seconds()
			}
		case *parser.VectorSelector:
			if picked == nil {
				picked = n
			}
		}
		return nil
	})
	instances := []string{""}
	if slices.Contains(by, "instance") {
		for _, m := range picked.LabelMatchers {
			if m.Name == "instance" {
				instances = strings.Split(strings.ReplaceAll(m.Value, "\\", ""), "|")
			}
		}
	}
	sums := map[string]float64{}
	for value, n := range s {
		has := map[string]string{}
		_, matchers, _ := promql.ParseSelector("x{" + labelled(value) + "}")
		for _, m := range matchers {
			has[m.Name] = m.Value
		}
		if slices.ContainsFunc(picked.LabelMatchers, func(m *labels.Matcher) bool {
			return m.Name != "instance" && m.Name != "__name__" && !m.Matches(has[m.Name])
		}) {
			continue
		}
		for _, has["instance"] = range instances {
			var key []string
			for _, l := range by {
				if has[l] != "" {
					key = append(key, fmt.Sprintf("%q:%q", l, has[l]))
				}
			}
			sums[strings.Join(key, ",")] += float64(n) / 100 * long / float64(len(instances))
		}
	}
	var out []string
	for key, n := range sums {
		if stamps {
			n = at
		}
		out = append(out, fmt.Sprintf(`{"metric":{%s},"value":[1772366460,"%f"]}`, key, n))
	}
	return success("vector", "["+strings.Join(out, ",")+"]")
}

// The same by a Prometheus, in every form of check that picks bad events.
func TestPrometheusFindsNewValues(t *testing.T) {
	forms := map[string]func(*spec.Check){
		"max":     func(*spec.Check) {},
		"each":    func(c *spec.Check) { c.Each = spec.EachTarget },
		"control": func(c *spec.Check) { c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(0.5) },
	}
	for name, tc := range renamings() {
		for form, of := range forms {
			t.Run(name+", "+form, func(t *testing.T) {
				before, control := tc.shares()
				c := tc.check()
				of(&c)
				c.Bad, c.Total = asked(c, c.Bad), asked(c, c.Total)
				if form != "max" && name != "to a word" && name != "another success" {
					t.Skip("two members suffice")
				}
				exposed := 4
				if tc.last {
					exposed = 8
				}
				b, asks := promBinding(8, exposed), 0
				past, err := opened(t, promSpec(c), b, counting(before, tc.after, control, b.Since, &asks)).Measure(t.Context(), b.Since)
				require.NoError(t, err)
				b.Before, asks = past, 0
				m := opened(t, promSpec(c), b, counting(before, tc.after, control, b.Since, &asks))
				r, err := m.Look(t.Context(), looked)
				require.NoError(t, err)
				res := r.Results[0]
				require.LessOrEqual(t, asks, 2, "and one only where nothing is new")
				if tc.want == Pass && tc.control == nil {
					require.LessOrEqual(t, asks, 1)
				}
				if form == "control" { // a single look is not enough to pass
					res = m.stage.overlooked(t.Context(), c, Look{Window: m.stage.window(looked, b.Since)}, Judged{Result: Result{Verdict: Pass}}).Result
				}
				require.Equal(t, tc.want, res.Verdict, res.Sentence)
				require.Contains(t, res.Sentence, tc.says)
			})
		}
	}
}

// asked is a selector of pages as a query.
func asked(c spec.Check, selector string) string {
	name, rest, _ := strings.Cut(strings.TrimSuffix(selector, "}"), "{")
	if rest != "" {
		rest += ","
	}
	by := ""
	if c.Each != "" {
		by = " by (instance) "
	}
	return fmt.Sprintf("sum%s(increase(%s{%s$exposed}[$window]))", by, name, rest)
}

func opened(t *testing.T, h spec.Health, b Binding, transport http.RoundTripper) *Evaluator {
	t.Helper()
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Transport: transport})
	require.NoError(t, err)
	return m
}

// sum is a page that has shown some requests and then others.
func sum(some shares, n int, others shares, m int) string {
	all := shares{}
	for value, k := range some {
		all[labelled(value)] += n * k
	}
	for value, k := range others {
		if all[labelled(value)] += m * k; all[labelled(value)] == 0 {
			delete(all, labelled(value))
		}
	}
	return all.page(1)
}
