package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
	"go.temporal.io/sdk/temporal"
)

// version is set by the linker for a release: -ldflags "-X main.version=…".
var version = ""

func versionCommand() command {
	return command{
		name: "version", short: "print the version",
		long:    "Prints the version of sluice, of Go, and of Temporal's SDK.",
		example: "sluice version",
		run: func(_ context.Context, con *console, _ *cli.Context) error {
			v := versionOf(version, debug.ReadBuildInfo)
			return con.answer(v, v.lines())
		},
	}
}

// versions are what a bug report needs.
type versions struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	SDK      string `json:"temporalSdk"`
}

// versionOf prefers what the linker was told over what Go noted in the binary.
func versionOf(linked string, read func() (*debug.BuildInfo, bool)) versions {
	v := versions{Version: linked, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, SDK: temporal.SDKVersion}
	info, ok := read()
	if ok {
		if v.Version == "" {
			v.Version = info.Main.Version
		}
		modified := false
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Revision = s.Value
			case "vcs.modified":
				modified = s.Value == "true"
			}
		}
		if modified {
			v.Revision += "+changes"
		}
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	return v
}

func (v versions) lines() []string {
	first := "sluice " + v.Version
	if v.Revision != "" {
		first += " (" + v.Revision + ")"
	}
	return []string{first, fmt.Sprintf("%s %s, Temporal SDK %s", v.Go, v.Platform, v.SDK)}
}
