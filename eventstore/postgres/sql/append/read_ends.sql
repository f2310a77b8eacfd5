select w.n, e.version, e.event_id
from unnest($1::text[], $2::uuid[]) with ordinality as w (stream_kind, stream_id, n),
	lateral (select e.version, e.event_id from events as e
		where e.stream_id = w.stream_id and e.stream_kind = w.stream_kind order by e.version desc limit 1) as e
