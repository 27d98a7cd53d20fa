package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// usage is what a process holds and has used: bytes, and seconds of a core.
type usage struct {
	rss int
	cpu float64
}

// usageOf reads /proc; zero where there is none.
func usageOf(pid int) usage {
	var u usage
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			u.rss = kib << 10
		}
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ") // the program's name may hold anything
	const ticks = 100                             // per second, on every Linux that Go runs on
	if f := strings.Fields(rest); len(f) > 12 {
		user, _ := strconv.Atoi(f[11])
		system, _ := strconv.Atoi(f[12])
		u.cpu = float64(user+system) / ticks
	}
	return u
}

// cpuOf is how many seconds of a core several processes have used together.
func cpuOf(pids ...int) float64 {
	sum := 0.0
	for _, pid := range pids {
		sum += usageOf(pid).cpu
	}
	return sum
}
