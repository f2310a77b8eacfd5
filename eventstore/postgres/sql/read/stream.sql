select position, stream_kind, stream_id, version, event_id, type, schema, data, secret, metadata,
	occurred_at, recorded_at
from events where stream_id = $1 and stream_kind = $2 and version > $3 order by version limit $4
