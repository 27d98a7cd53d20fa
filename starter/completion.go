package main

import (
	"context"
	"flag"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// completeCommand is what the scripts call; its arguments are the words so far, the last one
// perhaps unfinished. It is not listed.
const completeCommand = "__complete"

func completionCommand() command {
	return command{
		name: "completion", arg: "SHELL",
		short: "print the completion script of a shell: bash, zsh or fish",
		long: `Prints a script that makes the shell complete commands, flags and files.

   bash: source <(sluice completion bash)
   zsh:  source <(sluice completion zsh)
   fish: sluice completion fish | source`,
		example: "sluice completion bash > /etc/bash_completion.d/sluice",
		run: func(_ context.Context, con *console, c *cli.Context) error {
			shell := c.Args().First()
			script, ok := completionScripts()[shell]
			if !ok {
				return usagef("completion: shell %q is unknown, expected bash, zsh or fish", shell)
			}
			if con.json {
				return con.object(map[string]string{"shell": shell, "script": script})
			}
			_, err := io.WriteString(con.out, script)
			return err
		},
	}
}

// names are what a namespace knows: its units, and the stages of a unit's rollout.
type names struct {
	units  func() []string
	stages func(unit string) []string
}

// completeWithin bounds what a person who has pressed tab waits for.
const completeWithin = 2 * time.Second

// namesFor asks the server that a line with these words would ask. It knows nothing where none
// answers in time.
func namesFor(ctx context.Context, words []string) names {
	asking := func(ask func(ctx context.Context, r *remote) []string) []string {
		set := flag.NewFlagSet("", flag.ContinueOnError)
		set.SetOutput(io.Discard)
		for _, f := range remoteFlags() {
			if f.Apply(set) != nil {
				return nil
			}
		}
		ctx, cancel := context.WithTimeout(ctx, completeWithin)
		defer cancel()
		if set.Parse(remoteWords(words)) != nil {
			return nil
		}
		r, err := dial(ctx, &console{}, cli.NewContext(nil, set, nil))
		if err != nil {
			return nil
		}
		defer r.client.Close()
		return ask(ctx, r)
	}
	return names{
		units: func() []string {
			return asking(func(ctx context.Context, r *remote) (units []string) {
				found, _ := r.list(ctx, listFilter{limit: 100, unasked: true})
				for _, row := range found.rows {
					units = append(units, row.Unit)
				}
				slices.Sort(units)
				return slices.Compact(units)
			})
		},
		stages: func(unit string) []string {
			return asking(func(ctx context.Context, r *remote) (stages []string) {
				if v, err := r.look(ctx, unit, ""); err == nil && v.State != nil {
					for _, s := range v.State.Stages {
						stages = append(stages, s.Name)
					}
				}
				return stages
			})
		},
	}
}

// remoteWords are the flags of a line that say which server is meant.
func remoteWords(words []string) []string {
	var out []string
	known := tableOf(remoteFlags())
	for i, w := range words {
		name, _, inline, ok := flagWord(w)
		takesValue, is := known[name]
		if !ok || !is {
			continue
		}
		out = append(out, w)
		if takesValue && !inline && i+1 < len(words) {
			out = append(out, words[i+1])
		}
	}
	return out
}

// candidates are the completions of the last word. Nothing means files.
func candidates(commands []command, words []string, n names) []string {
	last, before := "", ""
	if len(words) > 0 {
		last = words[len(words)-1]
		words = words[:len(words)-1]
	}
	if len(words) > 0 {
		before = words[len(words)-1]
	}
	var given parsedArgs
	if parsed, err := parseArgs(commands, words); err == nil || before != "" {
		given = parsed
	}
	name := commandWord(commands, words)
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
	var all []string
	switch {
	case before == "--output" || before == "-o":
		all = []string{outputText, outputJSON}
	case before == "--phase":
		all = phases()
	case before == "--outcome":
		all = results()
	case before == "--unit":
		all = n.units()
	case before == "--stage" && len(given.positionals) > 0:
		all = n.stages(given.positionals[0])
	case name == "" || name == "help":
		for _, c := range commands {
			first, _, _ := strings.Cut(c.name, " ")
			all = append(all, first)
		}
		all = slices.Compact(all)
	case groups[name] != "":
		for _, c := range commands {
			if second, ok := strings.CutPrefix(c.name, name+" "); ok {
				all = append(all, second)
			}
		}
	case i < 0:
	case strings.HasPrefix(last, "-"):
		for flag := range tableOf(commands[i].allFlags()) {
			if len(flag) > 1 {
				all = append(all, "--"+flag)
			}
		}
		all = append(all, "--help")
		slices.Sort(all)
	case name == "completion":
		all = []string{"bash", "zsh", "fish"}
	case strings.Contains(commands[i].arg, "UNIT") && len(given.positionals) == 0 && !takesValue(commands[i], before):
		all = n.units()
	}
	return slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(s, last) })
}

// takesValue says whether a word is a flag whose value comes next.
func takesValue(c command, word string) bool {
	name, _, inline, ok := flagWord(word)
	return ok && !inline && tableOf(c.allFlags())[name]
}

func completionScripts() map[string]string {
	return map[string]string{
		"bash": `_sluice() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" ` + completeCommand + ` "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _sluice sluice
`,
		"zsh": `#compdef sluice
_sluice() {
  local -a found
  found=(${(f)"$("${words[1]}" ` + completeCommand + ` "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( ${#found} )); then compadd -a found; else _files; fi
}
if [ "$funcstack[1]" = "_sluice" ]; then _sluice "$@"; else compdef _sluice sluice; fi
`,
		"fish": `function __sluice_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] ` + completeCommand + ` $words[2..-1] 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c sluice -f -a '(__sluice_complete)'
`,
	}
}
