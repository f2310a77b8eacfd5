-- Destroys keys, of those who are held by as many streams as were read. Who had no key gets none any more.
insert into subject_keys as k (subject, wrapped, forgotten_at)
select f.subject, '', clock_timestamp()
from unnest($1::uuid[], $2::bigint[]) as f (subject, streams)
where case
	when (select count(*) from subject_streams as s where s.subject = f.subject) = f.streams then true
	else refuse_subjects()
end
on conflict (subject) do update set wrapped = '', forgotten_at = coalesce(k.forgotten_at, excluded.forgotten_at)
