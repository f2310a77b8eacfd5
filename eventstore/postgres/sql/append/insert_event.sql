-- insert_events for a batch of one, whose parameters are scalars: less to plan and to run.
insert into events (position, stream_kind, stream_id, version, event_id, type, schema,
	data, secret, metadata, occurred_at, recorded_at)
select coalesce(l.position, 0) + 1, $1::text, $2::uuid, $3::bigint, $5::uuid, $6::text, $7::integer,
	$8::json, $9::json, $10::json, $11::timestamptz, greatest(clock_timestamp(), l.recorded_at)
from (values (1)) as one
left join (select position, recorded_at from events order by position desc limit 1) as l on true
where case
	when $4::uuid is null then true
	when (select $4::uuid in (before.event_id, '00000000-0000-0000-0000-000000000000')
		from events as before where before.stream_id = $2::uuid
		and before.stream_kind = $1::text and before.version = $3::bigint - 1) then true
	else refuse_versions()
end
returning position - 1, recorded_at,
	(select before.event_id from events as before where before.position = events.position - 1)
