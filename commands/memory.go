package commands

import (
	"context"

	"gesta/domain"
)

type memoryKey struct{}

// remembering answers a context under which a stream whose State was read is not read again by a work that
// looks at it: the append will tell if it has moved since, and only then is it worth another question. What
// nobody has read under the context is not trusted, although it is most often right: replicas that write in
// turns would have conflicts all the time, and each spoils the batch it is in. The context is for one
// goroutine.
func remembering(ctx context.Context) context.Context {
	return context.WithValue(ctx, memoryKey{}, map[domain.Stream]int64{})
}

func remember(ctx context.Context, s domain.Stream, version int64) {
	if read, ok := ctx.Value(memoryKey{}).(map[domain.Stream]int64); ok {
		read[s] = version
	}
}

// forget follows a conflict.
func forget(ctx context.Context) {
	read, _ := ctx.Value(memoryKey{}).(map[domain.Stream]int64)
	clear(read)
}

// recall answers the state that was read under ctx, or loads it: also where somebody here has written on
// the stream since.
func recall[S domain.State[S]](ctx context.Context, x *Executor, s domain.Stream) (folded, error) {
	read, _ := ctx.Value(memoryKey{}).(map[domain.Stream]int64)
	version, known := read[s]
	f, _ := x.states.Get(s)
	if _, same := f.state.(S); known && same && f.version == version {
		return f, nil
	}
	return load[S](ctx, x, s)
}
