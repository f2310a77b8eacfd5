-- Streams that are only checked must be at exactly the version they were read at.
select refuse_versions()
from unnest($1::text[], $2::uuid[], $3::bigint[]) as w (stream_kind, stream_id, version)
where w.version <> coalesce((select max(e.version) from events as e
	where e.stream_id = w.stream_id and e.stream_kind = w.stream_kind), 0)
limit 1
