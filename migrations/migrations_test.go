package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/wait"
	"gesta/migrations"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func tell(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(patience(t), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func ask[T any](t *testing.T, conn *pgx.Conn, sql string, args ...any) (answer T) {
	t.Helper()
	if err := conn.QueryRow(patience(t), sql, args...).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

func up(t *testing.T, url, schema string) {
	t.Helper()
	if err := migrations.Up(patience(t), url, schema); err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, url, schema string) migrations.Progress {
	t.Helper()
	progress, err := migrations.Status(patience(t), url, schema)
	if err != nil {
		t.Fatal(err)
	}
	return progress
}

func tables(t *testing.T, conn *pgx.Conn, schema string) int {
	t.Helper()
	return ask[int](t, conn, "select count(*) from pg_tables where schemaname = $1 and tablename <> 'schema_migrations'", schema)
}

func TestUpAndDownAndUpAgain(t *testing.T) {
	url := pgtest.Unmigrated(t)
	conn := pgtest.Connect(t, url)
	if before := status(t, url, "other"); before.Version != 0 || before.Latest == 0 {
		t.Errorf("before: %+v", before)
	}
	if made := ask[bool](t, conn, "select to_regnamespace('other') is not null"); made {
		t.Error("asking for the status made a schema")
	}
	for range 2 {
		up(t, url, "other")
	}
	if after := status(t, url, "other"); after.Version != after.Latest || after.Dirty {
		t.Errorf("after: %+v", after)
	}
	if tables(t, conn, "other") == 0 || tables(t, conn, "other_keys") == 0 {
		t.Error("there are no tables")
	}

	if err := migrations.Down(patience(t), url, "other", 1000); err != nil {
		t.Fatal(err)
	}
	if undone := status(t, url, "other"); undone.Version != 0 || undone.Dirty {
		t.Errorf("undone: %+v", undone)
	}
	if tables(t, conn, "other") != 0 || tables(t, conn, "other_keys") != 0 {
		t.Error("tables were left")
	}
	up(t, url, "other")
}

func TestDownWithNothingToUndo(t *testing.T) {
	url := pgtest.Unmigrated(t)
	if err := migrations.Down(patience(t), url, "gesta", 1); err != nil {
		t.Error(err)
	}
	for _, steps := range []int{0, -1} {
		if err := migrations.Down(patience(t), url, "gesta", steps); err == nil {
			t.Errorf("%d steps were taken", steps)
		}
	}
}

func TestTwoSchemasLiveSideBySide(t *testing.T) {
	url := pgtest.Unmigrated(t)
	up(t, url, "one")
	up(t, url, "two")
	conn := pgtest.Connect(t, url)
	tell(t, conn, "update one.head set epoch = 7")
	if epoch := ask[int](t, conn, "select epoch from two.head"); epoch != 1 {
		t.Errorf("the epoch of two is %d", epoch)
	}
}

func TestManyMigrateAtOnce(t *testing.T) {
	url := pgtest.Unmigrated(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := migrations.Up(patience(t), url, "gesta"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if after := status(t, url, "gesta"); after.Version != after.Latest {
		t.Errorf("after: %+v", after)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	url := pgtest.Database(t)
	tell(t, pgtest.Connect(t, url), "update gesta.schema_migrations set version = 4711")
	for name, refused := range map[string]error{
		"up":    migrations.Up(patience(t), url, "gesta"),
		"down":  migrations.Down(patience(t), url, "gesta", 1),
		"check": migrations.Check(patience(t), url, "gesta"),
	} {
		if refused == nil || !strings.Contains(refused.Error(), "has version 4711, newer than this binary knows (") {
			t.Errorf("%s: %v", name, refused)
		}
	}
	if got := status(t, url, "gesta"); got.Version != 4711 || got.Latest == 0 {
		t.Errorf("the status is %+v", got)
	}
}

func TestAnOlderSchemaIsRefused(t *testing.T) {
	url := pgtest.Database(t)
	tell(t, pgtest.Connect(t, url), "truncate gesta.schema_migrations")
	app := pgtest.AppLogin(t, url)
	for name, refused := range map[string]error{
		"up":    migrations.Up(patience(t), app, "gesta"),
		"check": migrations.Check(patience(t), app, "gesta"),
	} {
		if refused == nil || !strings.Contains(refused.Error(), "has version 0, older than this binary needs (") || !strings.Contains(refused.Error(), "MIGRATE_DATABASE_URL") {
			t.Errorf("%s: %v", name, refused)
		}
	}
}

func TestAMigrationHappensAsAWholeOrNotAtAll(t *testing.T) {
	url := pgtest.Unmigrated(t)
	conn := pgtest.Connect(t, url)
	tell(t, conn, "create schema gesta; create table gesta.claims (in_the_way text)")
	err := migrations.Up(patience(t), url, "gesta")
	if err == nil || !strings.Contains(err.Error(), "version 1, line ") || strings.Contains(err.Error(), "create table") {
		t.Errorf("the error is %v", err)
	}
	if after := status(t, url, "gesta"); after.Version != 0 || after.Dirty {
		t.Errorf("after: %+v", after)
	}
	if tables(t, conn, "gesta") != 1 {
		t.Error("half a migration was left")
	}
	tell(t, conn, "drop table gesta.claims")
	up(t, url, "gesta")
}

func TestWaitingForAnotherMigrationEndsWithTheContext(t *testing.T) {
	url := pgtest.Unmigrated(t)
	up(t, url, "gesta")
	conn := pgtest.Connect(t, url)
	name := ask[string](t, conn, "select current_database()")
	lock, err := database.GenerateAdvisoryLockId(name, "gesta", "schema_migrations")
	if err != nil {
		t.Fatal(err)
	}
	tell(t, conn, "select pg_advisory_lock("+lock+")")

	ctx, cancel := context.WithCancel(patience(t))
	answer := make(chan error, 1)
	go func() { answer <- migrations.Up(ctx, url, "gesta") }()
	await(t, conn, "select exists (select from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database()))")
	cancel()
	select {
	case err := <-answer:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
	case <-patience(t).Done():
		t.Error("it waits on")
	}
}

// await asks until the answer is yes.
func await(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	wait.Until(t, sql, func() bool { return ask[bool](t, conn, sql) })
}

func TestNoConnectionIsKept(t *testing.T) {
	url := pgtest.Unmigrated(t)
	up(t, url, "gesta")
	conn := pgtest.Connect(t, url)
	await(t, conn, "select count(*) = 1 from pg_stat_activity where datname = current_database()")
}

func TestNamesOfSchemas(t *testing.T) {
	for _, name := range []string{"", "Gesta", "1gesta", "_gesta", "ge-sta", `ge"sta`, "gesta;", "gésta", strings.Repeat("g", 41)} {
		for what, err := range map[string]error{
			"up":     migrations.Up(patience(t), "unused", name),
			"down":   migrations.Down(patience(t), "unused", name, 1),
			"grants": migrations.GrantApp(patience(t), "unused", name, "login"),
		} {
			if err == nil || !strings.Contains(err.Error(), "cannot name a schema") {
				t.Errorf("%s of %q: %v", what, name, err)
			}
		}
	}
	longest := strings.Repeat("g", 40)
	up(t, pgtest.Unmigrated(t), longest)
}

func TestABadAddressIsAnError(t *testing.T) {
	for _, url := range []string{"postgres://127.0.0.1:1/none", "no address"} {
		if err := migrations.Up(patience(t), url, "gesta"); err == nil {
			t.Errorf("%s was migrated", url)
		}
	}
}

func TestTheHashIsOfTheFiles(t *testing.T) {
	if hash := migrations.Hash(); !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(hash) || hash != migrations.Hash() {
		t.Errorf("the hash is %s", hash)
	}
}

func TestEveryMigrationCanBeUndone(t *testing.T) {
	ups, err := fs.Glob(os.DirFS("."), "*.up.sql")
	if err != nil || len(ups) == 0 {
		t.Fatal(ups, err)
	}
	for _, name := range ups {
		if !regexp.MustCompile(`^\d{4}_[a-z_]+\.up\.sql$`).MatchString(name) {
			t.Errorf("%s is not named NNNN_name.up.sql", name)
		}
		if _, err := os.Stat(strings.TrimSuffix(name, ".up.sql") + ".down.sql"); err != nil {
			t.Error(err)
		}
	}
}

// To what happened before there were policies nobody reacts.
func TestPoliciesBeginWhereTheHistoryEnds(t *testing.T) {
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	if at := ask[int](t, conn, policiesAt); at != 0 {
		t.Errorf("in an empty history they begin at %d", at)
	}
	if !ask[bool](t, conn, timersWhole) {
		t.Error("in an empty history timers are missing")
	}
	down(t, url)
	tell(t, conn, `delete from gesta.checkpoints`) // As where there have been no policies yet.
	happen(t, conn, 1, 3)
	up(t, url, "gesta")
	if at := ask[int](t, conn, policiesAt+" and event_id = (select event_id from gesta.events where position = 3)"); at != 3 {
		t.Errorf("after three events they begin at %d", at)
	}
	if ask[bool](t, conn, timersWhole) {
		t.Error("after three events nobody looks what they tell")
	}
}

// Who goes back to before there were policies, and on again, has them react to what happened meanwhile.
func TestPoliciesGoOnFromWhereTheyWere(t *testing.T) {
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	for at := range 3 {
		tell(t, conn, fmt.Sprintf("update gesta.checkpoints set position = %d", at))
		down(t, url)
		happen(t, conn, at+1, at+1)
		up(t, url, "gesta")
		if got := ask[int](t, conn, policiesAt); got != at {
			t.Errorf("from %d they go on at %d", at, got)
		}
		if got, want := ask[bool](t, conn, timersWhole), at == 0; got != want {
			t.Errorf("at %d timers are whole: %t, not %t", at, got, want)
		}
	}
}

const (
	policiesAt  = "select position from gesta.checkpoints where follower = 'policies'"
	timersWhole = "select exists (select from gesta.timers where policy = '')"
)

// down takes the schema back to before there were policies.
func down(t *testing.T, url string) {
	t.Helper()
	if err := migrations.Down(patience(t), url, "gesta", int(migrations.Latest())-2); err != nil {
		t.Fatal(err)
	}
}

// happen adds events.
func happen(t *testing.T, conn *pgx.Conn, first, last int) {
	t.Helper()
	tell(t, conn, fmt.Sprintf(`insert into gesta.events select n, 'k', gen_random_uuid(), 1, gen_random_uuid(), 't', 1, '{}', null, '{}', now(), now()
		from generate_series(%d, %d) n`, first, last))
}

const forbidden = "42501"

func TestTheAppMayAddFactsAndNeverChangeThem(t *testing.T) {
	url := pgtest.Database(t)
	app := pgtest.Connect(t, pgtest.AppLogin(t, url))
	tell(t, app, "set search_path = gesta")
	for _, allowed := range []string{
		"select epoch from head for update",
		`insert into events values (1, 'k', gen_random_uuid(), 1, gen_random_uuid(), 't', 1, '{}', null, '{}', now(), now())`,
		"select from events",
		"insert into claims values (gen_random_uuid(), gen_random_uuid(), 'k', gen_random_uuid())",
		"delete from claims",
		"insert into idempotency values ('s', 'k', '', '{}')",
		"delete from idempotency where key = 'k'",
		"insert into checkpoints values ('f', 1, gen_random_uuid())",
		"update checkpoints set position = 2 where follower = 'f'",
		"insert into timers values ('p', gen_random_uuid(), 1, now())",
		"update timers set attempts = 1 where policy = 'p'",
		"delete from timers where policy = 'p'",
		"insert into gesta_keys.subject_keys values (gen_random_uuid(), '')",
		"update gesta_keys.subject_keys set wrapped = 'x' where true",
		"insert into gesta_keys.house_keys values ('k', '')",
		"update gesta_keys.house_keys set wrapped = 'x' where true",
		"insert into subject_streams values (gen_random_uuid(), 'k', gen_random_uuid())",
		"insert into history_classes values (1, 'k', 't', 'r', 's', 'a')",
		"insert into history values (1, 1)",
		"insert into history_hours values (now(), 1)",
		"insert into history_counts values ('type', 'r', 't', 1)",
		"update history_counts set events = events + 1",
		"create schema gesta_read",
		"create table gesta_read.mine (id int)",
	} {
		tell(t, app, allowed)
	}
	for _, refused := range []string{
		"update events set type = 'u'",
		"delete from events",
		"truncate events",
		"alter table events disable trigger all",
		"drop table events",
		"create index on events (type)",
		"create table gesta.mine (id int)",
		"delete from head",
		"update claims set stream_kind = 'u'",
		"update idempotency set result = '{}'",
		"delete from checkpoints",
		"delete from gesta_keys.subject_keys",
		"delete from gesta_keys.house_keys",
		"delete from subject_streams",
		"update history set class = 2",
		"delete from history",
		"truncate history, history_classes, history_hours, history_counts",
		"truncate timers",
		"update schema_migrations set version = 0",
		"create role accomplice",
	} {
		_, err := app.Exec(patience(t), refused)
		var refusal *pgconn.PgError
		if !errors.As(err, &refusal) || refusal.Code != forbidden {
			t.Errorf("%s: %v", refused, err)
		}
	}
}

func TestTheAppCanTellHowFarTheSchemaIs(t *testing.T) {
	url := pgtest.AppLogin(t, pgtest.Database(t))
	if got := status(t, url, "gesta"); got.Version != got.Latest {
		t.Errorf("the status is %+v", got)
	}
	up(t, url, "gesta")
}

func TestManyGrantAtOnce(t *testing.T) {
	url := pgtest.Database(t)
	login := pgtest.Connect(t, pgtest.AppLogin(t, url)).Config().User
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := migrations.GrantApp(patience(t), url, "gesta", login); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestGrantingToNobodyIsAnError(t *testing.T) {
	err := migrations.GrantApp(patience(t), pgtest.Database(t), "gesta", `no "such" login`)
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("the error is %v", err)
	}
}
