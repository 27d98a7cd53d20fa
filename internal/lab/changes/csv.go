package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
)

// readCSV reads a file with a line of names.
func readCSV(path string) (head []string, rows [][]string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	rows, err = csv.NewReader(f).ReadAll()
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	case len(rows) == 0:
		return nil, nil, nil
	}
	return rows[0], rows[1:], nil
}

// number reads one; NaN where there is none.
func number(text string) (float64, error) { return strconv.ParseFloat(cmp.Or(text, "NaN"), 64) }
