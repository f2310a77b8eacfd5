select distinct h.subject, h.stream_kind, h.stream_id
from unnest($1::uuid[], $2::text[], $3::uuid[]) as h (subject, stream_kind, stream_id)
where not exists (select from subject_streams as s
	where s.subject = h.subject and s.stream_id = h.stream_id and s.stream_kind = h.stream_kind)
