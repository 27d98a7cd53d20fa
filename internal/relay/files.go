package relay

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/sluicehq/sluice/internal/relay/order"
)

// lookEvery is how often somebody who waits looks whether another relay over the same folder has
// written. What this one writes is told at once.
const lookEvery = 3 * time.Second

// files is the relay's folder: orders/UNIT/COHORT/ID and reports/UNIT/COHORT/ID.
type files struct {
	folder string
	// writing is held from reading an order to replacing it.
	writing *sync.Mutex
	hub     *hub
}

func openFiles(folder string) files {
	return files{folder, new(sync.Mutex), &hub{waiting: map[string]map[chan struct{}]bool{}}}
}

func (f files) at(what string, p place) string {
	return filepath.Join(f.folder, what, p.unit, p.cohort, p.id)
}

// read answers a file's content and when it was written; nil where there is none.
func (f files) read(path string) ([]byte, time.Time, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	info, err := file.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	data := make([]byte, info.Size())
	if _, err := file.ReadAt(data, 0); err != nil {
		return nil, time.Time{}, err
	}
	return data, info.ModTime(), nil
}

// wait answers a file that is not the one with the tag, and its age; or what is there once the wait
// is over.
func (f files) wait(ctx context.Context, what string, p place, have string, wait time.Duration) ([]byte, time.Duration, error) {
	path := f.at(what, p)
	told, leave := f.hub.join(path)
	defer leave()
	end := time.NewTimer(wait)
	defer end.Stop()
	for over := wait <= 0; ; {
		data, since, err := f.read(path)
		if over || err != nil || data != nil && order.Tag(data) != have {
			return data, time.Since(since), err
		}
		again := time.NewTimer(lookEvery)
		select {
		case <-told:
		case <-again.C:
		case <-end.C:
			over = true
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		again.Stop()
		if err != nil {
			return nil, 0, err
		}
	}
}

// replace writes a file, so that no crash loses it afterwards, unless may refuses what is there.
func (f files) replace(what string, p place, data []byte, may func(is []byte) error) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	path := f.at(what, p)
	is, _, err := f.read(path)
	if err != nil {
		return err
	}
	if err := may(is); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	if err := renameio.WriteFile(path, data, 0o640, renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return err
	}
	f.hub.tell(path)
	return nil
}

// report writes a report. One that a crash loses comes again soon, so it is not synced; one that
// says nothing new is only dated.
func (f files) report(p place, data []byte) error {
	path := f.at("reports", p)
	if is, _, err := f.read(path); err == nil && bytes.Equal(is, data) {
		now := time.Now()
		return os.Chtimes(path, now, now)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	f.hub.tell(path)
	return nil
}

// hub tells those who wait for a file that it was written.
type hub struct {
	mu      sync.Mutex
	waiting map[string]map[chan struct{}]bool
}

func (h *hub) join(path string) (told <-chan struct{}, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := make(chan struct{}, 1)
	if h.waiting[path] == nil {
		h.waiting[path] = map[chan struct{}]bool{}
	}
	h.waiting[path][c] = true
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if delete(h.waiting[path], c); len(h.waiting[path]) == 0 {
			delete(h.waiting, path)
		}
	}
}

func (h *hub) tell(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.waiting[path] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
