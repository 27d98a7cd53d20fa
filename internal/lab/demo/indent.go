package main

import (
	"bytes"
	"io"
)

// indent sets a command's own output off from the demo's words.
type indent struct{ to io.Writer }

// Write passes whole lines on, indented; commands print whole lines.
func (w indent) Write(p []byte) (int, error) {
	text := bytes.TrimSuffix(p, []byte("\n"))
	text = append([]byte("   "), bytes.ReplaceAll(text, []byte("\n"), []byte("\n   "))...)
	if _, err := w.to.Write(append(text, '\n')); err != nil {
		return 0, err
	}
	return len(p), nil
}
