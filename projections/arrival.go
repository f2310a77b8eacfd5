package projections

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// arrival holds new connections back until the read models hold what the history held when they were
// made.
//
// The projector's commits don't wait for the disk, so a crash of the server takes the read models back to
// before what readers have seen already. Every connection ends with the server: whoever comes back waits
// until the projector has caught up, and sees nothing older than before.
type arrival struct {
	events string       // the table of the truth
	vain   atomic.Int64 // 1 + the checkpoint that was last waited at in vain
}

// How long a new connection is held back at the most, which is less than anybody waits for one, and how
// often it looks. A projector that stands still is waited for once: readers would rather see what there is.
const (
	arrivalBound = time.Second
	arrivalPoll  = 10 * time.Millisecond
)

// await lets a connection go on that can't tell: its first question will find out what is wrong.
func (a *arrival) await(ctx context.Context, conn *pgx.Conn) error {
	var end, position int64
	if err := conn.QueryRow(ctx, `select coalesce(max(position), 0) from `+a.events).Scan(&end); err != nil {
		return nil
	}
	for began := time.Now(); ; rest(ctx, arrivalPoll) {
		err := conn.QueryRow(ctx, `select position from checkpoints where follower = $1 order by era desc limit 1`, follower).Scan(&position)
		if err != nil || position >= end || a.vain.Load() == position+1 {
			return nil
		}
		if time.Since(began) > arrivalBound {
			a.vain.Store(position + 1)
			return nil
		}
	}
}
