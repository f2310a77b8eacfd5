-- Whether subjects have, or had, a key, whether it is still there, whether it is the one given, and how many streams
-- hold them.
select w.n, k.subject is not null, coalesce(k.wrapped <> '', false), coalesce(k.wrapped = w.wrapped, false),
	(select count(*) from subject_streams as s where s.subject = w.subject)
from unnest($1::uuid[], $2::bytea[]) with ordinality as w (subject, wrapped, n)
left join subject_keys as k on k.subject = w.subject
