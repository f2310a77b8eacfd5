drop table history_counts, history_hours, history, history_classes;
delete from checkpoints where follower = 'history';
