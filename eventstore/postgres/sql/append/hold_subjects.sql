-- Streams that hold somebody's data from now on. Only of those who have a key: nothing is said any more about who
-- was forgotten. It asks by a scalar subquery, as insert_events does.
insert into subject_streams (subject, stream_kind, stream_id)
select h.subject, h.stream_kind, h.stream_id
from unnest($1::uuid[], $2::text[], $3::uuid[]) as h (subject, stream_kind, stream_id)
where case
	when (select k.wrapped <> '' from subject_keys as k where k.subject = h.subject) then true
	else refuse_subjects()
end
on conflict do nothing
