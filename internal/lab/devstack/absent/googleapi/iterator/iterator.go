// Package iterator stands in for google.golang.org/api/iterator, see ../../README.md.
package iterator

import "errors"

// Done ends an iteration.
var Done = errors.New("no more items in iterator")
