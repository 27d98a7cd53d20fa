package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Entry is one order that reached a target, or one change behind everybody's back.
type Entry struct {
	Time    time.Time `json:"time"`
	Target  string    `json:"target"`
	Release string    `json:"release"`
	Fence   int64     `json:"fence"`
	// Accepted is false when the target refused the order; Status is what it answered, Reason its
	// words.
	Accepted bool   `json:"accepted"`
	Status   int    `json:"status,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Drift marks a change that no order asked for.
	Drift bool `json:"drift,omitempty"`
}

// header is the first line of a journal: what the rest depends on.
type header struct {
	Start   time.Time `json:"start"`
	Seed    uint64    `json:"seed"`
	Targets int       `json:"targets"`
	Unit    string    `json:"unit"`
	Release string    `json:"release"`
	RPS     float64   `json:"rps"`
}

// journal keeps every entry, in memory and, with a folder, in a file that is only ever appended to.
// All else follows from it: traffic is a function of time.
type journal struct {
	mu      sync.Mutex
	entries []Entry
	file    *os.File
}

// openJournal reads what is there, or begins a new one; in that case the header is h itself.
// Without a folder nothing is kept on disk.
func openJournal(dir string, h header) (*journal, header, error) {
	if dir == "" {
		return &journal{}, h, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, h, fmt.Errorf("state: %w", err)
	}
	path := filepath.Join(dir, "sim.jsonl")
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, h, fmt.Errorf("state: %w", err)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1] // a last line cut short by a kill was never answered
	j := &journal{}
	if len(whole) > 0 {
		if h, err = j.replay(whole, h); err != nil {
			return nil, h, fmt.Errorf("%s: %w", path, err)
		}
	}
	if j.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return nil, h, fmt.Errorf("state: %w", err)
	}
	if err = j.file.Truncate(int64(len(whole))); err == nil && len(whole) == 0 {
		err = j.write(h)
	}
	if err != nil {
		return nil, h, errors.Join(fmt.Errorf("state: %w", err), j.file.Close())
	}
	return j, h, nil
}

func (j *journal) replay(data []byte, want header) (header, error) {
	var got header
	for i, line := range bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		if i == 0 {
			if err := json.Unmarshal(line, &got); err != nil {
				return want, fmt.Errorf("line 1: %w", err)
			}
			want.Start = got.Start
			if got != want {
				return want, fmt.Errorf("the state is of another simulation (%+v), expected %+v: use the same flags or another folder",
					got, want)
			}
			continue
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return want, fmt.Errorf("line %d: %w", i+1, err)
		}
		j.entries = append(j.entries, e)
	}
	return got, nil
}

func (j *journal) write(line any) error {
	if j.file == nil {
		return nil
	}
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = j.file.Write(append(data, '\n')) // one write, so that a kill cuts at most the last line
	return err
}

func (j *journal) add(e Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(e); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	j.entries = append(j.entries, e)
	return nil
}

func (j *journal) all() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
