package migrations

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/golang-migrate/migrate/v4/database"
)

// atomic is golang-migrate's driver with one difference. The library first records that a migration
// has begun, then runs it, then records that it is done, and a kill in between leaves a `dirty` schema
// that only a person can judge. Here a migration and the record of it are one transaction.
type atomic struct {
	database.Driver
	schema string
	target int // the version after the migration that runs next; negative when there is none
}

// Version refuses a schema that is newer than we are. It is asked under the library's lock.
func (a *atomic) Version() (int, bool, error) {
	version, dirty, err := a.Driver.Version()
	if err == nil && version > int(Latest()) {
		err = newer(a.schema, uint(version))
	}
	return version, dirty, err
}

// SetVersion only keeps in mind what has begun. What is done was recorded with it, except for a
// migration that had nothing to run.
func (a *atomic) SetVersion(version int, dirty bool) error {
	if dirty {
		a.target = version
		return nil
	}
	return a.Driver.SetVersion(version, false)
}

// Run sends the migration and its record as one message, which Postgres runs as one transaction. The
// library's error would hold the whole file.
func (a *atomic) Run(migration io.Reader) error {
	err := a.Driver.Run(io.MultiReader(migration, strings.NewReader(a.record())))
	var failure database.Error
	if errors.As(err, &failure) {
		return fmt.Errorf("on the way to version %d, line %d: %w", a.target, failure.Line, failure.OrigErr)
	}
	return err
}

func (a *atomic) record() string {
	table := versionTable(a.schema)
	record := "\n;\ntruncate " + table
	if a.target >= 0 {
		record += fmt.Sprintf("; insert into %s (version, dirty) values (%d, false)", table, a.target)
	}
	return record
}
