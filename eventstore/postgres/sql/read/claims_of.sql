-- By no index: it is asked for when somebody is forgotten, and one would make every claim dearer.
select c.scope, c.name, c.stream_kind, c.stream_id
from unnest($1::uuid[], $2::text[]) as s (id, kind)
join claims as c on c.stream_id = s.id and c.stream_kind = s.kind
order by c.stream_id, c.scope, c.name
