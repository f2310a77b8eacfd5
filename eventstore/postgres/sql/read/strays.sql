-- Followers that have dealt with an event which the history does not have, or not there.
select c.follower, c.position
from checkpoints as c left join events as e on e.position = c.position and e.event_id = c.event_id
where c.position > 0 and e.position is null
order by c.follower
