-- The statement for a batch of one event: the parameters of insert_events, as scalars.
with place as materialized (
	select coalesce(l.position, 0) as last, greatest(clock_timestamp(), l.recorded_at) as recorded_at
	from (values (1)) as one
	left join (select position, recorded_at from events order by position desc limit 1) as l on true
), inserted as (
	insert into events (position, stream_kind, stream_id, version, event_id, type, schema,
		data, secret, metadata, occurred_at, recorded_at)
	select place.last + 1, $1::text, $2::uuid, $3::bigint, $5::uuid, $6::text, $7::integer,
		$8::json, $9::json, $10::json, $11::timestamptz, place.recorded_at
	from place
	where case
		when not $4::boolean then true
		when (select true from events as before where before.stream_id = $2::uuid
			and before.stream_kind = $1::text and before.version = $3::bigint - 1) then true
		else refuse_versions()
	end
)
select last, recorded_at from place
