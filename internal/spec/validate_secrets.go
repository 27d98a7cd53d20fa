package spec

import (
	"strings"

	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// A spec goes into the history of a rollout as it is, so a secret in it can be read for
// as long as Temporal keeps that. No message here repeats what may be one.

// token never repeats what it was given: that may be the secret itself.
func (v *validator) token(path, ref string) {
	if secret.Check(ref) != nil {
		v.bad(path, "is not a reference to a secret, expected ${env:NAME} or file:/absolute/path, which the worker looks up; a secret itself is never written here (if it was, replace it: it is in this file's history)")
	}
}

// replaceIt ends every message about what may be a secret.
const replaceIt = "; if it is a secret, replace it: it is in this file's history"

// noSecretInURL refuses a URL in which a secret was written, also as a template.
func (v *validator) noSecretInURL(path, text string) bool {
	what := secret.InURL(text)
	if what == "" {
		return true
	}
	v.bad(path, "holds what looks like a secret (%s), which would stand in the rollout's history: expected %s%s", what, instead(path), replaceIt)
	return false
}

// instead says how a secret gets to where a URL leads without standing in it.
func instead(path string) string {
	switch {
	case path == "notify.webhook":
		return "the whole URL as a reference, ${env:NAME} or file:/absolute/path, which the worker looks up, or token with one beside it"
	case path == "driver.http.url" || strings.HasSuffix(path, ".webhook.url"):
		return "token: ${env:NAME} or file:/absolute/path beside it, which the worker looks up and sends as a bearer token"
	}
	return "a proxy in front that adds it"
}

// noSecretInArgv refuses a command in which a secret was written.
func (v *validator) noSecretInArgv(path string, argv []string) {
	at, what := secret.InArgv(argv)
	if what == "" {
		return
	}
	v.bad(strictyaml.Index(path, at), "holds what looks like a secret (%s), which would stand in the rollout's history and in the list of processes: expected the path of a file on the worker that the program reads, such as --token-file=/run/secrets/token%s", what, replaceIt)
}
