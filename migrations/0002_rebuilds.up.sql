-- Requests to build the read models anew, and what became of them. They lie in the truth's schema, where
-- whoever asks and whoever projects find them, whatever happens to the read models.
create table rebuilds (
	id           bigint      generated always as identity primary key,
	requested_at timestamptz not null default now(),
	replace      boolean     not null,
	fingerprint  text,
	state        text        not null default 'requested'
		check (state in ('requested', 'filling', 'comparing', 'done', 'different', 'failed')),
	position     bigint      not null default 0,
	target       bigint      not null default 0,
	detail       json        not null default '{}',
	updated_at   timestamptz not null default now()
);
comment on column rebuilds.replace is 'Whether differences from the old read models are no reason to keep them.';
comment on column rebuilds.fingerprint is 'Of the rules by which they are built; null before anybody began.';
comment on column rebuilds.detail is 'Why it failed, or the first rows that differ: keys and names of columns, no values.';
