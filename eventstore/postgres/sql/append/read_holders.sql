select w.n, c.stream_kind, c.stream_id
from unnest($1::uuid[], $2::uuid[]) with ordinality as w (scope, name, n)
join claims as c on c.scope = w.scope and c.name = w.name
