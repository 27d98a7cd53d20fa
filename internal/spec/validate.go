package spec

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/suggest"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// validator finds what is wrong with the meaning of a spec that was decoded. It
// looks at the spec as written, before any default is filled in, and goes on
// after every problem.
type validator struct {
	doc  *strictyaml.Document
	spec *Spec
}

func (v *validator) run() {
	v.identity()
	if v.needs("driver") {
		v.driver()
	}
	v.times(v.spec.Health)
	v.bounds()
	v.partial()
	v.notify()
	if v.needs("stages") {
		v.stages()
	}
	if v.needs("health") {
		v.health()
	}
}

// bad records a problem with the value at a path.
func (v *validator) bad(path, format string, args ...any) {
	v.doc.Add(path, fmt.Sprintf(format, args...))
}

// given says whether the file sets a field, rightly or wrongly.
func (v *validator) given(path string) bool { return v.doc.Has(path) || v.doc.Bad(path) }

// anyGiven says whether the file sets one of the fields of a path.
func (v *validator) anyGiven(path string, fields ...string) bool {
	return slices.ContainsFunc(fields, func(field string) bool { return v.given(path + "." + field) })
}

// needs records a problem unless the file sets a field.
func (v *validator) needs(path string) bool {
	if !v.given(path) {
		v.bad(path, "is required")
		return false
	}
	return true
}

// at names the place of a value, for a problem that concerns two.
func (v *validator) at(path string) string {
	line, column := v.doc.Position(path)
	return fmt.Sprintf("%d:%d", line, column)
}

