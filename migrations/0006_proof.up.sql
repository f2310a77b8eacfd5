-- The proof that the history is the one that was signed: a Merkle log over all events in the order of positions, in
-- tiles of 256 hashes. Level 0 has the hashes of the events, each next level those of the whole tiles below. The last
-- tile of a level is partial until its time has come. All of it is derived but the checkpoint that was signed last.
create table proof_tiles (
	level  integer not null check (level >= 0),
	tile   bigint  not null check (tile >= 0),
	hashes bytea   not null check (length(hashes) % 32 = 0),
	primary key (level, tile)
);
-- Hashes can't be compressed: it is not even tried.
alter table proof_tiles alter column hashes set storage external;

create table proof_log (
	single     boolean     not null primary key default true check (single),
	size       bigint      not null default 0,
	signed     bigint      not null default 0,
	checkpoint text        not null default '',
	signed_at  timestamptz
);
comment on column proof_log.size is 'How many events the tiles stand for.';
comment on column proof_log.signed is 'How many of them the checkpoint stands for: a signed note.';
insert into proof_log default values;
