-- The records of requests are removed after a day, the oldest first; those of policies stay.
create index idempotency_requests on idempotency (recorded_at) where scope = 'request';
