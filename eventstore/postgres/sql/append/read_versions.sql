select w.n, max_version
from unnest($1::text[], $2::uuid[]) with ordinality as w (stream_kind, stream_id, n),
	lateral (select coalesce(max(e.version), 0) as max_version from events as e
		where e.stream_id = w.stream_id and e.stream_kind = w.stream_kind) as e
where max_version > 0
