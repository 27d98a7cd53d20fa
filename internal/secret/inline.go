package secret

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// InURL says what of a URL, which may be a template, looks like a secret that was written into it;
// empty when nothing does. It names the kind, never the value. It knows what secrets are usually
// called and how well-known ones are built, so it finds what was written in haste and not what is
// hidden. A user is the caller's to refuse.
func InURL(text string) string {
	text = plain(text)
	if what := wellKnown(text); what != "" {
		return what
	}
	_, query, _ := strings.Cut(text, "?")
	query, _, _ = strings.Cut(query, "#")
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if unescaped, err := url.QueryUnescape(name); err == nil {
			name = unescaped
		}
		if what := named(name, value); what != "" {
			return what
		}
	}
	return ""
}

// InHeader says what of a header looks like a secret that was written into it; empty when nothing
// does.
func InHeader(name, value string) string {
	if what := inText(name+": "+value, []string{""}); what != "" {
		return what
	}
	return named(name, value)
}

// InArgv says which element of a command looks as if it held a secret, and what; empty when none
// does. What is looked up when the program runs is none: a path, a reference, a variable of a
// shell, a placeholder.
func InArgv(argv []string) (at int, what string) {
	args := make([]string, len(argv))
	for i, arg := range argv {
		args[i] = plain(arg)
	}
	for i, arg := range args {
		if what := inText(arg, args); what != "" {
			return i, what
		}
		if i == 0 || !strings.HasPrefix(args[i-1], "-") || strings.HasPrefix(arg, "-") {
			continue
		}
		if what := flagged(args[i-1], arg, args); what != "" {
			return i, what
		}
	}
	return 0, ""
}

// gap stands for a placeholder: what is filled in is not written in the spec.
const gap = "\uE000"

var placeholders = regexp.MustCompile(`\{\{[^{}]*\}\}`)

func plain(text string) string { return placeholders.ReplaceAllString(text, gap) }

var (
	quotedOrWord = `("[^"]*"|'[^']*'|[^\s'"]+)`
	assignment   = regexp.MustCompile(`(?:^|[\s'"])-{0,2}([A-Za-z][\w.-]*)=` + quotedOrWord)
	flagAndWord  = regexp.MustCompile(`(?:^|\s)(--?[A-Za-z][\w.-]*)\s+` + quotedOrWord)
	jsonField    = regexp.MustCompile(`"([\w.-]+)"\s*:\s*"([^"]+)"`)
	header       = regexp.MustCompile(`(?i)(?:^|[\s'"=]|-H)((?:[a-z]+-)+[a-z]+):\s*([^\s'"]+)`)
	identity     = regexp.MustCompile(`(?i)(?:^|[\s'"=]|-H)((?:proxy-)?authorization|cookie)\s*[:=]\s*` +
		`(?:(?:basic|bearer|digest|token|apikey)\s+|[\w-]+=)?([^\s'"]+)`)
	userInURL = regexp.MustCompile(`[A-Za-z][\w+.-]*://[^/\s'"@:]*:([^/\s'"@]+)@`)
	someURL   = regexp.MustCompile(`https?://[^\s'"]+`)
)

// inText looks into one element, which may be a whole line for a shell.
func inText(text string, argv []string) string {
	if what := wellKnown(text); what != "" {
		return what
	}
	for _, m := range identity.FindAllStringSubmatch(text, -1) {
		if literal(m[2]) {
			return strings.TrimPrefix(strings.ToLower(m[1]), "proxy-")
		}
	}
	for _, m := range userInURL.FindAllStringSubmatch(text, -1) {
		if literal(m[1]) {
			return "password"
		}
	}
	for _, u := range someURL.FindAllString(text, -1) {
		if what := InURL(u); what != "" {
			return what
		}
	}
	for _, form := range []*regexp.Regexp{header, assignment, jsonField} {
		for _, m := range form.FindAllStringSubmatch(text, -1) {
			if what := flagged("--"+m[1], m[2], argv); what != "" {
				return what
			}
		}
	}
	for _, m := range flagAndWord.FindAllStringSubmatch(text, -1) {
		if what := flagged(m[1], m[2], argv); what != "" {
			return what
		}
	}
	if rest, ok := strings.CutPrefix(text, "-u"); ok && program(argv) == "curl" && login(rest, argv) {
		return "password"
	}
	return ""
}

// flagged judges a value by the flag before it.
func flagged(flag, value string, argv []string) string {
	switch {
	case flag == "-u" || flag == "--user" || flag == "--proxy-user":
		if login(value, argv) {
			return "password"
		}
	case flag == "-p" && program(argv) == "sshpass" && literal(value):
		return "password"
	case strings.HasPrefix(value, "-"): // the next flag
	default:
		return named(flag, value)
	}
	return ""
}

var (
	nameAndWord = regexp.MustCompile(`^([^:/\s]+):([^\s]+)$`)
	digits      = regexp.MustCompile(`^[0-9]{1,6}$`)
	// asUser are programs that take a user and a group.
	asUser = map[string]bool{"docker": true, "podman": true, "nerdctl": true, "chroot": true, "setpriv": true}
)

// login says whether a value is a user with a password. A user with a group and a host with a port
// are none.
func login(value string, argv []string) bool {
	m := nameAndWord.FindStringSubmatch(unquoted(value))
	if m == nil || digits.MatchString(m[2]) || m[1] == m[2] || strings.HasPrefix(m[2], "//") {
		return false
	}
	return literal(m[2]) && !slices.ContainsFunc(argv, func(arg string) bool { return asUser[path.Base(arg)] })
}

func program(argv []string) string { return path.Base(argv[0]) }
