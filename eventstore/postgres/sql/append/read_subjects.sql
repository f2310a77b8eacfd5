-- Which subjects have a key, and whether it is the one given.
select w.n, k.wrapped = w.wrapped
from unnest($1::uuid[], $2::bytea[]) with ordinality as w (subject, wrapped, n)
join subject_keys as k on k.subject = w.subject
