select position, stream_kind, stream_id, version, event_id, type, schema, data, secret, metadata,
	occurred_at, recorded_at
from events where position > $1 order by position limit $2
