select c.scope, c.name, c.stream_kind, c.stream_id
from unnest($1::uuid[], $2::uuid[]) as wanted (scope, name)
join claims as c on c.scope = wanted.scope and c.name = wanted.name
