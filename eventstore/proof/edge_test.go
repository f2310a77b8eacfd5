package proof

import (
	"bytes"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// reference is a log that tlog itself makes.
type reference struct{ hashes []tlog.Hash }

func (r *reference) ReadHashes(indexes []int64) (all []tlog.Hash, err error) {
	for _, i := range indexes {
		all = append(all, r.hashes[i])
	}
	return all, nil
}

func (r *reference) add(n int64, h tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(n, h, r)
	r.hashes = append(r.hashes, hashes...)
	return err
}

// The tiles and roots are those of tlog, at every size.
func TestTheEdgeIsThatOfALog(t *testing.T) {
	const size = 3 << 16 / 2
	e, r := &edge{}, &reference{}
	filled := map[place][]byte{}
	check := func() {
		want, err := tlog.TreeHash(e.size, r)
		if err != nil {
			t.Fatal(err)
		}
		if root, err := e.root(); err != nil || root != want {
			t.Fatalf("the root of %d is another (%v)", e.size, err)
		}
		e.partial(func(p place, hashes []byte) { filled[p] = hashes })
		for _, tile := range tlog.NewTiles(tileHeight, max(e.size-1, 0), e.size) {
			want, err := tlog.ReadTileData(tile, r)
			if err != nil || !bytes.Equal(filled[place{tile.L, tile.N}], want) {
				t.Fatalf("the tree of %d has another %v (%v)", e.size, tile, err)
			}
		}
	}
	for n := range int64(size) {
		h := tlog.RecordHash([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
		if err := r.add(n, h); err != nil {
			t.Fatal(err)
		}
		e.add(h, func(p place, hashes []byte) { filled[p] = hashes })
		if n < 600 || n%997 == 0 || (n+1)%tileWidth < 2 {
			check()
		}
	}
	if first, last := (place{1, 2}).first(3), (place{1, 2}).last(3); first != 2<<16+3<<8+1 || last != first+255 {
		t.Error(first, last)
	}
}

// The root comes out of any part and what lies beside it, of which there is little.
func TestTheRootComesOutOfAnyPart(t *testing.T) {
	r := &reference{}
	const size = 2000
	for n := range int64(size) {
		if err := r.add(n, tlog.RecordHash([]byte{byte(n), byte(n >> 8)})); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, size).Draw(t, "size")
		from := rapid.Int64Range(0, n-1).Draw(t, "from")
		part := span{from, rapid.Int64Range(from+1, n).Draw(t, "to")}
		indexes := span{0, n}.outside(part, nil)
		if len(indexes) > 2*11 {
			t.Fatalf("%d hashes beside it", len(indexes))
		}
		outside, err := r.ReadHashes(indexes)
		if err != nil {
			t.Fatal(err)
		}
		asked, at := next(outside), part.from
		root, err := span{0, n}.rootAround(part, asked, func() (tlog.Hash, error) {
			h := r.hashes[tlog.StoredHashIndex(0, at)]
			at++
			return h, nil
		})
		want, _ := tlog.TreeHash(n, r)
		if err != nil || root != want || at != part.to {
			t.Fatal(root, want, at, err)
		}
		if _, err := asked(); err == nil {
			t.Fatal("not all hashes were asked for")
		}
	})
}
