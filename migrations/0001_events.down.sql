do $$
begin
	execute format('drop schema %I cascade', current_schema() || '_keys');
end $$;
drop table checkpoints, idempotency, claims, events, head;
drop function refuse_versions();
drop function refuse_change();
