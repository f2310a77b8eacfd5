with turn as materialized (select pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.idempotency', 0)) as mine)
delete from idempotency where (scope, key) in (
	select scope, key from idempotency where scope = 'request' and recorded_at < now() - $1::interval and (select mine from turn)
	order by recorded_at limit $2)
