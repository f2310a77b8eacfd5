-- Who was forgotten stays so: the empty key remains, and so do the keys of the house. The table of streams is filled
-- again when this migration is made again.
alter table head drop sealed_after;
drop function refuse_subjects();
drop table subject_streams;
do $$
begin
	execute format('alter table %I.subject_keys drop forgotten_at', current_schema() || '_keys');
end $$;
