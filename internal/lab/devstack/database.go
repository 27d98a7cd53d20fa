package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	clusterName = "active"
	namespace   = "default"

	// retention is how long finished rollouts stay in the namespace: a week, so that Monday can
	// look at Friday's.
	retention = 7 * 24 * time.Hour
)

// searchAttributes are what rollouts can be found by, each of them an exact word.
func searchAttributes() []string {
	return []string{"SluiceUnit", "SluiceRelease", "SluiceStage", "SluicePhase", "SluiceOutcome", "SluiceNumber"}
}

// databases are where the server keeps its state: one of SQLite for everything, or two of
// PostgreSQL.
type databases struct {
	main, visibility *config.SQL
	shards           int32  // of histories; fixed for the life of the database
	close            func() // gives up the lock; called when the server has stopped
}

// openDatabases makes sure that the databases are there and complete and that nobody else uses
// them.
func openDatabases(ctx context.Context, opts options) (databases, error) {
	if opts.postgres != "" {
		return openPostgres(ctx, opts.postgres, os.Getenv(passwordVariable))
	}
	file, err := openFile(ctx, opts.db)
	return databases{main: file, visibility: file, shards: 1, close: func() {}}, err
}

// openFile makes sure that file holds a Temporal database that nobody else uses, and returns how to
// connect to it. The lock lasts until the process ends, however it ends.
func openFile(ctx context.Context, file string) (*config.SQL, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	if err := lock(ctx, file); err != nil {
		return nil, err
	}
	switch _, err := os.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
		if err := createDatabase(file); err != nil {
			return nil, fmt.Errorf("create %s: %w", file, err)
		}
	case err != nil:
		return nil, err
	}
	return sqlConfig(file, map[string]string{
		"journal_mode": "wal",    // readers do not wait for the writer
		"synchronous":  "normal", // survives kill -9; a power cut may lose the last moments, never the file
	}), nil
}

// createDatabase makes the schema and the namespace under another name and moves the result into
// place, so that a file of the final name is always complete.
func createDatabase(file string) error {
	draft := file + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// No write-ahead log here: Temporal's SQLite plug-in never closes a connection, and a log would
	// stay behind under the draft's name.
	cfg := sqlConfig(draft, map[string]string{"journal_mode": "memory", "synchronous": "off"})
	if err := schema.SetupSchema(cfg); err != nil {
		return err
	}
	if err := createNamespace(cfg); err != nil {
		return err
	}
	return os.Rename(draft, file)
}

// createNamespace makes the namespace with Sluice's search attributes, unless it is there. It works
// on any SQL database.
func createNamespace(cfg *config.SQL) error {
	keywords := make(map[string]enumspb.IndexedValueType)
	for _, name := range searchAttributes() {
		keywords[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	ns, err := schema.NewNamespaceConfig(clusterName, namespace, false, keywords)
	if err != nil {
		return err
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	return schema.CreateNamespaces(cfg, ns)
}

func sqlConfig(file string, pragmas map[string]string) *config.SQL {
	attributes := map[string]string{
		"mode":         "rwc",
		"busy_timeout": "10000", // milliseconds; somebody may be looking into the file with another program
	}
	maps.Copy(attributes, pragmas)
	return &config.SQL{PluginName: sqlite.PluginName, DatabaseName: file, ConnectAttributes: attributes}
}

// lock keeps a second server off the file: two would take the history shard from each other in
// turns.
func lock(ctx context.Context, file string) error {
	// A bare descriptor, because an os.File would be closed, and the lock lost, when it is
	// garbage-collected.
	fd, err := syscall.Open(file+".lock", syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("open %s.lock: %w", file, err)
	}
	deadline := time.Now().Add(portPatience)
	for {
		err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock %s: %w", file, err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is in use by another devstack: stop it, or name another file with --db", file)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
