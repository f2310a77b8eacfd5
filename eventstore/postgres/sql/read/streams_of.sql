select stream_kind, stream_id from subject_streams where subject = $1 order by stream_id, stream_kind collate "C"
