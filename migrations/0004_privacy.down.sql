-- Who was forgotten stays so: the empty key remains. `gesta privacy reindex` fills the table of streams again.
alter table head drop sealed_after;
drop function refuse_subjects();
drop table subject_streams;
do $$
begin
	execute format('alter table %I.subject_keys drop forgotten_at', current_schema() || '_keys');
end $$;
