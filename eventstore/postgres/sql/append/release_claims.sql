delete from claims as c
using unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[]) as r (scope, name, stream_kind, stream_id)
where c.scope = r.scope and c.name = r.name and c.stream_kind = r.stream_kind and c.stream_id = r.stream_id
