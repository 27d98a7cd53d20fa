package spec

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/suggest"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// A spec goes into the history of a rollout as it is, so a secret in it can be read for as long as
// Temporal keeps that. No message here repeats what may be one.

// How a secret gets to where a URL leads without standing in it.
const (
	TokenBeside = "token: ${env:NAME} or file:/absolute/path beside it, which the worker looks up and sends as a bearer token"
	ProxyBefore = "a proxy in front that adds it"
	wholeSecret = "the whole URL as a reference, ${env:NAME} or file:/absolute/path, which the worker looks up, or token with one beside it"
)

// replaceIt ends every message about what may be a secret.
const replaceIt = "; if it is a secret, replace it: it is in this file's history"

// placeholder matches one {{name}} of a template.
var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// Template checks a text with {{placeholders}}.
func (s Section) Template(field, text string, allowed ...string) bool {
	err := tmpl.Check(text, allowed...)
	if err == nil {
		return true
	}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if tmpl.Check("{{"+m[1]+"}}", allowed...) == nil {
			continue
		}
		if best, ok := suggest.Nearest(m[1], allowed); ok && best != tmpl.Label {
			s.Bad(field, "%s, did you mean {{%s}}?", err, best)
			return false
		}
	}
	s.Bad(field, "%s", err)
	return false
}

// TargetTemplate is Template for one that must differ from target to target.
func (s Section) TargetTemplate(field, text string) bool {
	if !s.Template(field, text, tmpl.ID, tmpl.Address, tmpl.Label) {
		return false
	}
	s.PerTarget(field, text)
	return !s.IsBad(field)
}

// NamesTarget says whether a template has a placeholder whose value differs from target to target.
func NamesTarget(text string) bool {
	return slices.ContainsFunc(placeholder.FindAllStringSubmatch(text, -1), func(m []string) bool {
		return tmpl.Check("{{"+m[1]+"}}", tmpl.ID, tmpl.Address, tmpl.Label) == nil
	})
}

// PerTarget refuses a template that is the same for every target.
func (s Section) PerTarget(field, text string) {
	if !s.IsBad(field) && !NamesTarget(text) {
		s.Bad(field, "is the same for every target, expected a template over {{id}}, {{address}} and {{label.NAME}}")
	}
}

// URLTemplate checks a URL with placeholders if the file sets it. Instead says how a secret gets
// there, such as TokenBeside.
func (s Section) URLTemplate(field, text, instead string, allowed ...string) {
	if !s.Has(field) || !s.Template(field, text, allowed...) {
		return
	}
	if s.plainURL(field, placeholder.ReplaceAllString(text, "x"), instead) != nil {
		s.noSecretInURL(field, text, instead)
	}
}

// URL checks a URL as the worker will use it. Instead is as in URLTemplate.
func (s Section) URL(field, text, instead string) *url.URL {
	u := s.plainURL(field, text, instead)
	if u == nil || !s.noSecretInURL(field, text, instead) {
		return nil
	}
	return u
}

// BaseURL is URL for one that paths and queries are put behind. Example is how one is described,
// such as "the base URL of a Prometheus API, such as http://prometheus:9090".
func (s Section) BaseURL(field, text, example string) {
	if u := s.URL(field, text, ProxyBefore); u != nil && u.RawQuery != "" {
		s.Bad(field, "has a query (?), expected %s", example)
	}
}

// plainURL checks the form of a URL. It never repeats the URL: there may be a password in it.
func (s Section) plainURL(field, text, instead string) *url.URL {
	u, err := url.Parse(text)
	switch {
	case !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://"):
		s.Bad(field, "is not a URL, expected one that begins with http:// or https://")
	case strings.Contains(strings.SplitN(text, "/", 4)[2], "@") || err == nil && u.User != nil:
		s.Bad(field, "has a user or a password in it, which would be in the rollout's history: expected %s", instead)
	case err != nil || u.Hostname() == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		s.Bad(field, "is not a URL, expected one such as http://host:9090")
	case u.Fragment != "" || strings.Contains(text, "#"):
		s.Bad(field, "has a fragment (#), expected a URL without")
	default:
		return u
	}
	return nil
}

// noSecretInURL refuses a URL in which a secret was written, also as a template.
func (s Section) noSecretInURL(field, text, instead string) bool {
	what := secret.InURL(text)
	if what == "" {
		return true
	}
	s.Bad(field, "holds what looks like a secret (%s), which would be in the rollout's history: expected %s%s", what, instead, replaceIt)
	return false
}

// Endpoint checks a template of host:port. An address has both.
func (s Section) Endpoint(field, text string) {
	if !s.Template(field, text, tmpl.ID, tmpl.Address, tmpl.Label) {
		return
	}
	if s.PerTarget(field, text); s.IsBad(field) {
		return
	}
	host, port, err := net.SplitHostPort(placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if strings.Trim(name, "{} ") == tmpl.Address {
			return "x:1"
		}
		return "1"
	}))
	n, notNumber := strconv.Atoi(port)
	if err != nil || notNumber != nil || host == "" || n < 1 || n > 65535 || strings.ContainsAny(host, "/@ ") {
		s.Bad(field,
			`%s is not host:port, expected "{{address}}" (which has a port), or a host and a port such as "{{label.ip}}:9000"`,
			strictyaml.Quote(text))
	}
}

// Token checks a reference to a secret if the file sets it. It never repeats what it was given:
// that may be the secret itself.
func (s Section) Token(field, ref string) {
	if s.Has(field) && secret.Check(ref) != nil {
		s.Bad(field,
			"is not a reference to a secret, expected ${env:NAME} or file:/absolute/path, which the worker looks up; a secret itself is never "+
				"written here (if it was, replace it: it is in this file's history)")
	}
}

// Argv checks a program with its arguments if the file sets it: no shell, a fixed program, and
// placeholders in its arguments.
func (s Section) Argv(field string, argv []string, allowed ...string) {
	if !s.Given(field) {
		return
	}
	if len(argv) == 0 {
		s.Bad(field, "is an empty list, expected a program and its arguments, such as [./switch.sh, \"{{id}}\"]")
		return
	}
	if argv[0] == "" || strings.Contains(argv[0], "{{") {
		s.Bad(strictyaml.Index(field, 0),
			"%s is not a program, expected a fixed path or name; placeholders go into its arguments", strictyaml.Quote(argv[0]))
	}
	for i, arg := range argv {
		at := strictyaml.Index(field, i)
		if strings.ContainsRune(arg, 0) {
			s.Bad(at, "holds a NUL byte, which no argument can")
		}
		s.Template(at, arg, allowed...)
	}
	if at, what := secret.InArgv(argv); what != "" {
		s.Bad(strictyaml.Index(field, at),
			"holds what looks like a secret (%s), which would be in the rollout's history and in the list of processes: expected the path of "+
				"a file on the worker that the program reads, such as --token-file=/run/secrets/token%s", what, replaceIt)
	}
}
