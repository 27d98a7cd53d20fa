package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Commands of one process do not race, and each has its help.
func TestCommandsAtOnce(t *testing.T) {
	var all sync.WaitGroup
	out := make([]strings.Builder, 8)
	for i := range out {
		all.Go(func() {
			run(context.WithoutCancel(t.Context()), []string{"sluice", "version", "--help"}, strings.NewReader(""), &out[i], io.Discard)
		})
	}
	all.Wait()
	for i := range out {
		require.Contains(t, out[i].String(), "--help", out[i].String())
	}
}
