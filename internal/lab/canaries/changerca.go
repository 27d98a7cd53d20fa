package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// change is one that other people made and labelled.
type change struct {
	name string
	bad  bool
	// looks are by the minute: those of the pods that run the new version, and of the others.
	looks []judge.Look
}

// requests is how many a minute a pod is taken to serve each of its callers: the set has none.
const requests = 60

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

// change reads what a service's pods served. The time before is that of the pod which the first
// new one replaces.
func (e experiment) change(folder, service string) (change, error) {
	plan := e.Plan[service]
	c := change{name: filepath.Base(folder) + " " + service, bad: service == e.Bad}
	if c.bad {
		c.name += ", " + e.Fault
	}
	if len(plan.Process) == 0 {
		return c, errors.New("no steps")
	}
	steps := slices.SortedFunc(maps.Keys(plan.Process), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	first := plan.Process[steps[0]]
	released := cmp.Or(first.Completed, plan.Release)
	gone := map[string]int64{}
	for at, s := range plan.Process {
		began, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return c, err
		}
		for _, pod := range s.Deleted {
			gone[pod] = began
		}
	}
	rows := map[int64]*[2]*sequential.Counts{}
	files, err := filepath.Glob(filepath.Join(folder, service+"-v*_*_"+service+".csv"))
	if err != nil {
		return c, err
	}
	for _, file := range files {
		pod, _, _ := strings.Cut(filepath.Base(file), "_")
		err := eachMinute(file, func(at int64, success float64) {
			arm, changed := 1, strings.HasPrefix(pod, service+"-v2-")
			switch {
			case at > released && changed, at <= plan.Release && slices.Contains(first.Deleted, pod):
				arm = 0
			case at > plan.Release && at <= released || changed || gone[pod] > 0 && at > gone[pod]:
				return // under way; or the file of a pod that is gone goes on with the rows of its replacement
			}
			since := at - released
			if at <= plan.Release {
				since = at - plan.Release
			}
			if rows[since] == nil {
				rows[since] = &[2]*sequential.Counts{}
			}
			n := cmp.Or(rows[since][arm], &sequential.Counts{})
			rows[since][arm] = n
			if !math.IsNaN(success) {
				n.Bad, n.Total = n.Bad+math.Round(requests*(1-success/100)), n.Total+requests
			}
		})
		if err != nil {
			return c, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, since := range slices.Sorted(maps.Keys(rows)) {
		r := rows[since]
		c.looks = append(c.looks, judge.Look{At: time.Duration(since) * time.Second, Exposed: r[0], Control: r[1]})
	}
	return c, nil
}

// eachMinute reads the second and the third column of a pod's file: when, and how many percent of
// the requests succeeded; NaN where there were none.
func eachMinute(file string, f func(at int64, success float64)) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil {
		return err
	}
	for i, row := range rows {
		if i == 0 {
			if len(row) < 3 || row[1] != "Timestamp" || row[2] != "SuccessRate" {
				return fmt.Errorf("columns are %v, expected Time, Timestamp, SuccessRate", row)
			}
			continue
		}
		at, err := strconv.ParseInt(row[1], 10, 64)
		if err != nil {
			return err
		}
		success, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			return err
		}
		f(at, success)
	}
	return nil
}
