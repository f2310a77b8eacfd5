-- The index of the history: by what auditors look for events. All of it is made from the events, by the scribe "history";
-- nothing is lost with it. No event has an index of its own, and appends write nothing here.

-- What events have in common that are looked for by anything but whose they are: there are some hundred of these classes,
-- however long the history is. A class is named by the position of its first event. So what is looked for by several of
-- these is some classes, and their events are found by one index, in order, however few they are.
create table history_classes (
	class       bigint not null primary key,
	stream_kind text   not null,
	type        text   not null,
	realm       text   not null,
	surface     text   not null,
	actor       text   not null,
	unique (stream_kind, type, realm, surface, actor)
);
comment on column history_classes.actor is 'As in "system"; of an actor with a ULID what stands before it, as in "user/".';

-- A row for each event. What its metadata do not say is null; what is no ULID there can't be asked for.
create table history (
	position    bigint not null primary key,
	class       bigint not null,
	actor       uuid,
	request     uuid,
	correlation uuid
) with (autovacuum_vacuum_insert_scale_factor = 0.05);
-- All classes are greater than 0. Who asks for the events of an actor does not say so, and is never answered by this index,
-- also where the server has yet to find out that an actor has few.
create index history_class on history (class, position) where class > 0;
create index history_actor on history (actor, class, position) where actor is not null;
create index history_correlation on history (correlation, position) where correlation is not null;
-- Whatever a request led to has its id as the correlation, so that this one is empty as long as it is so.
create index history_request on history (request, position) where request is not null and request is distinct from correlation;

-- Where each hour begins in which something was recorded: times are looked for from there on, and so it takes no longer
-- the longer the history is.
create table history_hours (
	hour  timestamptz not null primary key,
	first bigint      not null
);

-- How many events there are: of each type, actor and hour in which they were recorded, in each realm.
create table history_counts (
	field  text   not null check (field in ('type', 'actor', 'hour')),
	realm  text   collate "C" not null,
	key    text   collate "C" not null,
	events bigint not null,
	primary key (field, realm, key)
);
