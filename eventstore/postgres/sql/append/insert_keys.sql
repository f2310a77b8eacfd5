-- Whoever has a key already is refused by the primary key. Whom streams hold has had one, which is lost: another one
-- would be in the way of a backup.
insert into subject_keys (subject, wrapped)
select k.subject, k.wrapped from unnest($1::uuid[], $2::bytea[]) as k (subject, wrapped)
where case when (select true from subject_streams as s where s.subject = k.subject limit 1) then refuse_subjects() else true end
