-- Ends an earlier connection of ours, with whatever it may still be about to do, and waits until it is
-- gone: what it has not committed by then it never will.
select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = $1 and backend_start = $2
