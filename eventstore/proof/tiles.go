package proof

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/mod/sumdb/tlog"
)

// DB is a connection, a pool or a transaction of pgx that finds the truth's tables by their names alone.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// ErrDamaged says that the tiles are not those of the log, or not those of the events.
var ErrDamaged = errors.New("proof: tiles of the log or events are damaged; 'gesta audit verify' names which")

// tiles are columns of tiles, as a statement takes them.
type tiles struct {
	levels  []int32
	numbers []int64
	hashes  [][]byte
}

func (t *tiles) add(p place, hashes []byte) {
	t.levels, t.numbers, t.hashes = append(t.levels, int32(p.level)), append(t.numbers, p.tile), append(t.hashes, hashes)
}

// write puts them into the table. A partial tile is overwritten by a longer one.
func (t *tiles) write(ctx context.Context, db DB, size int64) error {
	_, err := db.Exec(ctx, `with written as (
			insert into proof_tiles (level, tile, hashes) select * from unnest($1::integer[], $2::bigint[], $3::bytea[])
			on conflict (level, tile) do update set hashes = excluded.hashes
		) insert into proof_log (size) values ($4) on conflict (single) do update set size = excluded.size`,
		t.levels, t.numbers, t.hashes, size)
	if err != nil {
		return fmt.Errorf("proof: tiles up to %d: %w", size, err)
	}
	return nil
}

// readTiles answers the tiles that are there.
func readTiles(ctx context.Context, db DB, places ...place) (map[place][]byte, error) {
	var asked tiles
	for _, p := range places {
		asked.add(p, nil)
	}
	rows, err := db.Query(ctx, `select level, tile, hashes from proof_tiles
		where (level, tile) in (select * from unnest($1::integer[], $2::bigint[]))`, asked.levels, asked.numbers)
	if err != nil {
		return nil, err
	}
	found := map[place][]byte{}
	var p place
	var hashes []byte
	_, err = pgx.ForEachRow(rows, []any{&p.level, &p.tile, &hashes}, func() error {
		found[p], hashes = hashes, nil
		return nil
	})
	return found, err
}

// readEdge reads the edge of the tree of some size. It answers ErrDamaged where tiles are missing.
func readEdge(ctx context.Context, db DB, size int64) (*edge, error) {
	e := &edge{size: size}
	var places []place
	for level := 0; spans(size, level) > 0; level++ {
		places = append(places, place{level, spans(size, level+1)})
	}
	found, err := readTiles(ctx, db, places...)
	if err != nil {
		return nil, err
	}
	for level, p := range places {
		width := int(spans(size, level) % tileWidth * tlog.HashSize)
		if len(found[p]) < width {
			return nil, fmt.Errorf("%w: %s is not there", ErrDamaged, p)
		}
		e.tiles = append(e.tiles, append(make([]byte, 0, tileBytes), found[p][:width]...))
	}
	return e, nil
}

// hashesOf reads hashes of a tree, each of them proven by its root; ErrDamaged where the tiles don't have it.
func hashesOf(ctx context.Context, db DB, tree tlog.Tree) tlog.HashReader {
	r := &tileReader{ctx: ctx, db: db}
	proven := tlog.TileHashReader(tree, r)
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes, err := proven.ReadHashes(indexes)
		if err != nil && !r.away {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return hashes, err
	})
}

// tileReader reads tiles for tlog, which checks them.
type tileReader struct {
	ctx  context.Context
	db   DB
	away bool // the database did not answer
}

// Height is that of the tiles.
func (*tileReader) Height() int { return tileHeight }

// SaveTiles does nothing: tiles are where they come from.
func (*tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles reads as much of each tile as was asked for.
func (r *tileReader) ReadTiles(asked []tlog.Tile) ([][]byte, error) {
	var places []place
	for _, t := range asked {
		places = append(places, place{t.L, t.N})
	}
	found, err := readTiles(r.ctx, r.db, places...)
	if err != nil {
		r.away = true
		return nil, err
	}
	all := make([][]byte, len(asked))
	for i, t := range asked {
		hashes := found[places[i]]
		if len(hashes) < t.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is not there", places[i])
		}
		all[i] = hashes[:t.W*tlog.HashSize]
	}
	return all, nil
}
