package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"github.com/sluicehq/sluice/internal/lab/stack"
)

// tellEnds says when a process ends and how, until ctx ends. It starts nothing again: a user who
// kills a worker wants to see what happens without one.
func tellEnds(ctx context.Context, out io.Writer, dir string, processes ...*stack.Process) {
	var mu sync.Mutex // one message at a time
	var watching sync.WaitGroup
	for _, p := range processes {
		watching.Go(func() {
			how, err := p.Ended(ctx)
			if err != nil || ctx.Err() != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			log := filepath.Join(dir, p.Name()+".log")
			fmt.Fprintf(out, "\n%s ended: %s. The end of its log, %s:\n%s\n%s\n", p.Name(), how, log, stack.LastLines(log), again(p))
		})
	}
	watching.Wait()
	<-ctx.Done()
}

// again says how to go on. Temporal and the fleet would come back at other addresses.
func again(p *stack.Process) string {
	if !strings.HasPrefix(p.Name(), "worker") {
		return "Ctrl-C and make dev begin anew."
	}
	return "Rollouts wait for a worker. To start one:\n\n  " + shellLine(p.Command())
}

// shellLine is a command as one types it.
func shellLine(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		if word == "" || strings.ContainsAny(word, " '\"$&|;<>*?()\\") {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words[i] = word
	}
	return strings.Join(words, " ")
}
