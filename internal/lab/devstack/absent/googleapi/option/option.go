// Package option stands in for google.golang.org/api/option, see ../../README.md.
package option

import "golang.org/x/oauth2"

// ClientOption is a setting of a client.
type ClientOption any

// WithTokenSource sets nothing.
func WithTokenSource(oauth2.TokenSource) ClientOption { return nil }
