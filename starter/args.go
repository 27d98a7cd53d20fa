package main

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/suggest"
)

// parsedArgs is a command line with flags and arguments apart. The flag package alone stops at the
// first argument: it would take --wait in "start rollout.yaml --wait" for one.
type parsedArgs struct {
	command     string
	help        bool
	flags       []string
	positionals []string
}

// canonical is the command line with its flags first.
func (p parsedArgs) canonical() []string {
	out := []string{"sluice"}
	if p.command != "" {
		out = append(out, strings.Fields(p.command)...)
	}
	if p.help {
		return append(out, "--help")
	}
	out = append(out, p.flags...)
	out = append(out, "--")
	return append(out, p.positionals...)
}

// flagTable maps every name of a command's flags to whether it takes a value.
type flagTable map[string]bool

func tableOf(flags []cli.Flag) flagTable {
	t := flagTable{}
	for _, f := range flags {
		_, isBool := f.(*cli.BoolFlag)
		for _, name := range f.Names() {
			t[name] = !isBool
		}
	}
	return t
}

// parseArgs tells command, flags and arguments apart. Flags may stand anywhere, also before the
// command, until "--".
func parseArgs(commands []command, words []string) (parsedArgs, error) {
	var p parsedArgs
	name := commandWord(commands, words)
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
	switch {
	case name == "":
		return parseBare(words)
	case name == "help":
		return parseHelp(commands, words)
	case groups[name] != "":
		return parseGroup(commands, name, words)
	case i < 0:
		return p, unknownCommand(commands, name)
	}
	p.command = name
	words = oneWord(name, words)
	err := p.fill(tableOf(commands[i].allFlags()), words)
	if e, ok := errors.AsType[*exitError](err); ok {
		e.command = name
	}
	return p, err
}

// oneWord is a line in which the words of a command's name are one.
func oneWord(name string, words []string) []string {
	first, second, two := strings.Cut(name, " ")
	i := slices.Index(words, first)
	if !two || i < 0 {
		return words
	}
	out := slices.Clone(words)
	if j := slices.Index(out[i:], second); j > 0 {
		out = slices.Delete(out, i+j, i+j+1)
	}
	return out
}

// commandWord is the name of the command: the first word that is no flag and no flag's value, with
// the one after it for commands of two words.
func commandWord(commands []command, words []string) string {
	first, rest := firstWord(commands, words)
	if groups[first] == "" {
		return first
	}
	second, _ := firstWord(commands, rest)
	return strings.TrimSpace(first + " " + second)
}

// firstWord is the first word that is no flag and no flag's value, and what comes after it.
func firstWord(commands []command, words []string) (string, []string) {
	takesValue := flagTable{}
	for _, c := range commands {
		maps.Copy(takesValue, tableOf(c.allFlags()))
	}
	for i := 0; i < len(words); i++ {
		name, _, inline, isFlag := flagWord(words[i])
		if !isFlag {
			return words[i], words[i+1:]
		}
		if takesValue[name] && !inline {
			i++
		}
	}
	return "", nil
}

// flagWord splits a word such as --name=value; "-" and "--" are no flags.
func flagWord(word string) (name, value string, inline, ok bool) {
	trimmed := strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-")
	if trimmed == word || trimmed == "" {
		return "", "", false, false
	}
	name, value, inline = strings.Cut(trimmed, "=")
	return name, value, inline, true
}

// fill sorts the words of a known command into flags and arguments.
func (p *parsedArgs) fill(known flagTable, words []string) error {
	commandSeen := false
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			p.positionals = append(p.positionals, words[i+1:]...)
			return nil
		}
		name, _, inline, isFlag := flagWord(word)
		takesValue, isKnown := known[name]
		switch {
		case !isFlag && !commandSeen:
			commandSeen = true
		case !isFlag:
			p.positionals = append(p.positionals, word)
		case name == "help" || name == "h":
			p.help = true
		case !isKnown:
			return unknownFlag(p.command, known, name)
		case takesValue && !inline:
			i++
			value, err := flagValue(name, words, i)
			if err != nil {
				return err
			}
			p.flags = append(p.flags, "--"+name+"="+value)
		default:
			p.flags = append(p.flags, word)
		}
	}
	return nil
}

// flagValue is the word after a flag; one that looks like a flag was not meant.
func flagValue(name string, words []string, i int) (string, error) {
	if i >= len(words) {
		return "", usagef("--%s needs a value", name)
	}
	if _, _, _, isFlag := flagWord(words[i]); isFlag || words[i] == "--" {
		return "", usagef("--%s needs a value, but %s follows; if that is the value, write --%s=%s", name, words[i], name, words[i])
	}
	return words[i], nil
}

