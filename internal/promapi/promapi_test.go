package promapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/promapi"
)

const answer = `{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`

// What is no answer of such an API is refused for good; what may go by is not.
func TestAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		status       int
		kind, header string
		body         string
		want         string
		final        bool
	}{
		"an answer":      {200, "application/json", "", answer, "", false},
		"html":           {200, "text/html", "", "<html>", `it answered "text/html", not JSON`, true},
		"a redirect":     {302, "", "", "", "redirects are not followed", true},
		"not there":      {404, "text/plain", "", "", "404 Not Found", true},
		"not allowed":    {403, "text/plain", "", "", "403 Forbidden", true},
		"busy":           {429, "text/plain", "30", "", "to be left alone for 30s", false},
		"busy, somehow":  {429, "text/plain", "", "", "429", false},
		"trouble inside": {500, "text/plain", "", "", "500", false},
		"a bad query":    {400, "application/json", "", `{"status":"error","errorType":"bad_data","error":"no"}`, "bad_data: no", true},
		"too much":       {200, "application/json", "", answer + strings.Repeat(" ", 2<<20), "more than 1 MiB", true},
		"cut":            {200, "application/json", "", answer[:20], "", false},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{tc.kind}
			if tc.header != "" {
				w.Header().Set("Retry-After", tc.header)
			}
			w.WriteHeader(tc.status)
			_, _ = w.Write([]byte(tc.body))
		}))
		c, err := promapi.New(s.URL, nil, 1<<20)
		require.NoError(t, err)
		require.Equal(t, strings.TrimPrefix(s.URL, "http://"), c.Host)
		_, _, _, err = c.Query(t.Context(), "1", time.Unix(1, 0))
		s.Close()
		if name == "an answer" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, tc.want, name)
		require.Equal(t, tc.final, promapi.Final(err), "%s: %v", name, err)
		busy, ok := errors.AsType[promapi.Busy](err)
		require.Equal(t, name == "busy", ok && time.Duration(busy) == 30*time.Second, name)
	}
}

func TestNewNeedsAHost(t *testing.T) {
	for _, base := range []string{"", "prometheus", "http://", "http://a b/"} {
		_, err := promapi.New(base, nil, 1)
		require.Error(t, err, base)
	}
	require.EqualError(t, promapi.Cause(fmt.Errorf("plain")), "plain")
}
