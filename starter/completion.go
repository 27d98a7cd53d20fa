package main

import (
	"context"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completeCommand is what the scripts call; its arguments are the words so far,
// the last one perhaps unfinished. It is not listed.
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
			return con.answer(map[string]string{"shell": shell, "script": script}, []string{strings.TrimRight(script, "\n")})
		},
	}
}

// candidates are the completions of the last word. Nothing means files.
func candidates(commands []command, words []string) []string {
	last := ""
	if len(words) > 0 {
		last = words[len(words)-1]
		words = words[:len(words)-1]
	}
	name := commandWord(commands, words)
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
	var all []string
	switch {
	case len(words) > 0 && (words[len(words)-1] == "--output" || words[len(words)-1] == "-o"):
		all = []string{outputText, outputJSON}
	case name == "" || name == "help":
		for _, c := range commands {
			all = append(all, c.name)
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
	}
	return slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(s, last) })
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
