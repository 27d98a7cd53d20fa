package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programs are the paths of what the example did not build itself.
type programs struct{ haproxy, prometheus, vegeta string }

// findPrograms names everything that is missing, and how to get it.
func findPrograms(s settings) (programs, error) {
	var p programs
	var missing []error
	for _, want := range []struct {
		path           *string
		names          []string
		otherwise, how string
	}{
		{&p.haproxy, []string{"haproxy", "/usr/sbin/haproxy"}, "haproxy", "apt-get install haproxy"},
		{&p.prometheus, []string{"prometheus"}, "prometheus", "apt-get install prometheus"},
		{new(string), []string{"curl"}, "curl", "apt-get install curl"},
		{&p.vegeta, []string{filepath.Join(s.tools, "vegeta")}, "vegeta", "make tools"},
		{new(string), []string{filepath.Join(s.bin.Dir, "sluice")}, "sluice", "make build"},
		{new(string), []string{filepath.Join(s.bin.Dir, "sluice-worker")}, "sluice-worker", "make build"},
		{new(string), []string{s.bin.Devstack}, "the Temporal server", "make build"},
	} {
		var err error
		for _, name := range want.names {
			if *want.path, err = lookup(name); err == nil {
				break
			}
		}
		if err != nil {
			missing = append(missing, fmt.Errorf("%s is missing: %w; get it with `%s`", want.otherwise, err, want.how))
		}
	}
	return p, errors.Join(missing...)
}

// lookup is exec.LookPath, but for a path in the current folder, which is meant.
func lookup(name string) (string, error) {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		err = nil
	}
	return path, err
}

// copyFile copies a small file.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}
