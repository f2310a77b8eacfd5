-- One writer at a time, in every process: the row is locked and never updated, and the lock is held
-- until the commit. What comes next in the same round trip sees what the one before committed.
select epoch from head where single for update
