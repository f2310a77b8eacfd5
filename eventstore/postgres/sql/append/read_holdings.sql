-- Which of the streams hold which of the subjects.
select w.n
from unnest($1::uuid[], $2::text[], $3::uuid[]) with ordinality as w (subject, stream_kind, stream_id, n)
join subject_streams as s on s.subject = w.subject and s.stream_id = w.stream_id and s.stream_kind = w.stream_kind
