// Package secret resolves references to secrets. A spec holds only references, ${env:NAME} or
// file:/path, and they are resolved where they are used, so that no secret enters a workflow's
// history, a log or an error.
package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxSize bounds a secret's file: tokens and keys are far smaller, and a mistyped path may point at
// anything.
const maxSize = 64 << 10

const redacted = "[redacted]"

var envRef = regexp.MustCompile(`^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$`)

// errForm never repeats what it was given: that may be a secret written inline.
var errForm = errors.New("not a reference to a secret, expected ${env:NAME} or file:/absolute/path (a secret itself is never written here)")

// Secret is a value that shows itself only through Reveal: printing, logging and encoding it give
// "[redacted]". The zero value is an empty secret.
type Secret struct{ value string }

// New wraps a value.
func New(value string) Secret { return Secret{value: value} }

// Reveal is the value itself. Use it only to hand it to its consumer.
func (s Secret) Reveal() string { return s.value }

// String is "[redacted]".
func (Secret) String() string { return redacted }

// Format writes "[redacted]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText writes "[redacted]", also as JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue is "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Bearer sends the secret as a bearer token, unless it is empty.
func (s Secret) Bearer(h http.Header) error {
	if strings.ContainsAny(s.value, "\r\n\x00") {
		return errors.New("the token is more than one line")
	}
	if s.value != "" {
		h.Set("Authorization", "Bearer "+s.value)
	}
	return nil
}

// Redact replaces every occurrence of the secret in text, such as a server's answer that repeats
// what it was sent: as it is, and as it stands in JSON, in a URL, between quotes, in hexadecimal
// digits and in base64 by itself.
func (s Secret) Redact(text string) string {
	if s.value == "" {
		return text
	}
	for _, form := range s.forms() {
		text = strings.ReplaceAll(text, form, redacted)
	}
	return text
}

// Shows says whether the secret is in text, in a form that Redact knows.
func (s Secret) Shows(text string) bool { return s.Redact(text) != text }

// forms are ways to write the secret, longer ones first, so that none leaves a part of another
// behind.
func (s Secret) forms() []string {
	raw := []byte(s.value)
	quoted := strconv.Quote(s.value)
	all := []string{
		s.value, quoted[1 : len(quoted)-1], url.QueryEscape(s.value), url.PathEscape(s.value),
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	}
	for _, escape := range []bool{false, true} {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(escape)
		if enc.Encode(s.value) == nil {
			text := strings.TrimSpace(b.String())
			all = append(all, text[1:len(text)-1])
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

// Check says whether ref has the form of a reference. It looks nothing up.
func Check(ref string) error {
	if envRef.MatchString(ref) {
		return nil
	}
	if path, ok := strings.CutPrefix(ref, "file:"); ok && filepath.IsAbs(path) {
		return nil
	}
	return errForm
}

// Resolve looks a reference up: in the environment, or in a file, without the white space around
// it. What is missing or empty is an error.
func Resolve(ref string) (Secret, error) {
	if err := Check(ref); err != nil {
		return Secret{}, err
	}
	if m := envRef.FindStringSubmatch(ref); m != nil {
		value := os.Getenv(m[1])
		if value == "" {
			return Secret{}, fmt.Errorf("environment variable %s is not set or empty, set it for this process", m[1])
		}
		return Secret{value: value}, nil
	}
	return fromFile(strings.TrimPrefix(ref, "file:"))
}

func fromFile(path string) (Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Secret{}, fmt.Errorf("secret: %w", err)
	}
	// A pipe or a device could block for ever or never end.
	if !info.Mode().IsRegular() {
		return Secret{}, fmt.Errorf("secret: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("secret: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return Secret{}, fmt.Errorf("secret: %w", err)
	}
	if len(data) > maxSize {
		return Secret{}, fmt.Errorf("secret: %s is larger than %d bytes", path, maxSize)
	}
	value := strings.TrimSpace(string(data))
	if value == "" {
		return Secret{}, fmt.Errorf("secret: %s is empty", path)
	}
	return Secret{value: value}, nil
}
