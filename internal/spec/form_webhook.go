package spec

import (
	"cmp"
	"time"
)

// WebhookJudge asks a judge of the user's own for a verdict.
type WebhookJudge struct {
	// URL is asked with POST, by the contract of docs/health.md. Redirects are not
	// followed.
	URL string `yaml:"url" json:"url"`
	// Token is a reference, ${env:NAME} or file:/path, sent as a bearer token.
	// It is resolved on the worker.
	Token string `yaml:"token,omitempty" json:"token,omitempty"`
	// Timeout bounds one attempt. Default 5s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout"`
}

// Check checks whom to ask.
func (w *WebhookJudge) Check(s Section) {
	if s.Needs("url") && !s.IsBad("url") {
		s.URL("url", w.URL, TokenBeside)
	}
	s.Token("token", w.Token)
	s.AtMost("timeout", w.Timeout, MaxAsk)
}

// SetDefaults bounds an attempt.
func (w *WebhookJudge) SetDefaults() { w.Timeout = cmp.Or(w.Timeout, Duration(5*time.Second)) }

// Traits of the form.
func (w *WebhookJudge) Traits() FormTraits { return FormTraits{Shared: []string{"tolerate"}} }
