select scope, name, stream_kind, stream_id from claims where (scope, name) > ($1, $2)
order by scope, name limit $3
