package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
)

// passwordVariable is where PostgreSQL's password is taken from, as psql does: a flag would show it
// to everybody on the machine.
const passwordVariable = "PGPASSWORD"

const (
	// postgresShards is what Temporal's own images begin with.
	postgresShards = 4
	// postgresConnections bounds each of the two pools; the server's four services share them.
	// PostgreSQL allows 100 by default.
	postgresConnections = 20
	// advisoryLock is the number of the lock that a devstack holds on its database: "sluice" in
	// ASCII.
	advisoryLock int64 = 0x736c75696365
)

// openPostgres makes sure that the database at address and its companion for visibility exist with
// the newest schema and the namespace, and that no other devstack uses them. The lock lasts as long
// as the connection to the database.
func openPostgres(ctx context.Context, address, password string) (databases, error) {
	main, err := postgresConfig(address, password)
	if err != nil {
		return databases{}, err
	}
	visibility := *main
	visibility.DatabaseName += "_visibility"
	lock, err := connectPostgres(ctx, address, password, main.DatabaseName)
	if err != nil {
		return databases{}, err
	}
	if err := lockPostgres(ctx, lock); err != nil {
		return databases{}, fmt.Errorf("lock database %s: %w", main.DatabaseName, err)
	}
	other, err := connectPostgres(ctx, address, password, visibility.DatabaseName)
	if err != nil {
		return databases{}, err
	}
	if err := other.Close(ctx); err != nil {
		return databases{}, err
	}
	for cfg, name := range map[*config.SQL]string{main: "temporal", &visibility: "visibility"} {
		if err := updateSchema(cfg, "postgresql/v12/"+name); err != nil {
			return databases{}, fmt.Errorf("set up the schema of database %s: %w", cfg.DatabaseName, err)
		}
	}
	if err := createNamespace(main); err != nil {
		return databases{}, fmt.Errorf("create namespace %s in database %s: %w", namespace, main.DatabaseName, err)
	}
	unlock := func() { _ = lock.Close(context.WithoutCancel(ctx)) } // it ends with the process at the latest
	return databases{main: main, visibility: &visibility, shards: postgresShards, close: unlock}, nil
}

// postgresConfig reads a URL such as
// postgres://temporal@127.0.0.1:5432/temporal?sslmode=verify-full.
func postgresConfig(address, password string) (*config.SQL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("--postgres is not a URL: use postgres://user@host:5432/database") // which may hold a password
	}
	if _, set := u.User.Password(); set {
		return nil, fmt.Errorf("--postgres %s: a password in a flag can be read by everybody on this machine: put it into %s",
			u.Redacted(), passwordVariable)
	}
	name := strings.TrimPrefix(u.Path, "/")
	attributes := map[string]string{}
	for key, values := range u.Query() {
		attributes[key] = values[len(values)-1]
	}
	switch {
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		return nil, fmt.Errorf("--postgres %s: the scheme is %q, expected postgres://user@host:5432/database", address, u.Scheme)
	case u.User.Username() == "":
		return nil, fmt.Errorf("--postgres %s: no user, expected postgres://user@host:5432/database", address)
	case name == "" || strings.ContainsAny(name, `/"`):
		return nil, fmt.Errorf("--postgres %s: no name of a database, expected postgres://user@host:5432/database", address)
	case u.Host == "" && attributes["host"] == "":
		return nil, fmt.Errorf("--postgres %s: no host, expected postgres://user@host:5432/database or ?host=/folder/of/a/socket", address)
	}
	return &config.SQL{
		PluginName: postgresql.PluginNamePGX, ConnectAddr: u.Host, DatabaseName: name, ConnectAttributes: attributes,
		User: u.User.Username(), Password: password,
		MaxConns: postgresConnections, MaxIdleConns: postgresConnections, MaxConnLifetime: time.Hour,
	}, nil
}

// noSuchDatabase is PostgreSQL's code for a database that does not exist.
const noSuchDatabase = "3D000"

// connectPostgres connects to a database, and creates it when it does not exist: only then the user
// needs the right to.
func connectPostgres(ctx context.Context, address, password, database string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("read --postgres: %w", err)
	}
	cfg.Password = password
	cfg.Database = database
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != noSuchDatabase {
		return conn, err // which names user, database and host, and no password
	}
	cfg.Database = "postgres" // there is always one of that name
	admin, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	_, err = admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{database}.Sanitize())
	if err := errors.Join(err, admin.Close(ctx)); err != nil {
		return nil, fmt.Errorf("create database %s: %w", database, err)
	}
	cfg.Database = database
	return pgx.ConnectConfig(ctx, cfg)
}

// lockPostgres keeps a second devstack off the database: two would take the history shards from
// each other in turns. The connection must stay open.
func lockPostgres(ctx context.Context, conn *pgx.Conn) error {
	deadline := time.Now().Add(portPatience)
	for {
		var locked bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", advisoryLock).Scan(&locked); err != nil {
			return err
		}
		if locked {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("it is in use by another devstack: stop it, or name another with --postgres")
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
