package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// readKontrast reads the changes that a file cases.csv below a folder lists, each with its series
// in the folder data beside it. Changes without a series there are left out.
func readKontrast(folder string) ([]change, error) {
	var out []change
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cases.csv" {
			return err
		}
		head, rows, err := readCSV(path)
		if err != nil {
			return err
		}
		column := func(row []string, name string) string {
			if i := slices.Index(head, name); i >= 0 {
				return row[i]
			}
			return ""
		}
		for _, row := range rows {
			begin, err := number(column(row, "change_start"))
			if err != nil {
				return fmt.Errorf("%s: change_start: %w", path, err)
			}
			label, err := number(column(row, "label"))
			if err != nil {
				return fmt.Errorf("%s: label: %w", path, err)
			}
			at := time.Unix(int64(begin), 0).UTC()
			c := change{name: column(row, "metric"), bad: label == 1, at: at, before: at, exposed: []string{service}}
			file := filepath.Join(filepath.Dir(path), "data", column(row, "instance_name")+"$"+c.name+".csv")
			switch err := c.readSeries(file); {
			case errors.Is(err, os.ErrNotExist):
			case err != nil:
				return err
			default:
				out = append(out, c)
			}
		}
		return nil
	})
	if err == nil && len(out) == 0 {
		err = errors.New(folder + ": has no file cases.csv with series in data beside it, expected those of Kontrast")
	}
	return out, err
}

// readSeries reads a file of numbers.
func (c *change) readSeries(file string) error {
	head, rows, err := readCSV(file)
	if err != nil {
		return err
	}
	if len(head) != 2 || head[0] != "timestamp" {
		return fmt.Errorf("%s: columns are %v, expected timestamp and value", file, head)
	}
	for _, row := range rows {
		at, err := number(row[0])
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		v, err := number(row[1])
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		c.add("kpi", service, time.Unix(int64(at), 0).UTC(), v, false)
	}
	return nil
}
