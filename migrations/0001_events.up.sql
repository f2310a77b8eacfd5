-- The truth: one history of facts in one order, and what must change in the same commit as a fact.
-- Names are unqualified: search_path names the schema (`gesta` unless set otherwise), so this file
-- also runs alone: PGOPTIONS='-c search_path=gesta' psql -f 0001_events.up.sql

-- The head is one row that appends only lock and never update: an updated row would leave a dead
-- version behind for each append, and decay while any old snapshot is open. The epoch is raised by
-- hand alone, when a fork is repaired; the fingerprint of the key that claims are hashed with is set once.
create table head (
	single          boolean primary key default true check (single),
	epoch           bigint  not null default 1,
	key_fingerprint bytea
);
insert into head default values;

-- `json`, not `jsonb`: what was written is read back byte for byte, since proofs cover it.
-- No further index is ever added here: filters belong to read models.
create table events (
	position    bigint      not null primary key check (position > 0),
	stream_kind text        not null,
	stream_id   uuid        not null,
	version     bigint      not null check (version > 0),
	event_id    uuid        not null,
	type        text        not null,
	schema      integer     not null,
	data        json        not null,
	secret      json,
	metadata    json        not null,
	occurred_at timestamptz not null,
	recorded_at timestamptz not null,
	constraint events_stream_version unique (stream_id, stream_kind, version)
);
comment on column events.data is 'The published fields of the fact; never a secret.';
comment on column events.secret is 'Its secret fields, which never leave the store.';
comment on column events.occurred_at is 'The clock of the command; may be simulated.';
comment on column events.recorded_at is 'The clock of the store; never decreases with position.';

create function refuse_change() returns trigger language plpgsql as $$
begin
	raise exception 'events are facts: % is refused', tg_op using errcode = 'insufficient_privilege';
end $$;

create trigger events_are_facts before update or delete or truncate on events
	for each statement execute function refuse_change();

-- A batch calls this when one of its expected versions is not the stream's: an expected version
-- beyond the stream's end would leave a gap that no unique index can see.
create function refuse_versions() returns boolean language plpgsql as $$
begin
	raise exception 'a stream is not at the version it was expected at' using errcode = 'GE001';
end $$;

-- A claim is a name that one stream holds at a time: both halves are keyed hashes, so the table
-- tells nobody which address is taken. The scope leads, so that all holders in it can be asked for.
create table claims (
	scope       uuid not null,
	name        uuid not null,
	stream_kind text not null,
	stream_id   uuid not null,
	primary key (scope, name)
);

-- The answer to a request that was made once under a key of the caller's choosing.
create table idempotency (
	scope       text        not null,
	key         text        not null,
	fingerprint bytea       not null,
	result      json        not null,
	recorded_at timestamptz not null default now(),
	primary key (scope, key)
);

-- How far each follower of the history has come. The id beside the position tells a fork.
create table checkpoints (
	follower text        not null primary key,
	position bigint      not null,
	event_id uuid        not null,
	moved_at timestamptz not null default now()
);

-- Keys lie in a schema of their own, so that a backup can leave them out.
do $$
begin
	execute format('create schema %I', current_schema() || '_keys');
	execute format('create table %I.subject_keys (
		subject    uuid        not null primary key,
		wrapped    bytea       not null,
		created_at timestamptz not null default now()
	)', current_schema() || '_keys');
end $$;
