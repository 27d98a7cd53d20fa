package rollout

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// A stage is a name in JSON, also where a workflow answers; what v0.1.0 wrote is read.
func TestStageIsAName(t *testing.T) {
	s := State{Unit: "edge", Stage: 2, Stages: []StageState{{Name: "everyone"}, {Name: "sweep"}, {Name: "sweep"}}}
	data, err := json.Marshal(s)
	require.NoError(t, err)
	require.Contains(t, string(data), `"stage":"sweep"`)
	var again State
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, s, again)

	var old State
	require.NoError(t, json.Unmarshal([]byte(`{"unit":"edge","stage":1,"stages":[{"name":"a"},{"name":"b"}]}`), &old))
	require.Equal(t, "b", old.StageName())
	require.Error(t, json.Unmarshal([]byte(`{"stage":{}}`), &old))

	carried, err := json.Marshal(struct {
		State State `json:"state"`
	}{s})
	require.NoError(t, err)
	require.Contains(t, string(carried), `"stageIndex":2`)
}
