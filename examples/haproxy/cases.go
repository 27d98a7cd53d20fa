package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/lab/edges"
)

// The specs of the three cases and of what the tests add, and the release that all end on.
const (
	specGood    = "good.yaml"
	specBad     = "bad-503.yaml"
	specRefused = "refused.yaml"
	specTwice   = "twice.yaml"
	specShared  = "shared.yaml"

	goodRelease = "1.1.0"
)

// specs are the example's files that each is made of, and what differs.
func specs() map[string]struct {
	file    string
	replace []string
} {
	return map[string]struct {
		file    string
		replace []string
	}{
		specGood:    {"rollout.yaml", nil},
		specBad:     {"rollout.yaml", []string{`"1.1.0"`, `"1.2.0"`}},
		specRefused: {"rollout.yaml", []string{`"1.1.0"`, `"1.3.0"`}},
		specTwice:   {"twice.yaml", nil},
		specShared:  {"twice.yaml", []string{`"1.4.0"`, `"1.5.0"`, "bake: 4m", "bake: 40s"}},
	}
}

// statusBad is what the bad release answers; the service behind answers 500 when it fails.
const statusBad = "503"

// rollout is one rollout as it was seen from the outside.
type rollout struct {
	code          int // of sluice
	before, after map[string]answer
	hits          map[edges.Hit]int // what clients got meanwhile
}

// rollOut starts a rollout, follows it to its end, and compares before and after.
func (r *rig) rollOut(ctx context.Context, spec string) (rollout, error) {
	var seen rollout
	var err error
	if seen.before, err = r.answers(ctx); err != nil {
		return seen, err
	}
	seen.hits, err = r.Traffic.During(func() (err error) {
		if seen.code, err = r.SluiceTo(ctx, r.Out, r.Out, "start", "--wait", filepath.Join(r.Dir, spec)); err == nil {
			seen.after, err = r.answers(ctx)
		}
		return err
	})
	return seen, err
}

// reloaded are the edges that were given another configuration, if only for a while: another worker
// answers.
func (s rollout) reloaded() []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(s.before)) {
		if s.before[id] != s.after[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// wrong counts the edges that do not answer with the release that every case should end on.
func (s rollout) wrong() int {
	n := 0
	for _, a := range s.after {
		if a.Release != goodRelease {
			n++
		}
	}
	return n
}

// got counts the answers with a status, and names the edges that gave them.
func (s rollout) got(code string) (count int, by []string) {
	seen := map[string]bool{}
	for h, n := range s.hits {
		if h.Code == code {
			count += n
			seen[h.Edge] = true
		}
	}
	return count, slices.Sorted(maps.Keys(seen))
}

// requests counts all answers.
func (s rollout) requests() int {
	n := 0
	for _, count := range s.hits {
		n += count
	}
	return n
}

// tally is the last line: counted from what sluice and HAProxy answer.
type tally struct{ promoted, rolledBack, refused, leftWrong int }

// String is the last line.
func (t tally) String() string {
	return fmt.Sprintf("haproxy: promoted=%d rolled_back=%d refused=%d left_wrong=%d", t.promoted, t.rolledBack, t.refused, t.leftWrong)
}

// Show runs the three cases and tells them.
func (r *rig) Show(ctx context.Context) error {
	var t tally
	for _, c := range []struct {
		title, spec string
		code        int
		count       *int
		tell        func(rollout)
	}{
		{"1. A good release, 1.1.0, goes out in three stages", specGood, edges.ExitPromoted, &t.promoted, r.tellGood},
		{"2. Release 1.2.0 answers 503 on /checkout", specBad, edges.ExitRolledBack, &t.rolledBack, r.tellBad},
		{"3. Release 1.3.0 is one that HAProxy refuses", specRefused, edges.ExitRefused, &t.refused, r.tellRefused},
	} {
		fmt.Fprintf(r.Out, "\n══ %s\n\n", c.title)
		seen, err := r.rollOut(ctx, c.spec)
		if err != nil {
			return err
		}
		if seen.code == c.code {
			*c.count++
		} else {
			r.Say("sluice ended with exit code %d, expected %d", seen.code, c.code)
		}
		t.leftWrong += seen.wrong()
		c.tell(seen)
	}
	fmt.Fprintf(r.Out, "\n%s\n", t)
	if t != (tally{promoted: 1, rolledBack: 1, refused: 1}) {
		return edges.ErrUnexpected
	}
	return nil
}

func (r *rig) tellGood(s rollout) {
	lost, _ := s.got("0")
	r.Say("%d of %d edges answer with release %s. Clients got %d answers meanwhile; %d requests got none.",
		len(s.after)-s.wrong(), len(s.after), goodRelease, s.requests(), lost)
}

func (r *rig) tellBad(s rollout) {
	bad, from := s.got(statusBad)
	r.Say("Clients got %d answers of %d with status %s, all from %s. Only these had been changed: %s.",
		bad, s.requests(), statusBad, strings.Join(from, " and "), strings.Join(s.reloaded(), ", "))
	r.Say("%d of %d edges answer with release %s again.", len(s.after)-s.wrong(), len(s.after), goodRelease)
}

func (r *rig) tellRefused(s rollout) {
	r.Say("%d edges were reloaded; the same processes answer from the same files as before.", len(s.reloaded()))
}
