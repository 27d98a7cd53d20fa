package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

// canaries is a folder as ChangeRCA's, made up: of services that change at once one fails, one is
// as it was, one gets no requests although the others of its kind do, one gets none as they do, and
// one only works harder.
func canaries(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	var plans []string
	r := rand.New(rand.NewPCG(1, 0))
	rows := func(from, to int, success string, cpu float64) string {
		var s strings.Builder
		for at := from; at <= to; at += 60 {
			fmt.Fprintf(&s, "x,%d,%s,%.3f,%.3f,3,1,1\n", at, success, 5+0.1*r.NormFloat64(), cpu*(1+0.02*r.NormFloat64()))
		}
		return s.String()
	}
	const head = "Time,Timestamp,SuccessRate,Latency,CPUUsageRate(%),MemoryUsageRate(%),NodeCpuUsageRate(%),NodeMemoryUsageRate(%)\n"
	for service, as := range map[string]struct {
		success, other string
		cpu            float64
	}{"ads": {"40", "99.9", 10}, "cart": {"100", "99.9", 10}, "mail": {"", "99.9", 10}, "pay": {"", "", 10}, "work": {"100", "100", 40}} {
		plans = append(plans, fmt.Sprintf(`%q:{"release_time":6000,"process":{
			"6000":{"release_pod":["%[2]s-v2-a"],"delete_pod":["%[2]s-v1-a"],"release_complete_timestamp":6050},
			"9999":{"release_pod":["%[2]s-v2-b"],"delete_pod":["%[2]s-v1-b"],"release_complete_timestamp":10020}}}`, service, service))
		file := func(pod string) string { return filepath.Join(top, "day_1", service+"-"+pod+"_front_"+service+".csv") }
		for _, pod := range []string{"v1-b", "v1-c", "v1-d"} {
			text := head + rows(4500, 6050, "99.9", 10)
			if as.other != "" {
				text += rows(6060, 8000, as.other, 10)
			}
			write(t, file(pod), text)
		}
		// What is in the file of a pod that is gone is what its replacement serves.
		write(t, file("v1-a"), head+rows(4500, 5999, "100", 10)+rows(6060, 8000, "0", 99))
		if as.success != "" {
			write(t, file("v2-a"), head+rows(6060, 8000, as.success, as.cpu))
		}
		write(t, filepath.Join(top, "day_1", service+"-v1-b_"+service+"_db.csv"), head+rows(4500, 8000, "0", 10)) // what it asks for is not what it serves
	}
	write(t, filepath.Join(top, "day_1", "day_1.json"),
		`{"fault":"exception","fault_release_service":"ads","plan":{`+strings.Join(plans, ",")+`}}`)
	return top
}

func TestChangeRCA(t *testing.T) {
	t.Parallel()
	changes, err := readChangeRCA(canaries(t))
	require.NoError(t, err)
	want := map[string]decision{
		"day_1 ads, exception": {ending: blamed, check: "success", after: 5 * time.Minute},
		"day_1 cart":           {ending: promoted, check: "success", after: 10 * time.Minute},
		"day_1 mail":           {ending: blamed, check: "traffic", after: 7 * time.Minute},
		"day_1 pay":            {ending: held, check: "success", after: 15 * time.Minute},
		"day_1 work":           {ending: blamed, check: "cpu", after: 5 * time.Minute},
	}
	require.Len(t, changes, len(want))
	for _, c := range changes {
		d, err := rollout(t.Context(), at("0.1%", changeRCASpec), c)
		require.NoError(t, err)
		require.Equal(t, want[c.name].ending, d.ending, "%s: %+v", c.name, d)
		require.Equal(t, want[c.name].check, d.check, "%s: %+v", c.name, d)
		require.LessOrEqual(t, d.after, want[c.name].after, "%s: %+v", c.name, d)
		require.Equal(t, c.name == "day_1 ads, exception", c.bad)
		require.Equal(t, "day_1", c.group)
	}
}

// hours are files as SCWarn's, made up: a good hour, one in which the change makes it slow, and one
// that is ill before.
func hours(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	r := rand.New(rand.NewPCG(2, 0))
	hour := func(day int, slow, success float64) string {
		var s strings.Builder
		for m := range 60 {
			d := 0.05 * (1 + 0.02*r.NormFloat64())
			if m > 30 && m <= 40 {
				d *= slow
			}
			fmt.Fprintf(&s, "2020-07-%02d 10:%02d:00,%.2f,%.4f,%.4f,%.3f,1,1,1\n", day, m, 60+r.NormFloat64(), success, d, 0.7*(1+0.02*r.NormFloat64()))
		}
		return s.String()
	}
	const head = "timestamp,ops,success rate,duration,cpu,memory,receive,transmit\n"
	write(t, filepath.Join(top, "normal.csv"), head+hour(16, 1, 0.9998))
	write(t, filepath.Join(top, "abnormal.csv"), head+hour(20, 10, 0.9998)+hour(21, 1, 0.5)+"2020-07-22 10:00:00,1,1,1,1,1,1,1\n")
	write(t, filepath.Join(top, "train.csv"), head+hour(12, 1, 1))
	return top
}

