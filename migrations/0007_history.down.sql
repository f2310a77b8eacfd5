drop table history_counts, history, history_classes;
delete from checkpoints where follower = 'history';
