-- A stream that holds several names in the scope is answered once, in the order of streams.
select stream_kind, stream_id from claims where scope = $1
group by stream_id, stream_kind order by stream_id, stream_kind collate "C"
