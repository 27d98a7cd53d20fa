package prometheus

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
)

// vectorOf are series by their labels: "instance=web cluster=a".
func vectorOf(series ...string) (out model.Vector) {
	for _, s := range series {
		m := model.Metric{}
		for pair := range strings.FieldsSeq(s) {
			name, value, _ := strings.Cut(pair, "=")
			m[model.LabelName(name)] = model.LabelValue(value)
		}
		out = append(out, &model.Sample{Metric: m, Value: 1})
	}
	return out
}

// Series of more targets than a name stands for are found; labels of the metric itself are none.
func TestCrowd(t *testing.T) {
	for name, tc := range map[string]struct {
		label      string
		up, series []string
		asked      int
		says       string // empty where nothing is wrong
	}{
		"one target": {
			up: []string{"instance=web job=edge"}, series: []string{"instance=web job=edge"},
		},
		"another cluster": {
			up:     []string{"instance=web job=edge cluster=a", "instance=web job=edge cluster=b"},
			series: []string{"instance=web job=edge cluster=a", "instance=web job=edge cluster=b"},
			says:   `instance="web" has series of 2 targets instead of 1, by cluster ("a", "b"): name the right one in the query, as in cluster="b"`,
		},
		"four of them": {
			up:     []string{"instance=web cluster=a", "instance=web cluster=b", "instance=web cluster=c", "instance=web cluster=d"},
			series: []string{"instance=web cluster=a", "instance=web cluster=b", "instance=web cluster=c", "instance=web cluster=d"},
			says:   `4 targets instead of 1, by cluster ("a", "b", "c", …)`,
		},
		"another cluster under a label of its own": {
			up:     []string{"instance=web job=edge cell=a", "instance=web job=edge cell=b"},
			series: []string{"instance=web job=edge cell=a", "instance=web job=edge cell=b"},
			says:   `by cell ("a", "b")`,
		},
		"only the other cluster has the label": {
			up:     []string{"instance=web job=edge", "instance=web job=edge cluster=b"},
			series: []string{"instance=web job=edge", "instance=web job=edge cluster=b"},
			says:   `by cluster ("", "b"): name the right one in the query, as in cluster="b"`,
		},
		"another job, with the same metric": {
			up:     []string{"instance=web job=edge", "instance=web job=other"},
			series: []string{"instance=web job=edge", "instance=web job=other"},
			says:   `by job ("edge", "other")`,
		},
		"another job, with other metrics": {
			up: []string{"instance=web job=edge", "instance=web job=node"}, series: []string{"instance=web job=edge"},
		},
		"another cluster, without the metric": {
			up: []string{"instance=web cluster=a", "instance=web cluster=b"}, series: []string{"instance=web cluster=a"},
		},
		"another cluster of which only the metric came": {
			up: []string{"instance=web cluster=a"}, series: []string{"instance=web cluster=a", "instance=web cluster=b"},
			says: `2 targets instead of 1, by cluster ("a", "b")`,
		},
		"a label of the metric that says cluster": {
			up: []string{"instance=web job=edge"}, series: []string{"instance=web job=edge cluster=x", "instance=web job=edge cluster=y"},
		},
		"a namespace that the exporter says": {
			up: []string{"instance=web job=edge namespace=prod"}, series: []string{"instance=web job=edge namespace=x", "instance=web job=edge namespace=y"},
		},
		"nothing is known of who is up": {
			series: []string{"instance=web job=edge region=eu", "instance=web job=edge region=us"},
			says:   `by region ("eu", "us")`,
		},
		"nothing is known of who is up, another job": {
			series: []string{"instance=web job=edge", "instance=web job=other"}, says: `by job ("edge", "other")`,
		},
		"nothing is known of who is up, and it is one": {
			series: []string{"instance=web job=edge region=eu"},
		},
		"pods of two namespaces": {
			label: "pod", series: []string{"pod=web-0 namespace=prod", "pod=web-0 namespace=test"}, says: `pod="web-0" has series of 2 targets instead of 1, by namespace`,
		},
		"seen by several balancers": {
			label: "server", series: []string{"server=web-0 instance=lb-1 job=lb", "server=web-0 instance=lb-2 job=lb"},
		},
		"two programs on a host that is two targets": {
			up:     []string{"instance=web port=80", "instance=web port=81"},
			series: []string{"instance=web port=80", "instance=web port=81"}, asked: 2,
		},
		"three programs on a host that is two targets": {
			up:     []string{"instance=web port=80", "instance=web port=81", "instance=web port=82"},
			series: []string{"instance=web port=80", "instance=web port=81", "instance=web port=82"}, asked: 2,
			says: `3 targets instead of 2, by port ("80", "81", "82")`,
		},
		"one target that two servers read": {
			up:     []string{"instance=web prometheus_replica=a", "instance=web prometheus_replica=b"},
			series: []string{"instance=web prometheus_replica=a", "instance=web prometheus_replica=b"},
			says:   `by prometheus_replica ("a", "b"), so events count several times: let the server deduplicate, or name one in the query (prometheus_replica="b")`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			label := "instance"
			if tc.label != "" {
				label = tc.label
			}
			up, series := vectorOf(tc.up...), vectorOf(tc.series...)
			by := placesBy(label)
			for _, s := range up {
				for l := range s.Metric {
					by = append(by, string(l))
				}
			}
			by = append(by, "cell", "port")
			why := crowd(label, distinctOf(by, label), map[string]int{"web": tc.asked}, up, series)
			if tc.says == "" {
				require.Empty(t, why)
				return
			}
			require.Contains(t, why, tc.says)
		})
	}
}

// distinctOf are labels, each once, without one.
func distinctOf(by []string, but string) (out []string) {
	seen := map[string]bool{but: true}
	for _, l := range by {
		if !seen[l] {
			seen[l] = true
			out = append(out, l)
		}
	}
	return out
}

// A query that names what tells the targets apart, or says that it wants all, is answered.
func TestSharedNames(t *testing.T) {
	applied := time.Now().Add(-30 * time.Second)
	w := source.Window{From: applied, At: applied.Add(30 * time.Second)}
	two := `[{"metric":{"instance":"web:80","cluster":"a"},"value":[1,"1"]},{"metric":{"instance":"web:80","cluster":"b"},"value":[1,"1"]}]`
	all := `[{"metric":{"instance":"web:80"},"value":[1,"2"]}]`
	stamp := `[{"metric":{},"value":[1,"` + fmt.Sprint(w.At.Unix()) + `"]}]`
	server := world{
		{"timestamp", stamp},
		{"> 0", "[]"},
		{" unless ", "[]"},
		{"up{", two},
		{"count by (instance, cluster,", two},
		{"count by (instance, cluster_name,", all},
		{"[30s]", `[{"metric":{},"value":[1,"100"]}]`},
	}
	count := func(matchers string) source.Reading {
		return opened(t, server.ServeHTTP, applied).Count(
			t.Context(), "sum(increase(x{"+matchers+"$exposed}[$window]))", source.Exposed, w, source.EmptyIsUnknown)
	}
	require.Contains(t, count("").Why, `instance="web:80" has series of 2 targets`)
	require.True(t, count("").Impossible, "it refuses a start at once, and beside other checks that pass")
	require.Contains(t, count(`cluster=~"a|b",`).Why, `instance="web:80" has series of 2 targets`, "it is not said that all are wanted")
	require.Empty(t, count(`cluster=~".+",`).Why)
}
