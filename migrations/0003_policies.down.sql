delete from checkpoints where follower = 'policies';
drop table timers;
