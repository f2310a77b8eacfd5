select h.epoch, coalesce(e.position, 0),
	coalesce(e.event_id, '00000000-0000-0000-0000-000000000000'),
	coalesce(e.recorded_at, '0001-01-01 00:00:00+00')
from head as h
left join (select position, event_id, recorded_at from events order by position desc limit 1) as e on true
