package main

import (
	"bytes"
	"context"
	"io"
	"time"
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

// wait waits d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
