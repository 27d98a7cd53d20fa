package spec

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// headerForm is the form of a header's name.
var headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// framing are headers that say how a request is sent, which is the worker's affair.
var framing = []string{"Connection", "Content-Length", "Content-Type", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// Access checks what a server wants of who asks it: its fields stand in the section. No message
// repeats a value, which may be the secret itself.
func (s Section) Access(a dial.Access) {
	s.AtMostOne("token", "basicAuth")
	s.Token("token", a.Token)
	if s.Given("basicAuth") && !s.IsBad("basicAuth") {
		s.Needs("basicAuth.username")
		s.Needs("basicAuth.password")
		s.Token("basicAuth.password", a.BasicAuth.Password)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		s.header(strictyaml.Field("header", name), name, a)
	}
	s.TLS(a.TLS)
}

// header checks one header.
func (s Section) header(at, name string, a dial.Access) {
	value, canonical := a.Header[name], http.CanonicalHeaderKey(name)
	switch what := secret.InHeader(name, value); {
	case !headerForm.MatchString(name):
		s.Bad(at, "is not the name of a header, expected one such as X-Scope-OrgID")
	case slices.Contains(framing, canonical):
		s.Bad(at, "is set by the worker itself: remove it")
	case canonical == "Authorization" && s.AnyGiven("token", "basicAuth"):
		s.Bad(at, "cannot be combined with token or basicAuth: keep one of them")
	case secret.Check(value) == nil:
	case what != "":
		s.Bad(at, "holds what looks like a secret (%s), which would be in the rollout's history: expected ${env:NAME} or file:/absolute/path, "+
			"which the worker looks up%s", what, replaceIt)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.TrimSpace(value) == "":
		s.Bad(at, "has no value of one line")
	}
}

// TLS checks the certificates of the field tls.
func (s Section) TLS(t *dial.TLS) {
	if !s.Given("tls") || s.IsBad("tls") {
		return
	}
	for field, ref := range map[string]string{"tls.ca": t.CA, "tls.cert": t.Cert, "tls.key": t.Key} {
		s.Token(field, ref)
	}
	for field, other := range map[string]string{"tls.cert": "tls.key", "tls.key": "tls.cert"} {
		if s.Given(field) && !s.Given(other) {
			s.Bad(field, "needs %s beside it", strings.TrimPrefix(other, "tls."))
		}
	}
}