func TestSCWarn(t *testing.T) {
	t.Parallel()
	changes, err := readSCWarn(hours(t))
	require.NoError(t, err)
	want := map[string]ending{"2020-07-16 10h": promoted, "2020-07-20 10h": blamed, "2020-07-21 10h": refused}
	require.Len(t, changes, len(want))
	for _, c := range changes {
		d, err := rollout(t.Context(), at("0.1%", scwarnSpec), c)
		require.NoError(t, err)
		require.Equal(t, want[c.name], d.ending, "%s: %+v", c.name, d)
		require.Equal(t, want[c.name] != promoted, c.bad)
	}
}

// kpis are files as Kontrast's, made up: a series that rises every day at the time of the change,
// one that rises more than that, and one that the folder lacks.
func kpis(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	r := rand.New(rand.NewPCG(3, 0))
	const begin, changed = 1_500_000_000, 1_500_000_000 + 3*86400
	for name, times := range map[string]float64{"good": 1, "bad": 1.3} {
		var s strings.Builder
		s.WriteString("timestamp,value\n")
		for at := begin; at < changed+7200; at += 60 {
			v := 100 + 2*r.NormFloat64()
			if (at-begin)%86400 < 7200 {
				v *= 1.5
			}
			if at > changed {
				v *= times
			}
			fmt.Fprintf(&s, "%d.0,%.3f\n", at, v)
		}
		write(t, filepath.Join(top, "data", "none$"+name+".csv"), s.String())
	}
	write(t, filepath.Join(top, "cases.csv"), fmt.Sprintf(
		"instance_name,metric,change_start,change_end,label\nnone,good,%[1]d,%[1]d,0\nnone,bad,%[1]d,%[1]d,1\nnone,elsewhere,%[1]d,%[1]d,1\n", changed))
	return top
}

func TestKontrast(t *testing.T) {
	t.Parallel()
	changes, err := readKontrast(kpis(t))
	require.NoError(t, err)
	require.Len(t, changes, 2)
	for _, c := range changes {
		d, err := rollout(t.Context(), at("0.1%", kontrastSpec), c)
		require.NoError(t, err)
		require.Equal(t, map[bool]ending{true: blamed, false: promoted}[c.bad], d.ending, "%s: %+v", c.name, d)
	}
}

// The specs are as a rollout's but for their source, and the page shows them.
func TestSpecsArePrinted(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/changes.md")
	require.NoError(t, err)
	for _, s := range sets() {
		_, err := spec.Parse("spec.yaml", []byte(at("5%", s.spec)), withRecorded(change{}).Kinds())
		require.NoError(t, err)
		_, health, _ := strings.Cut(s.spec, "stages:")
		require.Contains(t, string(page), "stages:"+health, s.name)
		require.Equal(t, 1, strings.Count(string(page), "<!-- changes:"+s.name+" -->"))
	}
}

// The others are calibrated on the good changes.
func TestRivals(t *testing.T) {
	t.Parallel()
	changes, err := readKontrast(kpis(t))
	require.NoError(t, err)
	for _, r := range rivals() {
		m := newMatch(r, sets()[2], changes)
		for most := range 2 {
			j := m.stopping(r.name, most)
			require.LessOrEqual(t, j.many(changes, false, blamed), most, r.name)
			require.Equal(t, 1, j.many(changes, true, blamed), r.name)
		}
	}
	score := func(name string, bad ...float64) []float64 {
		for _, r := range rivals() {
			if r.name == name {
				return r.score(watched{bad: bad})
			}
		}
		return nil
	}
	require.Equal(t, []float64{1, 3, 3}, score("Argo Rollouts", 1, 3, 2))
	require.InDelta(t, 1.0, score("Flagger", 9, 8, 7, 6, 1, 2)[5], 0)
}

func TestRun(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(page, []byte("<!-- changes:changerca -->\nold\n<!-- changes:end -->\n"), 0o600))
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"--changerca", canaries(t), "--page", page, "-v"}, &out, io.Discard))
	require.Regexp(t, `Sluice, at 0.1% +1 +0 +0 +0 +2 +0 +1 +\d+`, out.String())
	require.Contains(t, out.String(), "day_1 ads, exception: bad true: blamed after")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "### ChangeRCA: 1 bad and 4 good changes")
	require.NotContains(t, string(text), "old")
	for args, want := range map[string]string{
		"": "no set is given", "--changerca " + t.TempDir(): "has no folder N with a file N.json",
		"--scwarn " + t.TempDir(): "expected those of SCWarn", "--kontrast " + t.TempDir(): "expected those of Kontrast",
	} {
		require.ErrorContains(t, run(t.Context(), strings.Fields(args), io.Discard, io.Discard), want)
	}
}

// The sets themselves, where they are: none of them is in this repository.
func TestPublishedSets(t *testing.T) {
	folder := os.Getenv("SLUICE_CHANGES")
	if folder == "" {
		t.Skip("SLUICE_CHANGES is not set: expected the folder that holds ChangeRCA, SCWarn and Kontrast")
	}
	for _, s := range sets() {
		changes, err := s.read(folder)
		require.NoError(t, err)
		good, stopped := 0, 0
		for _, c := range changes {
			d, err := rollout(t.Context(), at("0.1%", s.spec), c)
			require.NoError(t, err)
			require.False(t, !c.bad && d.ending == blamed, "%s: %+v", c.name, d)
			if c.bad {
				good++
				if d.ending != promoted {
					stopped++
				}
			}
		}
		require.Greater(t, float64(stopped), 0.7*float64(good), s.name)
	}
}
