-- Which streams hold whose data: whoever is forgotten is found by it. It is derived from the events, and written in
-- the same commit. It is no index on them: most appends add nothing to it.
create table subject_streams (
	subject     uuid not null,
	stream_kind text not null,
	stream_id   uuid not null,
	primary key (subject, stream_id, stream_kind)
);

-- Where everything is sealed from: up to there, what was written in clear was looked for and is in the table above.
-- Null until that was done.
alter table head add sealed_after bigint;

-- The key of somebody who was forgotten is empty, and stays so: nobody gets another one.
do $$
begin
	execute format('create table if not exists %I.house_keys (
		name       text        not null primary key,
		wrapped    bytea       not null,
		created_at timestamptz not null default now()
	)', current_schema() || '_keys');
	execute format('alter table %I.subject_keys add forgotten_at timestamptz', current_schema() || '_keys');
	execute format('update %I.subject_keys set forgotten_at = now() where wrapped = %L', current_schema() || '_keys', '');
	execute format('create index subject_keys_forgotten on %I.subject_keys (forgotten_at) where forgotten_at is not null', current_schema() || '_keys');
end $$;

-- A batch calls this when it says something about somebody who has no key any more, or forgets somebody whose
-- streams are not those that were read.
create function refuse_subjects() returns boolean language plpgsql as $$
begin
	raise exception 'a subject has no key, or is held by other streams' using errcode = 'GE003';
end $$;
