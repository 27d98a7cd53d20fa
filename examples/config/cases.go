package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/lab/edges"
	"github.com/sluicehq/sluice/internal/pause"
)

// example is a rollout of a bundle, and what becomes of it.
type example struct {
	title string
	// spec is its file, and without are fields of it that are left out.
	spec    string
	without []string
	bundle  string
	code    int
	// after are the bundles that every host runs from then on, by unit; none where the unit is
	// gone.
	after map[string]string
	// wakes is a unit that goes back, too.
	wakes string
	// storeless deletes the store as soon as a host has switched.
	storeless bool
}

func examples() []example {
	const routes, flags, features = "rollout.yaml", "flags.yaml", "features.yaml"
	good := map[string]string{unitRoutes: "good"}
	return []example{
		{
			title: "the first configuration",
			spec:  routes, bundle: "first",
			code: edges.ExitPromoted, after: map[string]string{unitRoutes: "first"},
		},
		{title: "a good change", spec: routes, bundle: "good", code: edges.ExitPromoted, after: good},
		{title: "nginx -t refuses it on one host of twelve", spec: routes, bundle: "refused", code: edges.ExitRefused},
		{title: "every host's check passes, and it breaks 20% of the requests", spec: routes, bundle: "harmful", code: edges.ExitRolledBack},
		{
			title: "a rule that sleeps behind a flag: the drill of the first stage runs it",
			spec:  routes, bundle: "dormant",
			code: edges.ExitRolledBack,
		},
		{
			title: "the same without a drill: nobody runs it",
			spec:  routes, without: []string{"drill"}, bundle: "dormant",
			code: edges.ExitPromoted, after: map[string]string{unitRoutes: "dormant"},
		},
		{
			title: "the flag is turned on, which wakes that rule: both are undone",
			spec:  flags, bundle: "on",
			code: edges.ExitRolledBack, after: good, wakes: unitRoutes,
		},
		{
			title: "120 features",
			spec:  features, bundle: unitFeatures,
			code: edges.ExitPromoted, after: map[string]string{unitFeatures: unitFeatures},
		},
		{title: "the generator doubles them: `limits`", spec: features, bundle: "doubled", code: edges.ExitInvalid},
		{title: "the same without `limits`: `change`", spec: features, without: []string{"limits"}, bundle: "doubled", code: edges.ExitInvalid},
		{
			title: "the same without `validate`: the first stage",
			spec:  features, without: []string{"validate", "limits", "change"}, bundle: "doubled",
			code: edges.ExitRolledBack,
		},
		{
			title: "20% again, and the store is deleted before the rollback",
			spec:  routes, bundle: "harmful",
			code: edges.ExitRolledBack, storeless: true,
		},
	}
}

// switches are the hosts that ever run the bundle: all, those of the first stage, or none.
func (e example) switches(hosts int) int {
	switch e.code {
	case edges.ExitPromoted:
		return hosts
	case edges.ExitRolledBack:
		return 2
	}
	return 0
}

// seen is a rollout as it was seen from the outside.
type seen struct {
	code int // of sluice
	// harmed are requests of clients that got no answer or a 503.
	harmed, all int
	// switched are the hosts that ran the bundle at any time, and wrong those that do not run the
	// right one in the end.
	switched, wrong []string
}

// rollOut starts a rollout of an example, and follows it to its end.
func (r *rig) rollOut(ctx context.Context, e example) (seen, error) {
	var s seen
	spec, err := r.spec(e)
	if err != nil {
		return s, err
	}
	release, err := r.digest(ctx, e.bundle)
	if err != nil {
		return s, err
	}
	hits, err := r.Traffic.During(func() (err error) {
		watching, stop := context.WithCancel(ctx)
		watched := make(chan []string, 1)
		go func() { watched <- r.watch(watching, unitOf(e.spec), release, e.storeless) }()
		s.code, err = r.SluiceTo(ctx, r.Out, r.Out, "start", "--wait", "--store", r.store(), spec)
		stop()
		if s.switched = <-watched; err == nil && e.wakes != "" {
			_, err = r.SluiceTo(ctx, r.Out, r.Out, "watch", e.wakes)
		}
		return err
	})
	if err != nil {
		return s, err
	}
	for hit, n := range hits {
		s.all += n
		if hit.Code == "503" || hit.Code == "0" {
			s.harmed += n
		}
	}
	maps.Copy(r.due, e.after)
	for unit, file := range files() {
		if err := r.lookAt(ctx, &s, unit, file); err != nil {
			return s, err
		}
	}
	return s, nil
}

// lookAt adds the hosts that run another release of a unit, by their live process or by the file
// behind its link.
func (r *rig) lookAt(ctx context.Context, s *seen, unit, file string) error {
	var want string
	var text []byte
	if bundle := r.due[unit]; bundle != "" {
		var err error
		if want, err = r.digest(ctx, bundle); err != nil {
			return err
		}
		if text, err = os.ReadFile(filepath.Join(r.Dir, "bundles", bundle, file)); err != nil {
			return err
		}
	}
	for _, t := range r.Targets {
		live, err := r.runs(ctx, t.ID, unit)
		link, readErr := os.ReadFile(filepath.Join(t.Labels[edges.LabelSite], unit, file))
		if want == "" && errors.Is(readErr, fs.ErrNotExist) {
			readErr = nil
		}
		if err != nil || readErr != nil || live != want || string(link) != string(text) {
			s.wrong = append(s.wrong, t.ID+" ("+unit+")")
		}
	}
	return nil
}

// watch notes which hosts run a release of a unit, until ctx ends. It deletes the store once the
// first of them does, if asked to.
func (r *rig) watch(ctx context.Context, unit, release string, storeless bool) []string {
	var switched []string
	seen := map[string]bool{}
	for {
		for _, t := range r.Targets {
			if live, err := r.runs(ctx, t.ID, unit); err == nil && live == release && !seen[t.ID] {
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
	words := map[int]string{
		edges.ExitPromoted: "promoted", edges.ExitRolledBack: "rolled back",
		edges.ExitRefused: "refused", edges.ExitInvalid: "not started",
	}
	table := []string{"| what it does | outcome | hosts that switched | harmed requests |", "| --- | --- | --- | --- |"}
	expected, wrong := 0, 0
	for i, e := range examples() {
		fmt.Fprintf(r.Out, "\n══ %d. %s\n\n", i+1, e.title)
		s, err := r.rollOut(ctx, e)
		if err != nil {
			return err
		}
		if s.code == e.code && len(s.switched) == e.switches(len(r.Targets)) {
			expected++
		} else {
			r.Say("sluice ended with exit code %d, expected %d", s.code, e.code)
		}
		wrong += len(s.wrong)
		r.Say("%d of %d requests got a 503 or no answer. %d of %d hosts had it. "+
			"Wrong, by their live process and the files behind the links: %d %s",
			s.harmed, s.all, len(s.switched), len(r.Targets), len(s.wrong), strings.Join(s.wrong, ", "))
		table = append(table, fmt.Sprintf("| %s | %s | %d of %d | %d of %d |",
			e.title, words[s.code], len(s.switched), len(r.Targets), s.harmed, s.all))
	}
	fmt.Fprintf(r.Out, "\n%s\n\nconfig: cases=%d as_announced=%d left_wrong=%d\n", strings.Join(table, "\n"), len(examples()), expected, wrong)
	if expected != len(examples()) || wrong > 0 {
		return edges.ErrUnexpected
	}
	return nil
}
