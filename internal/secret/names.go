package secret

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// kinds are how the names of secrets end, without what is between their words.
var kinds = []struct{ end, what string }{
	{"password", "password"},
	{"passwd", "password"},
	{"passphrase", "password"},
	{"pwd", "password"},
	{"token", "token"},
	{"apikey", "api key"},
	{"accesskey", "access key"},
	{"secretkey", "secret"},
	{"clientsecret", "secret"},
	{"privatekey", "private key"},
	{"credential", "credential"},
	{"credentials", "credential"},
}

// weak are names of secrets and of much else: their values decide.
var weak = map[string]bool{"secret": true, "key": true, "sig": true, "signature": true, "auth": true, "pass": true}

// named judges a value by its name.
func named(name, value string) string {
	if !literal(value) {
		return ""
	}
	name = strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(name))
	if weak[name] && random(unquoted(value)) {
		return name
	}
	for _, k := range kinds {
		if strings.HasSuffix(name, k.end) {
			return k.what
		}
	}
	return ""
}

// references are how values begin that say where something is.
var references = []string{"/", "./", "../", "~", "@", "$", "`", "<", "file:", "env:"}

// literal says whether a value could be a secret itself.
func literal(value string) bool {
	value = unquoted(value)
	if slices.ContainsFunc(references, func(begin string) bool { return strings.HasPrefix(value, begin) }) {
		return false
	}
	switch strings.ToLower(value) {
	case "true", "false", "yes", "no", "on", "off", "none", "null", "never", "always":
		return false
	}
	written := strings.ReplaceAll(value, gap, "")
	named := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return strings.ContainsFunc(written, named) && !digits.MatchString(written)
}

func unquoted(value string) string { return strings.Trim(value, `'"`) }

var hexadecimal = regexp.MustCompile(`^[0-9a-fA-F]{32,}$`)

// random says whether nobody would have chosen a value as a name.
func random(value string) bool {
	has := func(in func(rune) bool) bool { return strings.ContainsFunc(value, in) }
	return hexadecimal.MatchString(value) || len(value) >= 16 && has(unicode.IsUpper) && has(unicode.IsLower) && has(unicode.IsDigit)
}

// forms are how secrets of well-known makers look.
var forms = []struct {
	form *regexp.Regexp
	what string
}{
	{regexp.MustCompile(`\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+`), "JSON Web Token"},
	{regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,})`), "GitHub token"},
	{regexp.MustCompile(`\bglpat-[\w-]{16,}`), "GitLab token"},
	{regexp.MustCompile(`\bxox[abeprs]-[\w-]{10,}`), "Slack token"},
	{regexp.MustCompile(`\bhooks\.slack\.com/services/[\w/-]*\w`), "Slack webhook"},
	{regexp.MustCompile(`\bdiscord(?:app)?\.com/api/webhooks/[\w/-]*\w`), "Discord webhook"},
	{regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`), "AWS access key"},
	{regexp.MustCompile(`\bAIza[\w-]{35}`), "Google API key"},
	{regexp.MustCompile(`\bhv[sb]\.[\w-]{20,}`), "Vault token"},
	{regexp.MustCompile(`\b[sr]k_live_\w{10,}`), "Stripe key"},
	{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`), "private key"},
}

func wellKnown(text string) string {
	for _, f := range forms {
		if f.form.MatchString(text) {
			return f.what
		}
	}
	return ""
}