// parseBare is a command line without a command.
func parseBare(words []string) (parsedArgs, error) {
	var p parsedArgs
	for _, w := range words {
		switch name, _, _, ok := flagWord(w); {
		case ok && (name == "help" || name == "h"):
			p.help = true
		case ok && (name == "version" || name == "v"):
			return parsedArgs{command: "version"}, nil
		}
	}
	return p, nil
}

// parseHelp turns "help X" into "X --help".
func parseHelp(commands []command, words []string) (parsedArgs, error) {
	rest := words[slices.Index(words, "help")+1:]
	p := parsedArgs{help: true, command: commandWord(commands, rest)}
	if p.command != "" && groups[p.command] == "" && !slices.ContainsFunc(commands, func(c command) bool { return c.name == p.command }) {
		return p, unknownCommand(commands, p.command)
	}
	return p, nil
}

// parseGroup is a line with the first word of a command of two words only.
func parseGroup(commands []command, group string, words []string) (parsedArgs, error) {
	if slices.Contains(words, "--help") || slices.Contains(words, "-h") {
		return parsedArgs{command: group, help: true}, nil
	}
	var names []string
	for _, c := range commands {
		if second, ok := strings.CutPrefix(c.name, group+" "); ok {
			names = append(names, second)
		}
	}
	return parsedArgs{}, usagef("%s needs one of %s after it", group, strings.Join(names, ", "))
}

func unknownCommand(commands []command, name string) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	if usual, ok := otherNames[strings.ToLower(name)]; ok {
		return usagef("unknown command %q; did you mean %s?", name, usual)
	}
	return usagef("unknown command %q%s", name, suggestion(name, names, ""))
}

// otherNames are what other tools call what Sluice does.
var otherNames = map[string]string{
	"apply": "sluice start SPEC", "deploy": "sluice start SPEC", "run": "sluice start SPEC", "rollout": "sluice start SPEC",
	"cancel": "sluice abort UNIT", "kill": "sluice abort UNIT",
	"revert": "sluice abort UNIT, or sluice undo UNIT", "rollback": "sluice abort UNIT, or sluice undo UNIT",
	"stop":     "sluice abort UNIT, or sluice pause UNIT",
	"continue": "sluice resume UNIT", "unpause": "sluice resume UNIT",
	"history": "sluice list --unit UNIT", "ls": "sluice list", "ps": "sluice list --open", "rollouts": "sluice list",
	"describe": "sluice status UNIT", "get": "sluice status UNIT", "show": "sluice status UNIT",
	"log": "sluice explain UNIT", "logs": "sluice explain UNIT", "why": "sluice explain UNIT",
	"check": "sluice validate SPEC", "lint": "sluice validate SPEC",
	"unlock": "sluice give-up UNIT, or sluice retry-rollback UNIT", "retry": "sluice retry-rollback UNIT",
}

func unknownFlag(command string, known flagTable, name string) error {
	names := slices.Sorted(maps.Keys(known))
	hint := suggestion(name, names, "--")
	usual := otherFlags[strings.ToLower(name)]
	if flag, _, _ := strings.Cut(usual, " "); slices.Contains(names, flag) {
		hint = "; did you mean --" + usual + "?"
	}
	return usagef("%s: unknown flag --%s%s", command, name, hint)
}

// otherFlags are what other tools call Sluice's flags.
var otherFlags = map[string]string{
	"reason": "why", "message": "why", "m": "why", "comment": "why", "because": "why", "user": "by", "as": "by",
	"json": flagOutput + " " + outputJSON, "format": flagOutput, "n": "namespace", "ns": "namespace", "server": "address", "host": "address",
	"follow": "wait", "f": "wait", "w": "wait", "force": "override", "status": "phase", "state": "phase", "running": "open",
}

// wantsJSON says whether --output json is given, even where other flags are wrong: that failure is
// printed in JSON, too.
func wantsJSON(words []string) bool {
	wants := false
	for i, w := range words {
		if w == "--" {
			break
		}
		name, value, inline, ok := flagWord(w)
		if !ok || name != flagOutput && name != "o" {
			continue
		}
		if !inline && i+1 < len(words) {
			value = words[i+1]
		}
		wants = value == outputJSON
	}
	return wants
}

// suggestion is a clause such as "; did you mean --watch?", empty when no known word is near enough
// to be meant.
func suggestion(given string, known []string, prefix string) string {
	if meant, ok := suggest.Nearest(given, known); ok {
		return "; did you mean " + prefix + meant + "?"
	}
	return ""
}
