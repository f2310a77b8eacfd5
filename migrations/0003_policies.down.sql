-- The checkpoint stays: should this migration be made again, policies react to what happened meanwhile.
drop table timers;
