package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// requestsPerMinute is how many a pod is taken to serve each of its callers: ChangeRCA has no
// numbers of requests.
const requestsPerMinute = 60

// experiment is a file DAY_N.json of ChangeRCA.
type experiment struct {
	Plan map[string]struct {
		Release int64           `json:"release_time"`
		Process map[string]step `json:"process"`
	} `json:"plan"`
	Fault string `json:"fault"`
	Bad   string `json:"fault_release_service"`
}

// step is one of a canary's: pods are released, as many are deleted.
type step struct {
	Released  []string `json:"release_pod"`
	Deleted   []string `json:"delete_pod"`
	Completed int64    `json:"release_complete_timestamp"`
}

// readChangeRCA reads all experiments below a folder, in order of their names.
func readChangeRCA(folder string) ([]change, error) {
	var out []change
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != filepath.Base(filepath.Dir(path))+".json" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var e experiment
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, service := range slices.Sorted(maps.Keys(e.Plan)) {
			if len(e.Plan[service].Process) == 0 { // it was never begun
				continue
			}
			c, err := e.change(filepath.Dir(path), service)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", path, service, err)
			}
			out = append(out, c)
		}
		return nil
	})
	if err == nil && len(out) == 0 {
		err = errors.New(folder + ": has no folder N with a file N.json, expected those of ChangeRCA")
	}
	return out, err
}

// places are the targets of a service's first step. A released pod is at the place of the one that
// it replaces.
type places struct {
	released, before int64
	gone             map[string]int64 // deleted in a later step: when
	canary           map[string]string
}

// change reads what a service's pods served.
func (e experiment) change(folder, service string) (change, error) {
	plan := e.Plan[service]
	c := change{group: filepath.Base(folder), name: filepath.Base(folder) + " " + service, bad: service == e.Bad}
	if c.bad {
		c.name += ", " + e.Fault
	}
	var steps []step
	byNumber := func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
	for _, at := range slices.SortedFunc(maps.Keys(plan.Process), byNumber) {
		steps = append(steps, plan.Process[at])
	}
	p := places{
		before: plan.Release, released: cmp.Or(steps[0].Completed, plan.Release),
		gone: map[string]int64{}, canary: map[string]string{},
	}
	c.at, c.before = time.Unix(p.released, 0).UTC(), time.Unix(p.before, 0).UTC()
	for i, pod := range steps[0].Released {
		p.canary[pod] = fmt.Sprint("canary-", i)
		c.exposed = append(c.exposed, p.canary[pod])
	}
	for i, pod := range steps[0].Deleted {
		p.canary[pod] = fmt.Sprint("canary-", i%max(1, len(c.exposed)))
	}
	for _, s := range steps[1:] {
		for _, pod := range s.Deleted {
			p.gone[pod] = s.Completed - 120
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, service+"-v*_*_"+service+".csv"))
	if err != nil {
		return c, err
	}
	for _, file := range files {
		if err := p.read(&c, file, service); err != nil {
			return c, fmt.Errorf("%s: %w", file, err)
		}
	}
	return c, nil
}

// read adds what a pod's file says.
func (p places) read(c *change, file, service string) error {
	pod, _, _ := strings.Cut(filepath.Base(file), "_")
	changed := strings.HasPrefix(pod, service+"-v2-")
	place, canary := p.canary[pod]
	switch {
	case changed && !canary: // of a later step
		return nil
	case !canary:
		place = pod
		if !slices.Contains(c.control, pod) {
			c.control = append(c.control, pod)
		}
	}
	return eachMinute(file, func(at int64, success, latency, cpu, memory float64) {
		// The file of a pod that is gone goes on with the rows of its replacement.
		if canary && (changed && at <= p.released || !changed && at > p.before) || p.gone[pod] > 0 && at > p.gone[pod] {
			return
		}
		t := time.Unix(at, 0).UTC()
		if !math.IsNaN(success) {
			c.add("requests", place, t, requestsPerMinute, true)
			c.add("errors", place, t, math.Round(requestsPerMinute*(1-success/100)), true)
		}
		c.add("latency", place, t, latency, false)
		c.add("cpu", place, t, cpu, false)
		c.add("memory", place, t, memory, false)
	})
}

// eachMinute reads a pod's file; NaN is what there is none of.
func eachMinute(file string, f func(at int64, success, latency, cpu, memory float64)) error {
	head, rows, err := readCSV(file)
	if err != nil || len(rows) == 0 {
		return err
	}
	if len(head) < 6 || head[1] != "Timestamp" || head[2] != "SuccessRate" || head[3] != "Latency" {
		return fmt.Errorf("columns are %v, expected Time, Timestamp, SuccessRate, Latency, CPU, memory", head)
	}
	for _, row := range rows {
		at, err := number(row[1])
		if err != nil {
			return err
		}
		var v [4]float64
		for k := range v {
			if v[k], err = number(row[2+k]); err != nil {
				return err
			}
		}
		f(int64(at), v[0], v[1], v[2], v[3])
	}
	return nil
}
