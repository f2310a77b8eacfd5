package proof

import (
	"crypto/sha256"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight // hashes in a whole tile
	tileBytes  = tileWidth * tlog.HashSize
)

// place names a tile.
type place struct {
	level int
	tile  int64
}

func (p place) String() string { return fmt.Sprintf("tile %d of level %d", p.tile, p.level) }

// first and last are the positions of the events that some of its hashes stand for.
func (p place) first(hash int) int64 {
	return (p.tile*tileWidth+int64(hash))<<(tileHeight*p.level) + 1
}
func (p place) last(hash int) int64 { return p.first(hash+1) - 1 }

// spans counts whole hashes of a level in a tree of some size.
func spans(size int64, level int) int64 { return size >> (tileHeight * level) }

// edge is the right edge of a tree: what is needed to make it grow. The zero edge is that of an empty tree.
type edge struct {
	size  int64
	tiles [][]byte // by level, the hashes of its last tile, which is not full
}

// add adds a leaf, and shows each tile that it fills, which is the receiver's to keep.
func (e *edge) add(h tlog.Hash, full func(p place, hashes []byte)) {
	e.size++
	for level := 0; ; level++ {
		if level == len(e.tiles) {
			e.tiles = append(e.tiles, nil)
		}
		if e.tiles[level] == nil {
			e.tiles[level] = make([]byte, 0, tileBytes)
		}
		tile := append(e.tiles[level], h[:]...)
		if len(tile) < tileBytes {
			e.tiles[level] = tile
			return
		}
		e.tiles[level] = nil
		full(place{level, spans(e.size, level+1) - 1}, tile)
		h = rootOf(tile)
	}
}

// partial shows the tiles that are not full.
func (e *edge) partial(each func(p place, hashes []byte)) {
	for level, hashes := range e.tiles {
		if len(hashes) > 0 {
			each(place{level, spans(e.size, level+1)}, hashes)
		}
	}
}

// rootOf is the hash over a whole tile.
func rootOf(tile []byte) tlog.Hash {
	var pair [1 + 2*tlog.HashSize]byte
	pair[0] = 1 // As RFC 6962 tells nodes from leaves.
	var row [tileBytes / 2]byte
	from := tile
	for {
		n := len(from) / tlog.HashSize / 2
		for i := range n {
			copy(pair[1:], from[i*2*tlog.HashSize:(i+1)*2*tlog.HashSize])
			h := sha256.Sum256(pair[:])
			copy(row[i*tlog.HashSize:], h[:])
		}
		if n == 1 {
			return tlog.Hash(row[:tlog.HashSize])
		}
		from = row[:n*tlog.HashSize]
	}
}

// root is that of the whole tree.
func (e *edge) root() (tlog.Hash, error) { return tlog.TreeHash(e.size, e) }

// ReadHashes answers hashes of the tiles that are not full, as tlog asks for them.
func (e *edge) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	all := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		t := tlog.TileForIndex(tileHeight, index)
		if t.L >= len(e.tiles) || t.N != spans(e.size, t.L+1) || len(e.tiles[t.L]) < t.W*tlog.HashSize {
			return nil, fmt.Errorf("proof: hash %d is not at the edge of a tree of %d", index, e.size)
		}
		h, err := tlog.HashFromTile(t, e.tiles[t.L], index)
		if err != nil {
			return nil, err
		}
		all[i] = h
	}
	return all, nil
}
