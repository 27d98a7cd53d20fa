package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	codeOfPages = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```|`([^`\n]+)`")
	sluiceLine  = regexp.MustCompile(`(?m)(?:^|[\s/])sluice ([a-z][a-z-]*)((?:[ \t][^\n#]*)?)`)
	makeLine    = regexp.MustCompile(`(?m)(?:^|\s)make ([a-z][a-z-]*)`)
	flagOfLine  = regexp.MustCompile(`(?:^|\s)--([a-z][a-z-]*)`)
	makeTarget  = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// Every command, and so every signal, is in the page of the command line.
func TestEveryCommandIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/cli.md")
	require.NoError(t, err)
	for _, c := range allCommands() {
		require.Regexp(t, `(?m)[\x60 ]`+regexp.QuoteMeta(c.name)+`[\x60 ,]`, string(page), "docs/cli.md has no %q", c.name)
	}
}

// Every command, flag and make target that the documentation names is there.
func TestDocumentedCommands(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	targets := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	flags := map[string]map[string]bool{}
	for _, c := range allCommands() {
		flags[c.name] = map[string]bool{"help": true}
		for _, f := range c.allFlags() {
			flags[c.name][f.Names()[0]] = true
		}
	}
	found := 0
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../examples/*/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if filepath.Base(file) == "CHANGELOG.md" { // it names what is gone, too
				continue
			}
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, block := range codeOfPages.FindAllStringSubmatch(string(data), -1) {
				code := block[1] + block[2]
				for _, m := range sluiceLine.FindAllStringSubmatch(code, -1) {
					found++
					if groups[m[1]] != "" {
						second, rest, _ := strings.Cut(strings.TrimSpace(m[2]), " ")
						m[1], m[2] = m[1]+" "+second, " "+rest
					}
					require.NotNil(t, flags[m[1]], "%s names a command that is not there: %s", file, m[0])
					line, _, _ := strings.Cut(m[2], " -- ")
					for _, f := range flagOfLine.FindAllStringSubmatch(line, -1) {
						require.True(t, flags[m[1]][f[1]], "%s names a flag that is not there: %s", file, m[0])
					}
				}
				for _, m := range makeLine.FindAllStringSubmatch(code, -1) {
					require.True(t, targets[m[1]], "%s names make %s", file, m[1])
				}
			}
		}
	}
	require.Greater(t, found, 30)
}
