package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/spec"
)

// Two rollouts of different units that would change the same one are not let run side by side.
func TestSharedUnits(t *testing.T) {
	running := func(unit, release string) *workflowpb.WorkflowExecutionInfo {
		e := execution(isRunning)
		e.Execution.WorkflowId = connect.WorkflowID(unit)
		e.SearchAttributes.IndexedFields[connect.AttrUnit.GetName()] = payload(strings.Split(unit, ":")[0])
		e.SearchAttributes.IndexedFields[connect.AttrRelease.GetName()] = payload(release)
		return e
	}
	for name, c := range map[string]struct {
		unit, release   string
		theirs, runs    string
		refused, follow string
	}{
		"a part alone":        {"shop", "app=2,features=3", "features", "sha256:7", "the rollout of features sha256:7 changes features, too", "sluice watch features"},
		"alone, and a part":   {"features", "7", "shop", "app=2,features=3", "the rollout of shop app=2,features=3 changes features, too", "sluice watch shop"},
		"a part of both":      {"shop", "app=2,features=3", "site", "pages=1,features=3", "changes features, too", "sluice watch site"},
		"a part in a train":   {"shop", "app=2,features=3", "features:3", "7", "the rollout of features:3 7 changes features, too", "sluice watch features:3"},
		"a train of ours":     {"features", "8", "features:3", "7", "", ""},
		"another run of ours": {"shop", "app=2,features=3", "shop", "app=1,features=3", "", ""},
		"nothing in common":   {"shop", "app=2,features=3", "site", "pages=1,rules=3", "", ""},
		"called as the whole": {"shop", "app=2,features=3", "site", "shop=1,rules=3", "", ""},
		"no parts":            {"shop", "2", "site", "shop=1", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			open := []*workflowpb.WorkflowExecutionInfo{running(c.theirs, c.runs)}
			f := &fakeTemporal{pages: []*workflowservice.ListWorkflowExecutionsResponse{{Executions: open}}}
			err := (&remote{client: f}).unshared(t.Context(), testConsole(&bytes.Buffer{}, &bytes.Buffer{}), spec.Spec{Unit: c.unit, Release: c.release})
			require.Contains(t, f.listed[0], "ExecutionStatus = 'Running'")
			if c.refused == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.refused)
			require.ErrorContains(t, err, c.follow)
		})
	}
}
