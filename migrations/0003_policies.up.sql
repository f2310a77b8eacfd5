-- What policies have yet to do: whose time has not come, and what went wrong and is tried again. It is
-- derived: without the row of the policy '' some of it is missing, and whoever leads makes it anew from the
-- history.
create table timers (
	policy     text        not null,
	event_id   uuid        not null,
	position   bigint      not null,
	due_at     timestamptz not null,
	attempts   integer     not null default 0,
	last_error text        not null default '',
	primary key (policy, event_id)
);
create index timers_due on timers (due_at);
comment on column timers.event_id is 'The event that is reacted to.';
comment on column timers.attempts is 'How often the reaction has failed.';

-- Policies begin here: to what happened before nobody reacts any more. Where this migration was taken back
-- and is made again, they go on from where they were.
insert into checkpoints (follower, position, event_id)
select 'policies', coalesce(max(e.position), 0),
	coalesce((array_agg(e.event_id))[1], '00000000-0000-0000-0000-000000000000')
from (select position, event_id from events order by position desc limit 1) e
on conflict do nothing;

-- At the beginning of the history nothing is yet to be done, and so all of it is there. Anywhere else it is
-- what events tell that policies have passed.
insert into timers (policy, event_id, position, due_at)
select '', '00000000-0000-0000-0000-000000000000', 0, 'infinity'
from checkpoints where follower = 'policies' and position = 0;
