select w.n, i.fingerprint, i.result
from unnest($1::text[], $2::text[]) with ordinality as w (scope, key, n)
join idempotency as i on i.scope = w.scope and i.key = w.key
