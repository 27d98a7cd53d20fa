package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/judge"
)

// A folder as ChangeRCA's, made up: of four services that change at once one fails, one is as it
// was, one gets no requests, and one is not seen at all.
func folder(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "day_1")
	require.NoError(t, os.Mkdir(dir, 0o700))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	var plans []string
	for service, success := range map[string]string{"ads": "40", "cart": "100", "mail": "NaN", "pay": ""} {
		plans = append(plans, fmt.Sprintf(`%q:{"release_time":6000,"process":{
			"6000":{"release_pod":["%[2]s-v2-a"],"delete_pod":["%[2]s-v1-a"],"release_complete_timestamp":6050},
			"9999":{"release_pod":["%[2]s-v2-b"],"delete_pod":["%[2]s-v1-b"],"release_complete_timestamp":10020}}}`, service, service))
		rows := func(from, to int, success string) string {
			s := "Time,Timestamp,SuccessRate,Latency\n"
			for at := from; at <= to; at += 60 {
				s += fmt.Sprintf("x,%d,%s,1\n", at, success)
			}
			return s
		}
		for _, pod := range []string{"v1-b", "v1-c", "v1-d"} {
			write(service+"-"+pod+"_front_"+service+".csv", rows(4500, 8000, "99.9"))
		}
		// What is in the file of a pod that is gone is what its replacement serves.
		write(service+"-v1-a_front_"+service+".csv", rows(4500, 5999, "100")+strings.TrimPrefix(rows(6060, 8000, "0"), "Time,Timestamp,SuccessRate,Latency\n"))
		if success != "" {
			write(service+"-v2-a_front_"+service+".csv", rows(6060, 8000, success))
		}
		write(service+"-v1-b_"+service+"_db.csv", rows(4500, 8000, "0")) // what it asks for is not what it serves
	}
	write("day_1.json", `{"fault":"exception","fault_release_service":"ads","plan":{`+strings.Join(plans, ",")+`}}`)
	return top
}

func TestChangeRCA(t *testing.T) {
	t.Parallel()
	changes, err := readChangeRCA(folder(t))
	require.NoError(t, err)
	o := options{rate: 0.001, bake: 15 * time.Minute}
	want := map[string]judge.Verdict{
		"day_1 ads, exception": judge.Fail, "day_1 cart": judge.Pass, "day_1 mail": judge.Unexercised, "day_1 pay": judge.NoData,
	}
	require.Len(t, changes, len(want))
	for _, c := range changes {
		d := o.decide(c)
		require.Equal(t, want[c.name], d.verdict, "%s: %s", c.name, d.why)
		require.Equal(t, c.name == "day_1 ads, exception", c.bad)
		if c.bad {
			require.Less(t, d.at, 5*time.Minute)
			require.Contains(t, d.why, "vs control 0% (0/")
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"--changerca", folder(t)}, &out, io.Discard))
	require.Regexp(t, `bad +1 +0 +0 +1 +\d+`, out.String())
	require.Regexp(t, `good +3 +1 +2 +0 +–`, out.String())
	for args, want := range map[string]string{"": "--changerca: is not given", "--changerca " + t.TempDir(): "has no folder N with a file N.json"} {
		require.ErrorContains(t, run(t.Context(), strings.Fields(args), io.Discard, io.Discard), want)
	}
}
