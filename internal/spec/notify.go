package spec

import (
	"slices"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Notify says who is told of a rollout. A receiver that is down or slow never holds the rollout.
type Notify struct {
	// Webhook is the URL that gets a POST with JSON, or a reference to it, ${env:NAME} or
	// file:/path, where the URL is itself a secret.
	Webhook string `yaml:"webhook" json:"webhook"`
	// Access is what the receiver wants of who tells it.
	dial.Access `yaml:",inline"`
	// On are the events to tell. Default: all of NotifyEvents.
	On []string `yaml:"on,omitempty" json:"on" jsonschema:"enum=waiting-for-approval,enum=holding,enum=rolling-back,enum=locked,enum=guarding,enum=promoted,enum=rolled-back,enum=aborted,enum=incomplete,enum=refused"`
}

// NotifyEvents are what a receiver can be told: a rollout that waits for a person or a verdict, one
// that goes back, one that is locked, and every end.
func NotifyEvents() []string {
	return []string{
		"waiting-for-approval", "holding", "rolling-back", "locked", "guarding",
		"promoted", "rolled-back", "aborted", "incomplete", "refused",
	}
}

// notify checks who is told.
func (v *validator) notify() {
	n := v.spec.Notify
	if n == nil || v.IsBad("notify") {
		return
	}
	if path := "notify.webhook"; v.Needs(path) && !v.IsBad(path) && secret.Check(n.Webhook) != nil {
		v.URL(path, n.Webhook, wholeSecret)
	}
	v.In("notify").Access(n.Access)
	for i, event := range n.On {
		v.OneOf(strictyaml.Index("notify.on", i), event, NotifyEvents()...)
		if slices.Contains(NotifyEvents(), event) {
			v.once("notify.on", n.On, i)
		}
	}
}
