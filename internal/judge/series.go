package judge

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/sequential"
)

// header has the columns of a recorded series, in any order: the run that a row belongs to, when
// its look ends in seconds since the change, and what each arm counted in it. An empty cell is no
// data, and neither is a number that is no count.
func header() []string {
	return []string{"run", "t", "exposed_bad", "exposed_total", "control_bad", "control_total"}
}

// ReadSeries reads many runs from CSV, in the order in which they first appear. Its error says
// where the file is not as expected.
func ReadSeries(file string, r io.Reader) ([]Recorded, error) {
	in := csv.NewReader(r)
	in.ReuseRecord, in.TrimLeadingSpace = true, true
	s := seriesReader{file: file, csv: in, at: map[string]int{}}
	if err := s.header(); err != nil {
		return nil, err
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return s.runs, nil
		}
		if err != nil {
			return nil, s.unread(err, plural(len(header()), "cell"))
		}
		if err := s.row(row); err != nil {
			return nil, err
		}
	}
}

// maxSeconds bounds a series' time, more than thirty years: what is beyond it is no time since a
// change, but a date.
const maxSeconds = 1e9

type seriesReader struct {
	file   string
	csv    *csv.Reader
	places [6]int // of each column in a row
	at     map[string]int
	runs   []Recorded
}

func (s *seriesReader) header() error {
	row, err := s.csv.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: is empty, expected the header %s", s.file, strings.Join(header(), ","))
	} else if err != nil {
		return s.unread(err, "the header "+strings.Join(header(), ","))
	}
	names := slices.Clone(row)
	names[0] = strings.TrimPrefix(names[0], "\uFEFF")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	for i, want := range header() {
		at := slices.Index(names, want)
		if at < 0 || len(names) != len(header()) {
			line, _ := s.csv.FieldPos(0)
			return fmt.Errorf("%s:%d: the header is %.100q, expected %s", s.file, line, strings.Join(names, ","), strings.Join(header(), ","))
		}
		s.places[i] = at
	}
	return nil
}

// unread says where a file is no CSV, and what was expected there, or why it cannot be read.
func (s *seriesReader) unread(err error, expected string) error {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Errorf("%s:%d:%d: %w, expected %s", s.file, e.Line, e.Column, e.Err, expected)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok { // it names the file once more
		err = e.Err
	}
	return fmt.Errorf("read %s: %w", s.file, err)
}

func (s *seriesReader) row(row []string) error {
	cell := func(i int) string { return strings.TrimSpace(row[s.places[i]]) }
	t, err := strconv.ParseFloat(cell(1), 64)
	if err != nil || math.Abs(t) > maxSeconds || math.IsNaN(t) {
		return s.wrong(1, cell(1), "seconds since the change, a number between -1e9 and 1e9")
	}
	var v [6]float64
	seen := [6]bool{}
	for i := 2; i < len(v); i++ {
		text := cell(i)
		if text == "" {
			continue
		}
		if v[i], err = strconv.ParseFloat(text, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return s.wrong(i, text, "a number, or nothing where there is no data")
		}
		seen[i] = !math.IsNaN(v[i]) && !math.IsInf(v[i], 0)
	}
	l := ArmCounts{At: time.Duration(t * float64(time.Second))}
	if seen[2] && seen[3] {
		l.Exposed = &sequential.Counts{Bad: v[2], Total: v[3]}
	}
	if seen[4] && seen[5] {
		l.Control = &sequential.Counts{Bad: v[4], Total: v[5]}
	}
	return s.add(strings.Clone(cell(0)), l)
}

// add keeps a look of a run.
func (s *seriesReader) add(run string, l ArmCounts) error {
	at, ok := s.at[run]
	if !ok {
		at = len(s.runs)
		s.at[run] = at
		s.runs = append(s.runs, Recorded{Run: run})
	}
	if r := &s.runs[at]; !r.add(l) {
		line, column := s.csv.FieldPos(s.places[1])
		return fmt.Errorf(
			"%s:%d:%d: t is %v s, and the row of run %q before it has %v s; expected rows of a run in order of time, each moment once", s.file,
			line, column, l.At.Seconds(), run, r.last.Seconds(),
		)
	}
	return nil
}

func (s *seriesReader) wrong(column int, text, want string) error {
	line, at := s.csv.FieldPos(s.places[column])
	return fmt.Errorf("%s:%d:%d: %s is %.100q, expected %s", s.file, line, at, header()[column], text, want)
}
