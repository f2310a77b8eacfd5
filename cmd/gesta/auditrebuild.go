package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"gesta/projections"
)

// auditRebuild lets scribes begin again.
type auditRebuild struct {
	Only []string `enum:"proof,history" default:"proof,history" help:"What is made anew: proof, the log over the history, without which nobody can tell any more which event was changed: run 'gesta audit verify' first; history, the index of it. Both when not set."`
}

// derived is what a scribe makes, and how it is taken away. What was signed stays: the log is signed again when it has
// grown past that, and only if it comes to the same.
var derived = []struct{ scribe, clear string }{
	{"proof", "truncate proof_tiles; update proof_log set size = 0"},
	{projections.HistoryFollower, projections.ClearHistory},
}

// Run takes all of it away with the checkpoints of its scribes, as the owner of the tables.
func (c auditRebuild) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		err := c.begin(ctx, a.sys)
		if err == nil {
			_, err = fmt.Fprintf(std.out, "%s: cleared; whoever runs the role audit makes it anew\n", strings.Join(c.Only, ", "))
		}
		return err
	})
}

func (c auditRebuild) begin(ctx context.Context, sys *system) error {
	conn, err := pgx.Connect(ctx, sys.ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return c.clear(ctx, tx, sys.schema) })
}

func (c auditRebuild) clear(ctx context.Context, tx pgx.Tx, schema string) error {
	if _, err := tx.Exec(ctx, "set local search_path = "+pgx.Identifier{schema}.Sanitize()); err != nil {
		return err
	}
	for _, d := range derived {
		if !slices.Contains(c.Only, d.scribe) {
			continue
		}
		if _, err := tx.Exec(ctx, d.clear); err != nil {
			return err
		}
		// Scribes come to their checkpoint last, too: of both, one waits for the other.
		if _, err := tx.Exec(ctx, "delete from checkpoints where follower = $1", d.scribe); err != nil {
			return err
		}
	}
	return nil
}
