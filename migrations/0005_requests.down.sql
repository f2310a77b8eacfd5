drop index idempotency_requests;
