package rollout

import (
	"strings"
	"time"
	"unicode"
)

// ControlRequest is the payload of every signal. All of it may be missing, but for promote and
// give-up, which need By and Why.
type ControlRequest struct {
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
	// ID tells signals apart: one that arrives again, since its sender did not hear that it had
	// arrived, acts once. Without an id every one counts as another.
	ID string `json:"id,omitempty"`
	// Stage names the stage that approve and promote mean; empty means the one that waits.
	Stage string `json:"stage,omitempty"`
	// Since is when what the sender means has begun: the pause that a resume ends, the lock that a
	// retry-rollback is for. Zero means what is now.
	Since time.Time `json:"since,omitzero"`
	// Override lets promote pass a FAIL.
	Override bool `json:"override,omitempty"`
	// Within is how long a pause lasts at most, such as "4h": then the rollout goes back.
	Within string `json:"within,omitempty"`
}

// Control is a signal as it was received, and what came of it.
type Control struct {
	Signal string    `json:"signal"`
	By     string    `json:"by"`
	Why    string    `json:"why,omitempty"`
	Stage  string    `json:"stage,omitempty"`
	At     time.Time `json:"at"`
	// ID and Since are as in the request.
	ID    string    `json:"id,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Override is set on a promote that may pass a FAIL.
	Override bool `json:"override,omitempty"`
	// Until is the deadline of a pause; zero if it has none.
	Until  time.Time `json:"until,omitzero"`
	within string
	// Refused says why the signal had no effect; empty when it was taken.
	Refused string `json:"refused,omitempty"`
}

// Signed says that a person has given a name and a reason in words.
func (c Control) Signed() bool {
	return strings.ContainsFunc(c.By, unicode.IsLetter) && strings.ContainsFunc(c.Why, unicode.IsLetter)
}
