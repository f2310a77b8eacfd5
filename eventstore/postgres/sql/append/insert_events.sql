-- Numbers the events from the last one's position. Each comes with its version. One that `follows` an
-- event of an earlier batch finds out first whether it is there: a missing one would leave a gap that the
-- unique index can't see. It asks by a scalar subquery, since `exists` would be planned as a hash
-- of all events there are.
with place as materialized (
	select coalesce(l.position, 0) as last, greatest(clock_timestamp(), l.recorded_at) as recorded_at
	from (values (1)) as one
	left join (select position, recorded_at from events order by position desc limit 1) as l on true
), inserted as (
	insert into events (position, stream_kind, stream_id, version, event_id, type, schema,
		data, secret, metadata, occurred_at, recorded_at)
	select place.last + e.n, e.stream_kind, e.stream_id, e.version, e.event_id, e.type, e.schema,
		e.data, e.secret, e.metadata, e.occurred_at, place.recorded_at
	from place, unnest($1::text[], $2::uuid[], $3::bigint[], $4::boolean[], $5::uuid[], $6::text[],
		$7::integer[], $8::json[], $9::json[], $10::json[], $11::timestamptz[]) with ordinality
		as e (stream_kind, stream_id, version, follows, event_id, type,
		schema, data, secret, metadata, occurred_at, n)
	where case
		when not e.follows then true
		when (select true from events as before where before.stream_id = e.stream_id
			and before.stream_kind = e.stream_kind and before.version = e.version - 1) then true
		else refuse_versions()
	end
)
select last, recorded_at from place