var (
	unitForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	nameForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	labelForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]*$`)
)

func (v *validator) identity() {
	if v.needs("unit") && !unitForm.MatchString(v.spec.Unit) {
		v.bad("unit", "%s is not a unit, expected 1 to 64 lower-case letters, digits, '.', '_' and '-', beginning with a letter or a digit", strictyaml.Quote(v.spec.Unit))
	}
	if v.needs("release") && !isRelease(v.spec.Release) {
		v.bad("release", "%s is not a release, expected 1 to 128 printable characters without spaces, not beginning with '-'", strictyaml.Quote(v.spec.Release))
	}
	if v.needs("fleet") {
		v.fleet(v.spec.Fleet)
	}
}

// isRelease holds for what can be an element of an argv, a word on a line and a
// field of a table, and nothing else. A target keeps at most 256 bytes.
func isRelease(s string) bool {
	printable := !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r) || r == utf8.RuneError
	})
	n := utf8.RuneCountInString(s)
	return printable && n >= 1 && n <= 128 && len(s) <= 256 && s[0] != '-'
}

func (v *validator) driver() {
	switch hasHTTP, hasExec := v.given("driver.http"), v.given("driver.exec"); {
	case hasHTTP && hasExec:
		v.bad("driver", "has http and exec, expected exactly one driver")
	case !hasHTTP && !hasExec:
		v.bad("driver", "has no driver, expected exactly one of http and exec, such as http: {}")
	}
	if h := v.spec.Driver.HTTP; h != nil {
		if v.doc.Has("driver.http.url") {
			v.urlTemplate("driver.http.url", h.URL, tmpl.ID, tmpl.Address, tmpl.Unit, tmpl.Label)
		}
		if v.doc.Has("driver.http.token") {
			v.token("driver.http.token", h.Token)
		}
		v.positive("driver.http.timeout", h.Timeout)
	}
	if e := v.spec.Driver.Exec; e != nil {
		target := []string{tmpl.ID, tmpl.Address, tmpl.Unit, tmpl.Label}
		order := append(slices.Clone(target), tmpl.Release, tmpl.Fence)
		v.argv("driver.exec.observe", e.Observe, true, target)
		v.argv("driver.exec.apply", e.Apply, true, order)
		v.argv("driver.exec.validate", e.Validate, false, order)
		v.positive("driver.exec.timeout", e.Timeout)
	}
}

func (v *validator) argv(path string, argv []string, required bool, allowed []string) {
	if !v.given(path) && !required || required && !v.needs(path) {
		return
	}
	if len(argv) == 0 {
		v.bad(path, "is an empty list, expected a program and its arguments, such as [./switch.sh, \"{{id}}\"]")
		return
	}
	if argv[0] == "" || strings.Contains(argv[0], "{{") {
		v.bad(strictyaml.Index(path, 0), "%s is not a program, expected a fixed path or name; placeholders go into its arguments", strictyaml.Quote(argv[0]))
	}
	for i, arg := range argv {
		at := strictyaml.Index(path, i)
		if strings.ContainsRune(arg, 0) {
			v.bad(at, "holds a NUL byte, which no argument can")
		}
		v.template(at, arg, allowed...)
	}
	v.noSecretInArgv(path, argv)
}

var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// template checks a text with {{placeholders}}.
func (v *validator) template(path, text string, allowed ...string) bool {
	err := tmpl.Check(text, allowed...)
	if err == nil {
		return true
	}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if tmpl.Check("{{"+m[1]+"}}", allowed...) == nil {
			continue
		}
		if best, ok := suggest.Nearest(m[1], slices.Values(allowed)); ok && best != tmpl.Label {
			v.bad(path, "%s, did you mean {{%s}}?", err, best)
			return false
		}
	}
	v.bad(path, "%s", err)
	return false
}

// urlTemplate checks a URL with placeholders.
func (v *validator) urlTemplate(path, text string, allowed ...string) {
	if v.template(path, text, allowed...) && v.plainURL(path, placeholder.ReplaceAllString(text, "x")) != nil {
		v.noSecretInURL(path, text)
	}
}

// url checks a URL as the worker will use it.
func (v *validator) url(path, text string) *url.URL {
	u := v.plainURL(path, text)
	if u == nil || !v.noSecretInURL(path, text) {
		return nil
	}
	return u
}

// plainURL checks the form of a URL. It never repeats the URL: there may be a password
// in it.
func (v *validator) plainURL(path, text string) *url.URL {
	u, err := url.Parse(text)
	switch {
	case !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://"):
		v.bad(path, "is not an address that can be asked, expected a URL that begins with http:// or https://")
	case strings.Contains(strings.SplitN(text, "/", 4)[2], "@") || err == nil && u.User != nil:
		v.bad(path, "has a user or a password in it, which would stand in the rollout's history: expected %s", instead(path))
	case err != nil || u.Hostname() == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		v.bad(path, "is not a URL, expected one such as http://host:9090")
	case u.Fragment != "" || strings.Contains(text, "#"):
		v.bad(path, "has a fragment (#), expected a URL without")
	default:
		return u
	}
	return nil
}

func (v *validator) bounds() {
	v.between("apply.batch", v.spec.Apply.Batch, 1, MaxBatch)
	v.between("apply.parallel", v.spec.Apply.Parallel, 1, 10_000)
	v.between("apply.attempts", v.spec.Apply.Attempts, 1, 100)
	v.between("rollback.parallel", v.spec.Rollback.Parallel, 1, 10_000)
	v.positive("rollback.deadline", v.spec.Rollback.Deadline)
	v.positive("rollback.recover", v.spec.Rollback.Recover)
}

// between checks a number if the file sets it.
func (v *validator) between(path string, n, low, high int) {
	if v.doc.Has(path) && (n < low || n > high) {
		v.bad(path, "is %d, expected %d to %d", n, low, high)
	}
}

// positive checks a duration if the file sets it.
func (v *validator) positive(path string, d Duration) {
	if v.doc.Has(path) && d <= 0 {
		v.bad(path, "is 0s, expected more")
	}
}

// oneOf checks a word if the file sets it.
func (v *validator) oneOf(path, word string, known ...string) {
	if !v.doc.Has(path) || slices.Contains(known, word) {
		return
	}
	hint := ""
	if best, ok := suggest.Nearest(word, slices.Values(known)); ok {
		hint = ", did you mean " + best + "?"
	}
	v.bad(path, "is %s, expected %s%s", strictyaml.Quote(word), strings.Join(known, " or "), hint)
}
