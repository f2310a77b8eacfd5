insert into subject_keys (subject, wrapped) select * from unnest($1::uuid[], $2::bytea[])
