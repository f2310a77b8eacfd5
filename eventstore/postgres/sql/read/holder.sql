select stream_kind, stream_id from claims where scope = $1 and name = $2
