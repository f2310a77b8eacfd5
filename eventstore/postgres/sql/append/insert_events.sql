-- Numbers the events from the last one's position. Each comes with its version, and with the event it is to
-- follow: a missing one would leave a gap that the unique index can't see, another one is another history. It
-- asks for it by a scalar subquery, since `exists` would be planned as a hash of all events there are. What
-- follows nothing, or what `trail` stands for, comes with null: as long as the event is where it was, so is all
-- that stood before it.
--
-- The arrays are opened in step in one target list: as a table each is first stored on its own, which is a tenth
-- of the time of a row.
with place as materialized (
	select coalesce(l.position, 0) as last, l.event_id, greatest(clock_timestamp(), l.recorded_at) as recorded_at,
		$12::bigint = 0 or coalesce((select t.event_id = $13::uuid from events as t where t.position = $12::bigint), false) as trail
	from (values (1)) as one
	left join (select position, event_id, recorded_at from events order by position desc limit 1) as l on true
), inserted as (
	insert into events (position, stream_kind, stream_id, version, event_id, type, schema,
		data, secret, metadata, occurred_at, recorded_at)
	select e.position, e.stream_kind, e.stream_id, e.version, e.event_id, e.type, e.schema,
		e.data, e.secret, e.metadata, e.occurred_at, e.recorded_at
	from (
		select generate_series(place.last + 1, place.last + cardinality($2::uuid[])) as position,
			unnest($1::text[]) as stream_kind, unnest($2::uuid[]) as stream_id, unnest($3::bigint[]) as version,
			unnest($4::uuid[]) as follows, unnest($5::uuid[]) as event_id, unnest($6::text[]) as type,
			unnest($7::integer[]) as schema, unnest($8::json[]) as data, unnest($9::json[]) as secret,
			unnest($10::json[]) as metadata, unnest($11::timestamptz[]) as occurred_at,
			place.recorded_at, place.trail
		from place
	) as e
	where case
		when not e.trail then refuse_versions()
		when e.follows is null then true
		when (select e.follows in (before.event_id, '00000000-0000-0000-0000-000000000000')
			from events as before where before.stream_id = e.stream_id
			and before.stream_kind = e.stream_kind and before.version = e.version - 1) then true
		else refuse_versions()
	end
)
select last, recorded_at, event_id from place
