select e.position, e.stream_kind, e.stream_id, e.version, e.event_id, e.type, e.schema, e.data, e.secret,
	e.metadata, e.occurred_at, e.recorded_at
from unnest($1::uuid[], $2::text[]) with ordinality as s (id, kind, place)
join events as e on e.stream_id = s.id and e.stream_kind = s.kind
order by s.place, e.version
