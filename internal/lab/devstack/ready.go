package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// startPatience bounds the time from the start to the first good answer. It takes under a second on
// an idle machine.
const startPatience = time.Minute

// ready is the content of the ready file: how to reach a stack that answers.
type ready struct {
	Address string `json:"address"` // of Temporal's gRPC API, host:port
	UI      string `json:"ui"`      // URL of the Web UI
	PID     int    `json:"pid"`
}

// wait returns nil when the frontend, the namespace, the history shard and the Web UI have each
// answered.
func (r ready) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	conn, err := grpc.NewClient(r.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		err := r.probe(ctx, conn)
		if err == nil || errors.As(err, new(*foreignFileError)) {
			return err
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("no good answer from %s within %v: %w", r.Address, startPatience, err)
		}
	}
}

// read fills r from a ready file.
func (r *ready) read(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, r)
}

// announce says on stdout, and in file unless it is empty, that clients may connect.
func (r ready) announce(file string, stdout io.Writer) error {
	if _, err := fmt.Fprintf(stdout, "devstack: ready: Temporal %s, Web UI %s, pid %d\n", r.Address, r.UI, r.PID); err != nil {
		return err
	}
	if file == "" {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return writeAtomically(file, append(text, '\n'))
}

// writeAtomically lets a reader see all of content or no file, never a part.
func writeAtomically(file string, content []byte) error {
	draft, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name()) // fails after the rename, as it should
	if _, err := draft.Write(content); err != nil {
		return errors.Join(err, draft.Close())
	}
	if err := draft.Close(); err != nil {
		return err
	}
	return os.Rename(draft.Name(), file)
}

// removeReady takes away what a killed predecessor left, or our own when we stop.
func removeReady(file string) error {
	if file == "" {
		return nil
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
