package promapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How far an API's clock is ahead is what its time() says, else the Date of its answer.
func TestAhead(t *testing.T) {
	const off = 10 * time.Minute
	unix := func(d time.Duration) string {
		return fmt.Sprintf("%.3f", float64(time.Now().Add(d).UnixMilli())/1000)
	}
	scalar := func(at, value string) string {
		return fmt.Sprintf(`{"status":"success","data":{"resultType":"scalar","result":[%s,%q]}}`, at, value)
	}
	vector := func(at, value string) string {
		return fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%s,%q]}]}}`, at, value)
	}
	for name, tt := range map[string]struct {
		body   func() string
		status int
		date   time.Duration // beside the answer; 0 is none
		want   time.Duration
		late   time.Duration
		unsure bool
	}{
		"Prometheus, ahead":            {body: func() string { return scalar(unix(off), unix(off)) }, want: off},
		"behind":                       {body: func() string { return scalar(unix(-off), unix(-off)) }, want: -off},
		"as ours, nearly":              {body: func() string { return scalar(unix(time.Second/2), unix(time.Second/2)) }},
		"a series, delayed on purpose": {body: func() string { return vector(unix(off), unix(off-30*time.Second)) }, want: off, late: 30 * time.Second},
		"delayed, and does not say so": {body: func() string { return scalar(unix(-time.Minute), unix(-time.Minute)) }, date: time.Millisecond, late: time.Minute},
		"delayed both ways":            {body: func() string { return scalar(unix(-time.Minute), unix(-80*time.Second)) }, date: time.Millisecond, late: 80 * time.Second},
		"behind, and so is its Date":   {body: func() string { return scalar(unix(-time.Minute), unix(-time.Minute)) }, date: -time.Minute, want: -time.Minute},
		"time() before the Date":       {body: func() string { return scalar(unix(off), unix(off)) }, date: -time.Hour, want: off},
		"an error with a Date":         {body: func() string { return `{"status":"error"}` }, status: 422, date: off, want: off},
		"any number for any query":     {body: func() string { return vector("1", "0.02") }, date: -off, want: -off},
		"any number, and no Date":      {body: func() string { return vector(unix(0), "0.02") }, unsure: true},
		"NaN, and no Date":             {body: func() string { return vector(unix(0), "NaN") }, unsure: true},
		"nothing":                      {body: func() string { return vector("null", "") }, unsure: true},
		"HTML with a Date is refused":  {body: func() string { return "<html>" }, date: off, unsure: true},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("query") != "time()" {
					t.Errorf("asked %q", r.FormValue("query"))
				}
				w.Header()["Date"] = nil
				if tt.date != 0 {
					w.Header().Set("Date", time.Now().Add(tt.date).UTC().Format(http.TimeFormat))
				}
				body := tt.body()
				if body[0] == '{' {
					w.Header().Set("Content-Type", "application/json")
				}
				w.WriteHeader(max(tt.status, 200))
				_, _ = fmt.Fprint(w, body)
			}))
			t.Cleanup(srv.Close)
			c, err := New(srv.URL, nil, 1<<20)
			require.NoError(t, err)
			got, ok := c.Clock(t.Context(), time.Now)
			require.Equal(t, tt.unsure, !ok)
			require.InDelta(t, tt.want, got.Ahead, float64(2*time.Second))
			require.InDelta(t, tt.late, got.Late, float64(2*time.Second))
		})
	}
}
