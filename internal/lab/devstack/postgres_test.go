package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPostgresURL(t *testing.T) {
	byNetwork, err := postgresConfig("postgres://temporal@db.example:5433/rollouts?sslmode=verify-full", "s3cret")
	require.NoError(t, err)
	require.Equal(t, "db.example:5433", byNetwork.ConnectAddr)
	require.Equal(t, "rollouts", byNetwork.DatabaseName)
	require.Equal(t, "temporal", byNetwork.User)
	require.Equal(t, "s3cret", byNetwork.Password)
	require.Equal(t, map[string]string{"sslmode": "verify-full"}, byNetwork.ConnectAttributes)

	bySocket, err := postgresConfig("postgresql://temporal@/temporal?host=/run/postgresql", "")
	require.NoError(t, err)
	require.Equal(t, "/run/postgresql", bySocket.ConnectAttributes["host"])
}

func TestPostgresURLRefused(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://temporal:s3cret@db/temporal": "put it into PGPASSWORD",
		"mysql://temporal@db/temporal":           `the scheme is "mysql"`,
		"db:5432":                                `the scheme is "db"`,
		"postgres://db/temporal":                 "no user",
		"postgres://temporal@db":                 "no name of a database",
		"postgres://temporal@db/a/b":             "no name of a database",
		"postgres://temporal@/temporal":          "no host",
		"postgres://temporal:s3cret@db\x7f/x":    "not a URL",
	} {
		_, err := postgresConfig(url, "")
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "s3cret", url)
	}
}

func TestOnePlaceForState(t *testing.T) {
	_, err := parseOptions([]string{"--db", "x", "--postgres", "postgres://temporal@db/temporal"}, t.Output())
	require.ErrorContains(t, err, "exclude each other")
	_, err = parseOptions(nil, t.Output())
	require.ErrorContains(t, err, "--db is missing")
	_, err = parseOptions([]string{"--postgres", "postgres://temporal@db/temporal"}, t.Output())
	require.NoError(t, err)
}
