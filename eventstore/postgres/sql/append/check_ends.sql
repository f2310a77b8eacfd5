-- Streams that are only checked must be at exactly the version and event they were read at.
select refuse_versions()
from unnest($1::text[], $2::uuid[], $3::bigint[], $4::uuid[]) as w (stream_kind, stream_id, version, event_id)
left join lateral (select e.version, e.event_id from events as e
	where e.stream_id = w.stream_id and e.stream_kind = w.stream_kind order by e.version desc limit 1) as e on true
where w.version <> coalesce(e.version, 0) or w.event_id <> e.event_id
limit 1
