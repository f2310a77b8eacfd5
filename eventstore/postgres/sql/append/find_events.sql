-- Whether an append whose answer was lost is there: by the place its first event was to have in its
-- stream, and the event's id.
select w.n, e.position, e.recorded_at
from unnest($1::text[], $2::uuid[], $3::bigint[], $4::uuid[]) with ordinality
	as w (stream_kind, stream_id, version, event_id, n)
join events as e on e.stream_id = w.stream_id and e.stream_kind = w.stream_kind
	and e.version = w.version and e.event_id = w.event_id
