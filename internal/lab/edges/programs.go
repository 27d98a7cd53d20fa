package edges

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Programs are the paths of what an example did not build itself.
type Programs struct{ Edge, Prometheus, Vegeta string }

// Find finds the programs, of which edge is a Debian package with a program of the same name. It
// names everything that is missing, and how to get it.
func (s Settings) Find(edge string) (Programs, error) {
	var p Programs
	var missing []error
	for _, want := range []struct {
		path           *string
		names          []string
		otherwise, how string
	}{
		{&p.Edge, []string{edge, "/usr/sbin/" + edge}, edge, "apt-get install " + edge},
		{&p.Prometheus, []string{"prometheus"}, "prometheus", "apt-get install prometheus"},
		{new(string), []string{"curl"}, "curl", "apt-get install curl"},
		{new(string), []string{"jq"}, "jq", "apt-get install jq"},
		{&p.Vegeta, []string{filepath.Join(s.Tools, "vegeta")}, "vegeta", "make tools"},
		{new(string), []string{filepath.Join(s.Bin.Dir, "sluice")}, "sluice", "make build"},
		{new(string), []string{filepath.Join(s.Bin.Dir, "sluice-worker")}, "sluice-worker", "make build"},
		{new(string), []string{s.Bin.Devstack}, "the Temporal server", "make build"},
	} {
		var err error
		for _, name := range want.names {
			if *want.path, err = Lookup(name); err == nil {
				break
			}
		}
		if err != nil {
			missing = append(missing, fmt.Errorf("%s is missing: %w; get it with `%s`", want.otherwise, err, want.how))
		}
	}
	return p, errors.Join(missing...)
}

// Lookup is exec.LookPath, but for a path in the current folder, which is meant.
func Lookup(name string) (string, error) {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		err = nil
	}
	return path, err
}

// Render writes the configuration of a release: its lines in the frame beside its file, with some
// words replaced.
func Render(release, to string, oldnew ...string) error {
	frame, err := os.ReadFile(filepath.Join(filepath.Dir(release), "frame"))
	if err != nil {
		return err
	}
	lines, err := os.ReadFile(release)
	if err != nil {
		return err
	}
	whole := strings.Replace(string(frame), "@LINES@\n", string(lines), 1)
	return os.WriteFile(to, []byte(strings.NewReplacer(oldnew...).Replace(whole)), 0o644)
}
