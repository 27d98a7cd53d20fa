// Package matchers reads Alertmanager's label matchers, such as severity=critical or
// service=~"edge.*", with the placeholders $unit, $release, $previous and $stage in their values.
package matchers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/suggest"
)

// MaxLength bounds a matcher, in bytes.
const MaxLength = 1000

// Names of the placeholders, without the dollar sign.
var names = []string{"unit", "release", "previous", "stage"}

// Values is what the placeholders stand for.
type Values struct{ Unit, Release, Previous, Stage string }

func (v Values) of(name string) string {
	return map[string]string{"unit": v.Unit, "release": v.Release, "previous": v.Previous, "stage": v.Stage}[name]
}

// Error is a problem inside a matcher.
type Error struct {
	// Offset is where it is, in bytes from the matcher's beginning.
	Offset  int
	Message string
}

func (e *Error) Error() string { return e.Message }

func errAt(offset int, format string, args ...any) *Error {
	return &Error{Offset: offset, Message: fmt.Sprintf(format, args...)}
}

// Matcher is a condition on one label. Build it with Parse; it is safe for concurrent use.
type Matcher struct {
	name, op string
	value    string // may hold placeholders until Fill
	pattern  *regexp.Regexp
}

// form is a label's name, an operator, and the rest.
var form = regexp.MustCompile(`^(\s*)([a-zA-Z_][a-zA-Z0-9_]*)(\s*)(=~|!=|!~|=)(\s*)`)

// Parse reads one matcher: a label, one of = != =~ !~, and a value, which may be quoted. Its error
// is an *Error.
func Parse(text string) (Matcher, error) {
	if len(text) > MaxLength {
		return Matcher{}, errAt(0, "has %d bytes, expected at most %d", len(text), MaxLength)
	}
	if !utf8.ValidString(text) {
		return Matcher{}, errAt(0, "is not valid UTF-8")
	}
	at := form.FindStringSubmatchIndex(text)
	if at == nil {
		return Matcher{}, errAt(len(text)-len(strings.TrimLeft(text, " \t")),
			`is not a matcher, expected a label, one of = != =~ !~ and a value, such as severity=critical or service=~"edge.*"`)
	}
	m := Matcher{name: text[at[4]:at[5]], op: text[at[8]:at[9]]}
	offset := at[1]
	var err error
	if m.value, err = unquote(strings.TrimRight(text[offset:], " \t\n"), offset); err != nil {
		return Matcher{}, err
	}
	if err := placeholders(text, offset); err != nil {
		return Matcher{}, err
	}
	if _, err := m.Fill(Values{}); err != nil {
		return Matcher{}, errAt(offset, "%s", err)
	}
	return m, nil
}

// unquote reads a value as Alertmanager does: with or without double quotes, in which \" \\ and \n
// stand for what they say. Other backslashes are themselves.
func unquote(text string, offset int) (string, error) {
	body, quoted := strings.CutPrefix(text, `"`)
	if quoted {
		offset++
	}
	var out strings.Builder
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '\\' && i+1 < len(body) && strings.IndexByte(`"\n`, body[i+1]) >= 0:
			i++
			out.WriteByte(map[byte]byte{'"': '"', '\\': '\\', 'n': '\n'}[body[i]])
		case c == '"' && quoted && i == len(body)-1:
			return out.String(), nil
		case c == '"':
			return "", errAt(offset+i, `has a double quote inside its value, expected \" there, or the quote at its end`)
		case !quoted && strings.IndexByte(",{}", c) >= 0:
			return "", errAt(offset+i, "has %q in a value without quotes, expected one matcher, with quotes around a value that holds it", string(c))
		default:
			out.WriteByte(c)
		}
	}
	if quoted {
		return "", errAt(offset+len(body), "ends inside quotes, expected a double quote at its end")
	}
	return out.String(), nil
}

// placeholder is a dollar sign and a name.
var placeholder = regexp.MustCompile(`\$([a-zA-Z_][a-zA-Z0-9_]*)`)

// placeholders refuses those that nothing is known for.
func placeholders(text string, from int) error {
	for _, at := range placeholder.FindAllStringSubmatchIndex(text[from:], -1) {
		name := text[from:][at[2]:at[3]]
		if slices.Contains(names, name) {
			continue
		}
		if best, ok := suggest.Nearest(name, names); ok {
			return errAt(from+at[0], "unknown placeholder $%s, did you mean $%s?", name, best)
		}
		return errAt(from+at[0], "unknown placeholder $%s (known: $%s)", name, strings.Join(names, ", $"))
	}
	return nil
}

// Fill answers the matcher with values instead of placeholders. In a regular expression they match
// themselves only.
func (m Matcher) Fill(v Values) (Matcher, error) {
	m.value = placeholder.ReplaceAllStringFunc(m.value, func(name string) string {
		value := strings.ToValidUTF8(v.of(name[1:]), "?")
		if m.regular() {
			return regexp.QuoteMeta(value)
		}
		return value
	})
	if !m.regular() {
		return m, nil
	}
	_, err := regexp.Compile(m.value) // alone first: a)|(b is one only in a group
	if err == nil {
		m.pattern, err = regexp.Compile("^(?:" + m.value + ")$")
	}
	if err != nil {
		return Matcher{}, fmt.Errorf("%q is not a regular expression: %w", m.value, err)
	}
	return m, nil
}

func (m Matcher) regular() bool { return m.op == "=~" || m.op == "!~" }

// String is the matcher as every version of Alertmanager reads it: with quotes.
func (m Matcher) String() string {
	return m.name + m.op + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(m.value) + `"`
}

// Matches says whether labels fulfil a filled matcher. A label that is not there is empty.
func (m Matcher) Matches(labels map[string]string) bool {
	value := labels[m.name]
	switch m.op {
	case "=":
		return value == m.value
	case "!=":
		return value != m.value
	case "=~":
		return m.pattern != nil && m.pattern.MatchString(value)
	default:
		return m.pattern != nil && !m.pattern.MatchString(value)
	}
}
