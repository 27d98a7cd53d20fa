package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// scwarnChange is at which minute of each hour of SCWarn the change is made.
const scwarnChange = 30 * time.Minute

// readSCWarn reads every hour of the files below a folder, each of which is a change: bad in files
// with "abnormal" in their names, good in those with "normal". What is in other hours is of other
// changes, and no past of this one.
func readSCWarn(folder string) ([]change, error) {
	var out []change
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		name := strings.ToLower(filepath.Base(path))
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".csv") || !strings.Contains(name, "normal") {
			return err
		}
		hours, err := readHours(path)
		for _, c := range hours {
			c.bad = strings.Contains(name, "abnormal")
			if c.whole() {
				out = append(out, c)
			}
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = errors.New(folder + ": has no file with normal or abnormal in its name and hours in it, expected those of SCWarn")
	}
	return out, err
}

// whole says that an hour was seen before the change and after it.
func (c change) whole() bool {
	for _, of := range c.numbers {
		s := of[service]
		return len(s.within(c.before.Add(-scwarnChange), c.before)) >= 20 && len(s.within(c.at, c.at.Add(15*time.Minute))) >= 10
	}
	return false
}

// service is the one target of a set that has no others.
const service = "service"

// readHours reads a file of numbers by the minute, hour by hour.
func readHours(path string) ([]change, error) {
	head, rows, err := readCSV(path)
	if err != nil || len(head) < 2 || head[0] != "timestamp" || !slices.Contains(head, "success rate") { // of another set
		return nil, err
	}
	var out []change
	for _, row := range rows {
		at, err := time.Parse(time.DateTime, row[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		hour := at.Truncate(time.Hour)
		i := slices.IndexFunc(out, func(c change) bool { return c.name == hour.Format("2006-01-02 15h") })
		if i < 0 {
			i = len(out)
			begin := hour.Add(scwarnChange)
			out = append(out, change{name: hour.Format("2006-01-02 15h"), at: begin, before: begin, exposed: []string{service}})
		}
		for k, metric := range head[1:] {
			v, err := number(row[k+1])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			out[i].add(strings.ReplaceAll(metric, " ", "_"), service, at, v, false)
		}
	}
	return out, nil
}
