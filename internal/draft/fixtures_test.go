package draft_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/draft"
	"github.com/sluicehq/sluice/internal/fleet"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	require.NoError(t, err)
	return data
}

func readPage(t *testing.T, name string) draft.Page {
	t.Helper()
	kind := "text/plain; version=0.0.4"
	if name == "openmetrics" {
		kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	}
	p, err := draft.ReadPage(read(t, name), kind)
	require.NoError(t, err)
	return p
}

func targets(n int) []fleet.Target {
	var out []fleet.Target
	for i := range n {
		out = append(out, fleet.Target{
			ID: fmt.Sprintf("web-%d", i+1), Address: fmt.Sprintf("10.1.%d.%d:8080", i/250, i%250+1),
			Labels: map[string]string{"region": []string{"eu", "us"}[i%2], "metrics": fmt.Sprintf("10.1.%d.%d:9100", i/250, i%250+1)},
		})
	}
	return out
}

func options() draft.Options {
	return draft.Options{Unit: "edge", Release: "2.0.0", Driver: "http", Fleet: "fleet.yaml", Targets: targets(6), Bake: 10 * time.Minute}
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
