package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/lab/stack"
)

// written is a buffer that says when something was written into it.
type written struct {
	mu  sync.Mutex
	buf bytes.Buffer
	at  chan struct{}
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.at <- struct{}{} }()
	return w.buf.Write(p)
}

// A worker that is killed is told of, with what it ended and how it is started again.
func TestTellEnds(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "worker-1.log"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	dies := stack.NewProcess("worker-1", log, "/bin/sh", "-c", "seq 1 9; echo last words; kill -9 $$")
	lives := stack.NewProcess("sim", log, "/bin/sleep", "600")
	require.NoError(t, lives.Start())
	t.Cleanup(lives.Kill)
	require.NoError(t, dies.Start())

	ctx, cancel := context.WithCancel(t.Context())
	out := &written{at: make(chan struct{}, 10)}
	ended := make(chan struct{})
	go func() { tellEnds(ctx, out, dir, lives, dies); close(ended) }()
	<-out.at
	cancel()
	<-ended
	text := out.buf.String()
	require.Contains(t, text, "worker-1 ended: signal: killed.")
	require.Contains(t, text, "worker-1.log:\n  6\n  7\n  8\n  9\n  last words\n")
	require.Contains(t, text, "  /bin/sh -c 'seq 1 9; echo last words; kill -9 $$'\n")
	require.NotContains(t, text, "sim ended", "what is stopped at the end is no news")
}
