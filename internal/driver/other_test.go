package driver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// A target that says that it is another one, or answers for another unit, is not that target; one
// that says nothing is taken at its address.
func TestWhoAnswers(t *testing.T) {
	target := fleet.Target{ID: "rack/1"}
	for name, tc := range map[string]struct {
		id, unit string
		other    bool
	}{
		"says nothing": {"", "", false},
		"itself":       {"rack/1", "edge", false},
		"another":      {"rack/2", "edge", true},
		"another unit": {"rack/1", "billing", true},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				if r.Header.Get(driver.TargetHeader) != "rack%2F1" || tc.other {
					w.WriteHeader(http.StatusMisdirectedRequest)
				}
				return
			}
			_, _ = fmt.Fprintf(w, `{"release":"1","alive":true,"id":%q,"unit":%q}`, tc.id, tc.unit)
		}))
		t.Cleanup(srv.Close)
		h := driver.HTTP{URL: srv.URL, Timeout: spec.Duration(5 * time.Second)}
		x := driver.Exec{
			Observe: []string{"/bin/sh", "-c", fmt.Sprintf("echo 1; echo id=%s; echo unit=%s", tc.id, tc.unit)}, Timeout: h.Timeout,
		}
		for _, d := range []driver.Driver{h.Driver(http.DefaultTransport), x.Driver(nil)} {
			_, err := d.Observe(t.Context(), target, "edge")
			if !tc.other {
				require.NoError(t, err, name)
				continue
			}
			require.ErrorIs(t, err, driver.ErrOther, name)
			require.NotErrorIs(t, err, driver.ErrRefused, name)
		}
		err := h.Driver(http.DefaultTransport).Apply(t.Context(), target, driver.Order{Unit: "edge", Release: "2", Fence: 1})
		require.Equal(t, tc.other, err != nil, name)
		if tc.other {
			require.ErrorIs(t, err, driver.ErrOther, name)
		}
	}
}
