package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/lab/edges"
	"github.com/sluicehq/sluice/internal/pause"
)

// example is a bundle, and what becomes of it.
type example struct {
	title, bundle string
	code          int
	// after is the bundle that every host runs in the end.
	after string
	// storeless deletes the store as soon as a host has switched.
	storeless bool
}

func examples() []example {
	return []example{
		{title: "the first configuration", bundle: "first", code: edges.ExitPromoted, after: "first"},
		{title: "a good change", bundle: "good", code: edges.ExitPromoted, after: "good"},
		{title: "nginx -t refuses it on one host of twelve", bundle: "refused", code: edges.ExitRefused, after: "good"},
		{title: "every host's check passes, and it breaks 20% of the requests", bundle: "harmful", code: edges.ExitRolledBack, after: "good"},
		{title: "the same, and the store is deleted before the rollback", bundle: "harmful", code: edges.ExitRolledBack, after: "good", storeless: true},
	}
}

// seen is a rollout as it was seen from the outside.
type seen struct {
	code int // of sluice
	why  string
	// harmed are requests of clients that got no answer or a 503.
	harmed, all int
	// switched are the hosts that ran the bundle at any time, and wrong those that do not run the right one in the end.
	switched, wrong []string
}

// rollOut starts a rollout of an example, and follows it to its end.
func (r *rig) rollOut(ctx context.Context, e example) (seen, error) {
	var s seen
	spec, err := r.spec(e.bundle)
	if err != nil {
		return s, err
	}
	release, err := r.digest(ctx, e.bundle)
	if err != nil {
		return s, err
	}
	before, err := r.Traffic.SoFar()
	if err != nil {
		return s, err
	}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan []string, 1)
	go func() { watched <- r.watch(watching, release, e.storeless) }()
	var kept strings.Builder
	out := io.MultiWriter(r.Out, &kept)
	s.code, err = r.SluiceTo(ctx, out, out, "start", "--wait", "--store", r.store(), spec)
	stop()
	s.switched = <-watched
	if err != nil {
		return s, err
	}
	lines := strings.Split(strings.TrimSpace(kept.String()), "\n")
	s.why = lines[len(lines)-1]
	return s, r.look(ctx, &s, before, e.after)
}

// look counts what clients got, and which hosts run another release than they should.
func (r *rig) look(ctx context.Context, s *seen, before map[edges.Hit]int, bundle string) error {
	after, err := r.Traffic.SoFar()
	if err != nil {
		return err
	}
	for hit, n := range edges.Since(before, after) {
		s.all += n
		if hit.Code == "503" || hit.Code == "0" {
			s.harmed += n
		}
	}
	want, err := r.digest(ctx, bundle)
	if err != nil {
		return err
	}
	file, err := os.ReadFile(filepath.Join(r.Dir, "bundles", bundle, "routes.conf"))
	if err != nil {
		return err
	}
	for _, t := range r.Targets {
		live, err := r.runs(ctx, t.ID)
		link, readErr := os.ReadFile(filepath.Join(t.Labels[edges.LabelSite], "features", "routes.conf"))
		if err != nil || readErr != nil || live != want || string(link) != string(file) {
			s.wrong = append(s.wrong, t.ID)
		}
	}
	return nil
}

// watch notes which hosts run a release, until ctx ends. It deletes the store once the first of them does, if asked to.
func (r *rig) watch(ctx context.Context, release string, storeless bool) []string {
	var switched []string
	seen := map[string]bool{}
	for {
		for _, t := range r.Targets {
			if live, err := r.runs(ctx, t.ID); err == nil && live == release && !seen[t.ID] {
				switched, seen[t.ID] = append(switched, t.ID), true
			}
		}
		if storeless && len(switched) > 0 {
			storeless = false
			if err := os.RemoveAll(r.store()); err != nil {
				r.Say("the store cannot be deleted: %v", err)
			}
			r.Say("the store is deleted.")
		}
		if pause.For(ctx, 200*time.Millisecond) != nil {
			return switched
		}
	}
}

// Show runs the cases and tells them.
func (r *rig) Show(ctx context.Context) error {
	words := map[int]string{edges.ExitPromoted: "promoted", edges.ExitRolledBack: "rolled back", edges.ExitRefused: "refused"}
	table := []string{"| what it does | outcome | hosts that switched | harmed requests |", "| --- | --- | --- | --- |"}
	expected, wrong := 0, 0
	for i, e := range examples() {
		fmt.Fprintf(r.Out, "\n══ %d. %s\n\n", i+1, e.title)
		s, err := r.rollOut(ctx, e)
		if err != nil {
			return err
		}
		if s.code == e.code && (e.code != edges.ExitRefused || len(s.switched) == 0) {
			expected++
		} else {
			r.Say("sluice ended with exit code %d, expected %d", s.code, e.code)
		}
		wrong += len(s.wrong)
		r.Say("%d of %d requests got a 503 or no answer. %d of %d hosts had it. %d run what they should, by their live process and the files behind the link.",
			s.harmed, s.all, len(s.switched), len(r.Targets), len(r.Targets)-len(s.wrong))
		table = append(table, fmt.Sprintf("| %s | %s | %d of %d | %d of %d |", e.title, words[s.code], len(s.switched), len(r.Targets), s.harmed, s.all))
	}
	fmt.Fprintf(r.Out, "\n%s\n\nconfig: cases=%d as_announced=%d left_wrong=%d\n", strings.Join(table, "\n"), len(examples()), expected, wrong)
	if expected != len(examples()) || wrong > 0 {
		return edges.ErrUnexpected
	}
	return nil
}
