package main

import (
	"cmp"
	"strings"
)

// asciiOnly says that what shows the output knows no more than ASCII, as far as the environment
// tells: a dumb terminal, or a locale that is set and is not UTF-8. Where no locale is set, as in
// most containers, nothing is known, and nearly everything shows UTF-8.
func asciiOnly(env func(string) string) bool {
	if env("TERM") == "dumb" {
		return true
	}
	locale := strings.ToLower(cmp.Or(env("LC_ALL"), env("LC_CTYPE"), env("LANG")))
	return locale != "" && !strings.Contains(locale, "utf-8") && !strings.Contains(locale, "utf8")
}

// inASCII is a line with each sign that Sluice draws with replaced by one of ASCII, as wide as it.
// Text from elsewhere stays as it is.
func inASCII(line string) string {
	return strings.NewReplacer(
		"▁", "_", "▂", ".", "▃", ":", "▄", "-", "▅", "=", "▆", "+", "▇", "*", "█", "#", "░", ".",
		"├", "|", "└", "`", "─", "-", "│", "|",
		"✓", "+", "✗", "x", "●", "*", "○", "o", "↩", "<", "→", ">", "×", "x", "·", "-", "–", "-", "…", "~", "▸", ">",
	).Replace(line)
}

// shown is lines as the console shows them.
func (c *console) shown(lines []string) []string {
	if !c.ascii {
		return lines
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = inASCII(l)
	}
	return out
}
