package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sluicehq/sluice/internal/lab/edges"
)

// hosts choose whose configuration of a release is the bad one, from a plan's stages.
type hosts func(stage []string) []string

func oneHost(stage []string) []string    { return stage[:1] }
func wholeStage(stage []string) []string { return stage }

// example is a release, and what becomes of it.
type example struct {
	title, release string
	// stage is which one's hosts get the bad configuration, counted from the end where it is below
	// 0; bad chooses among them. Without it all hosts get the same.
	stage int
	bad   hosts
	code  int
}

// last is the last stage: there a bad host hides among the most others.
const last = -1

func examples() []example {
	return []example{
		{title: "a good release", release: goodRelease, code: edges.ExitPromoted},
		{title: "503 on one route of four", release: "1.2.0", code: edges.ExitRolledBack},
		{title: "one host answers nobody (444)", release: "1.3.0", stage: last, bad: oneHost, code: edges.ExitRolledBack},
		{title: "a wrong port in the last stage", release: "1.4.0", stage: last, bad: wholeStage, code: edges.ExitRolledBack},
		{title: "right answers, 300 ms later", release: "1.5.0", code: edges.ExitRolledBack},
		{title: "503 on one route, one host of six", release: "1.6.0", stage: last, bad: oneHost, code: edges.ExitRolledBack},
		{title: "nginx -t refuses it", release: "1.7.0", code: edges.ExitRefused},
	}
}

// seen is a rollout as it was seen from the outside.
type seen struct {
	code int // of sluice
	// why is the last line that sluice wrote.
	why string
	// harmed are requests of clients until the rollout's end that got no answer, a 503 or a slow
	// one; failed got a 500, which the service behind answers now and then whatever the release.
	harmed, failed, all int
	// wrong are the nginx that do not run the release that the case should end on.
	wrong []string
}

// rollOut starts a rollout of an example, and follows it to its end.
func (r *rig) rollOut(ctx context.Context, e example) (seen, error) {
	var s seen
	spec, err := r.spec(e.release)
	if err != nil {
		return s, err
	}
	if e.bad != nil {
		stage, err := r.cohort(ctx, spec, e.stage)
		if err != nil {
			return s, err
		}
		names := strings.Join(e.bad(stage), "\n") + "\n"
		if err := os.WriteFile(filepath.Join(r.releases, e.release+".hosts"), []byte(names), 0o644); err != nil {
			return s, err
		}
	}
	var kept strings.Builder
	out := io.MultiWriter(r.Out, &kept)
	hits, err := r.Traffic.During(func() (err error) {
		s.code, err = r.SluiceTo(ctx, out, out, "start", "--wait", spec)
		return err
	})
	if err != nil {
		return s, err
	}
	lines := strings.Split(strings.TrimSpace(kept.String()), "\n")
	s.why = lines[len(lines)-1]
	for hit, n := range hits {
		s.all += n
		switch {
		case hit.Code == "500":
			s.failed += n
		case hit.Code != "200" || hit.Slow:
			s.harmed += n
		}
	}
	for _, t := range r.Targets {
		if release, err := r.runs(ctx, t.ID); err != nil || release != goodRelease {
			s.wrong = append(s.wrong, t.ID)
		}
	}
	return s, nil
}

// detail is what the last line of a rollout tells beside the check that condemned, or the reason of
// a refusal.
var detail = regexp.MustCompile(`; (touched|chance).*|: [a-z]+-[0-9]+ (does not answer|refused).*| \[.*`)

// reason is the check that condemned, or what else the rollout's last line says first.
func (s seen) reason() string {
	_, why, _ := strings.Cut(s.why, ": ")
	return detail.ReplaceAllString(why, "")
}

// Show runs the seven cases and tells them.
func (r *rig) Show(ctx context.Context) error {
	words := map[int]string{edges.ExitPromoted: "promoted", edges.ExitRolledBack: "rolled back", edges.ExitRefused: "refused"}
	table := []string{"| release | what it does | outcome | by | harmed requests |", "| --- | --- | --- | --- | --- |"}
	expected, wrong := 0, 0
	for i, e := range examples() {
		fmt.Fprintf(r.Out, "\n══ %d. Release %s: %s\n\n", i+1, e.release, e.title)
		s, err := r.rollOut(ctx, e)
		if err != nil {
			return err
		}
		if s.code == e.code {
			expected++
		} else {
			r.Say("sluice ended with exit code %d, expected %d", s.code, e.code)
		}
		wrong += len(s.wrong)
		r.Say("%d of %d requests got no answer, a 503 or a slow one (%d a 500, as ever). %d of %d nginx run %s.",
			s.harmed, s.all, s.failed, len(r.Targets)-len(s.wrong), len(r.Targets), goodRelease)
		table = append(table, fmt.Sprintf("| %s | %s | %s | %s | %d of %d |", e.release, e.title, words[s.code], s.reason(), s.harmed, s.all))
	}
	fmt.Fprintf(r.Out, "\n%s\n\nnginx: cases=%d as_announced=%d left_wrong=%d\n", strings.Join(table, "\n"), len(examples()), expected, wrong)
	if expected != len(examples()) || wrong > 0 {
		return edges.ErrUnexpected
	}
	return nil
}
