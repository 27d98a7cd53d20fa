package edges

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/lab/stack"
)

// requestsPerSecond is the traffic on all edges together: enough for a verdict within seconds, and
// little for two cores.
const requestsPerSecond = 240

// routes are what clients ask for, each equally often.
func routes() []string { return []string{"/", "/search", "/static/app.js", "/checkout"} }

// Hit is an answer that clients got.
type Hit struct {
	Edge, Path string
	Code       string // "0" where there was none
	Slow       bool   // it took longer than slowFrom
}

// slowFrom is from when on an answer is slow: none of the service behind takes as long, unless its
// cache is off.
const slowFrom = 250 * time.Millisecond

// Traffic counts what clients get, while they get it. It is safe for concurrent use.
type Traffic struct {
	byAddress map[string]string // edge ids

	mu   sync.Mutex
	hits map[Hit]int
	err  error
}

// startTraffic runs two vegetas: one asks, one turns its results into text.
func (r *Rig) startTraffic(vegeta string) error {
	t := &Traffic{byAddress: map[string]string{}, hits: map[Hit]int{}}
	var requests strings.Builder
	for _, path := range routes() {
		for _, e := range r.Targets {
			t.byAddress[e.Address] = e.ID
			fmt.Fprintf(&requests, "GET http://%s%s\n", e.Address, path)
		}
	}
	list := filepath.Join(r.Dir, "requests.txt")
	if err := os.WriteFile(list, []byte(requests.String()), 0o644); err != nil {
		return err
	}
	pipe := filepath.Join(r.Dir, "vegeta.pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		return fmt.Errorf("create %s: %w", pipe, err)
	}
	attack := []string{
		"attack", "-targets=" + list, fmt.Sprintf("-rate=%d", requestsPerSecond), "-duration=0",
		"-connections=4", "-timeout=5s", "-max-body=0", "-output=" + pipe,
	}
	if err := r.Spawn(r.NewProcess("vegeta", vegeta, attack...)); err != nil {
		return err
	}
	out, in := io.Pipe()
	encode := stack.NewProcess("vegeta encode", in, vegeta, "encode", "-to=csv", pipe)
	if err := encode.Start(); err != nil {
		return err
	}
	r.OnClose(func() { encode.Kill(); _ = in.Close() }) // it reads for as long as the pipe is there
	go t.read(out)
	r.Traffic = t
	return nil
}

// read takes in vegeta's results, one line per answer.
func (t *Traffic) read(lines io.ReadCloser) {
	defer func() { _ = lines.Close() }() // whoever writes on is told
	records := csv.NewReader(lines)
	records.FieldsPerRecord = -1
	for {
		fields, err := records.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = t.count(fields)
		}
		if err != nil {
			t.mu.Lock()
			t.err = errors.Join(t.err, fmt.Errorf("read vegeta's results: %w", err))
			t.mu.Unlock()
			return
		}
	}
}

// The fields of `vegeta encode -to=csv` that are read here.
const (
	fieldCode = 1
	fieldTook = 2 // in nanoseconds
	fieldURL  = 10
)

func (t *Traffic) count(fields []string) error {
	if len(fields) <= fieldURL {
		return fmt.Errorf("%q is no result", strings.Join(fields, ","))
	}
	u, err := url.Parse(fields[fieldURL])
	if err != nil {
		return err
	}
	took, err := strconv.ParseInt(fields[fieldTook], 10, 64)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hits[Hit{Edge: t.byAddress[u.Host], Path: u.Path, Code: fields[fieldCode], Slow: time.Duration(took) >= slowFrom}]++
	return nil
}

// soFar is what clients got since the start.
func (t *Traffic) soFar() (map[Hit]int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.hits), t.err
}

// During is what clients got while something was done.
func (t *Traffic) During(do func() error) (map[Hit]int, error) {
	before, err := t.soFar()
	if err == nil {
		err = do()
	}
	if err != nil {
		return nil, err
	}
	got, err := t.soFar()
	for h, n := range before {
		if got[h] -= n; got[h] == 0 {
			delete(got, h)
		}
	}
	return got, err
}
