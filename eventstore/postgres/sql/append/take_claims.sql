insert into claims (scope, name, stream_kind, stream_id)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[])
