// Package sequential holds statistical tests that may be read at any time.
package sequential
