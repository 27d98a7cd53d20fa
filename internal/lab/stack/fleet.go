package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/lab/sim"
)

// FleetState is what the simulated targets say of themselves.
type FleetState struct {
	Now     time.Time         `json:"now"`
	Targets []sim.TargetState `json:"targets"`
}

// State asks every simulated target what it runs and has served.
func (s *Stack) State(ctx context.Context) (FleetState, error) {
	var st FleetState
	body, err := get(ctx, s.SimURL+"/state")
	if err != nil {
		return st, err
	}
	defer func() { _ = body.Close() }()
	return st, json.NewDecoder(body).Decode(&st)
}

// LeftWrong counts the targets that do not run the release, alive.
func (s *Stack) LeftWrong(ctx context.Context, release string) (int, error) {
	st, err := s.State(ctx)
	if err != nil {
		return 0, err
	}
	wrong := 0
	for _, t := range st.Targets {
		if t.Release != release || !t.Alive {
			wrong++
		}
	}
	return wrong, nil
}

// Orders are all orders that the simulated targets got, oldest first.
func (s *Stack) Orders(ctx context.Context) ([]sim.Entry, error) {
	body, err := get(ctx, s.SimURL+"/log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	var out []sim.Entry
	for dec := json.NewDecoder(body); dec.More(); {
		var e sim.Entry
		if err := dec.Decode(&e); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// Answers is an error unless a page can be read.
func Answers(ctx context.Context, url string) error {
	body, err := get(ctx, url)
	if err != nil {
		return err
	}
	return body.Close()
}

// get reads a page; the caller closes it.
func get(ctx context.Context, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return nil, fmt.Errorf("read %s: %s", url, res.Status)
	}
	return res.Body, nil
}
