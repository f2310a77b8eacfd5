-- The whole history in the order of streams, by the unique index.
select position, stream_kind, stream_id, version, event_id, type, schema, data, secret, metadata,
	occurred_at, recorded_at
from events where (stream_id, stream_kind, version) > ($1, $2, $3)
order by stream_id, stream_kind, version limit $4
