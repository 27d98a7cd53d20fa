package main

import (
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"
)

// firstSchema is the version from which the server's own tool counts.
const firstSchema = "0.0"

// updateSchema brings the schema with a name such as postgresql/v12/temporal to the server's
// version, with the code of temporal-sql-tool. One that was broken off is gone on with.
func updateSchema(cfg *config.SQL, name string) error {
	conn, err := sql.NewConnection(cfg, log.NewNoopLogger())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := schema.NewSetupSchemaTask(conn, &schema.SetupConfig{InitialVersion: firstSchema}, log.NewNoopLogger()).Run(); err != nil {
		return err
	}
	return schema.NewUpdateSchemaTask(conn, &schema.UpdateConfig{SchemaName: name}, log.NewNoopLogger()).Run()
}
