package rollout

import "encoding/json"

// stateFields are a state's, without its methods.
type stateFields State

// MarshalJSON names the current stage. Its index goes along, since sweeps share a name.
func (s State) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		stateFields
		Stage string `json:"stage"`
		Index int    `json:"stageIndex,omitempty"`
	}{stateFields(s), s.StageName(), s.Stage})
}

// UnmarshalJSON reads what MarshalJSON writes, and what v0.1.0 wrote: only the index.
func (s *State) UnmarshalJSON(data []byte) error {
	in := struct {
		*stateFields
		Stage json.RawMessage `json:"stage"`
		Index int             `json:"stageIndex"`
	}{stateFields: (*stateFields)(s)}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if s.Stage = in.Index; len(in.Stage) > 0 && in.Stage[0] != '"' && string(in.Stage) != "null" {
		return json.Unmarshal(in.Stage, &s.Stage)
	}
	return nil
}
