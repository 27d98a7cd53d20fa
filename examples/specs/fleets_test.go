package specs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
)

// What other tools list becomes a fleet with one line of jq each.
func TestFleetsOfOtherTools(t *testing.T) {
	jq, err := exec.LookPath("jq")
	if err != nil && os.Getenv("SLUICE_REQUIRE_E2E") == "" {
		t.Skip("not run: needs jq")
	}
	require.NoError(t, err)
	programs, err := filepath.Glob("../fleets/*.jq")
	require.NoError(t, err)
	require.Len(t, programs, 5)
	for _, program := range programs {
		out, err := exec.CommandContext(t.Context(), jq, "-f", program, strings.TrimSuffix(program, ".jq")+".json").Output()
		require.NoError(t, err, program)
		f, err := fleet.Parse(program, out)
		require.NoError(t, err)
		require.NotEmpty(t, f.LabelValues(), program)
	}
}
