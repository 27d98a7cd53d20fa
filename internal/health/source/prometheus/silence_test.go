package prometheus

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
)

// Rare errors that are counted no more are noticed in the end: by all the time in which targets run
// the release, in earlier stages, too.
func TestRareEventsThatVanish(t *testing.T) {
	since := time.Now().Add(-time.Hour).Truncate(time.Second)
	const bad = `sum(increase(x{code=~"5..",$exposed}[$window]))`
	perMinute := func(n float64) func(from, at time.Time) float64 {
		return func(from, at time.Time) float64 { return n * at.Sub(from).Minutes() }
	}
	burst := func(from, at time.Time) float64 { // of 60, ten minutes before the stage
		if when := since.Add(-10 * time.Minute); from.Before(when) && !at.Before(when) {
			return 60
		}
		return 0
	}
	for name, tc := range map[string]struct {
		before, control, shown func(from, at time.Time) float64 // shown is of the exposed in the stage
		after                  time.Duration
		scope                  source.Scope
		says                   string
	}{
		"too early to tell":                 {before: perMinute(1), control: perMinute(1), after: 5 * time.Minute},
		"half an hour tells":                {before: perMinute(1), control: perMinute(1), after: 30 * time.Minute, says: "about 30 were expected"},
		"so do earlier stages":              {before: perMinute(1), control: perMinute(1), after: 5 * time.Minute, scope: source.Scope{Ran: time.Hour}, says: "were expected"},
		"the others have none either":       {before: perMinute(1), control: perMinute(0), after: 30 * time.Minute},
		"one burst before is not usual":     {before: burst, control: perMinute(1), after: 30 * time.Minute},
		"an earlier attempt had none":       {before: perMinute(0), control: perMinute(1), after: 30 * time.Minute, scope: source.Scope{Earlier: []source.EarlierRun{{From: since.Add(-20 * time.Minute), To: since}}}, says: "were expected"},
		"some came, and a program restarts": {before: perMinute(1), control: perMinute(1), shown: perMinute(1), after: 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := source.Window{From: since.Add(tc.after - time.Minute), At: since.Add(tc.after)}
			count := func(r *http.Request) (n float64, ok bool) {
				q := r.Form.Get("query")
				seconds, _ := strconv.ParseFloat(r.Form.Get("time"), 64)
				at := time.UnixMilli(int64(1000 * seconds))
				long, err := model.ParseDuration(q[strings.Index(q, "[")+1 : strings.Index(q, "]")])
				require.NoError(t, err)
				from := at.Add(-time.Duration(long))
				switch {
				case strings.Contains(q, "other:80"):
					return tc.control(from, at), true
				case !at.After(since):
					return tc.before(from, at), true
				case tc.shown != nil && time.Duration(long) > time.Minute:
					return tc.shown(from, at), true
				}
				return 0, false
			}
			tc.scope.Since = since
			p := openedOf(t, func(rw http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				answer := world{{"> 0", "[]"}, {" unless ", "[]"}, {`timestamp(x{code!=""`, fmt.Sprintf(`[{"metric":{},"value":[1,"%d"]}]`, w.At.Unix())}}
				if q := r.Form.Get("query"); strings.HasPrefix(q, "sum(increase(x") {
					if n, ok := count(r); ok {
						answer = world{{"", fmt.Sprintf(`[{"metric":{},"value":[1,"%g"]}]`, n)}}
					}
				}
				answer.ServeHTTP(rw, r)
			}, tc.scope)
			got := p.Count(t.Context(), bad, source.Exposed, w, source.EmptyIsZero)
			if tc.says == "" {
				require.Empty(t, got.Verdict, got.Why)
				return
			}
			require.Contains(t, got.Why, tc.says)
		})
	}
}
