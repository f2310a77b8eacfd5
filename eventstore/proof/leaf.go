// Package proof keeps a Merkle log over the whole history, so that nobody can change, remove or add what happened
// without being found out by whoever kept one of its signed checkpoints.
//
// The log is that of RFC 6962, as golang.org/x/mod/sumdb/tlog implements it: the event of position p is leaf p-1.
// Its hashes lie in tiles of 256. Checkpoints are signed notes in the form of C2SP's tlog-checkpoint.
package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore"
)

// leafVersion is the first byte of each leaf: another encoding would have another.
const leafVersion = 1

// Leaf is what a leaf of the log is the hash of: the whole stored row, with what is sealed as it is sealed, so that
// forgetting somebody changes none. In the place of its secrets stands their digest, for they never leave the store.
type Leaf struct {
	Position   int64
	Stream     domain.Stream
	Version    int64
	Event      id.Event
	Type       string
	Schema     uint32
	Data       []byte             // JSON, as stored
	Secret     *[sha256.Size]byte // SHA-256 of the secret fields as stored; nil where there are none
	Meta       []byte             // JSON, as stored
	OccurredAt int64              // microseconds since 1970
	RecordedAt int64
}

// LeafOf is the leaf of a row.
func LeafOf(r eventstore.Recorded) Leaf {
	l := Leaf{
		Position: r.Position, Stream: r.Stream, Version: r.Version, Event: r.ID, Type: r.Type, Schema: uint32(r.Schema),
		Data: r.Data, Meta: r.Meta, OccurredAt: r.OccurredAt.UnixMicro(), RecordedAt: r.RecordedAt.UnixMicro(),
	}
	if r.Secret != nil {
		digest := sha256.Sum256(r.Secret)
		l.Secret = &digest
	}
	return l
}

// AppendTo appends the encoding of the leaf. All numbers are big-endian; what may be of any length comes behind its
// length in four bytes:
//
//	1 byte    1, the version of this encoding
//	8 bytes   position
//	4 + n     stream kind
//	16 bytes  stream id
//	8 bytes   version
//	16 bytes  event id
//	4 + n     type
//	4 bytes   schema
//	4 + n     data
//	1 byte    0 without secret fields; else 1, and 32 bytes: the SHA-256 of the secret column
//	4 + n     metadata
//	8 bytes   occurred_at, in microseconds since 1970
//	8 bytes   recorded_at, likewise
func (l Leaf) AppendTo(b []byte) []byte {
	b = append(b, leafVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(l.Position))
	b = appendSized(b, l.Stream.Kind)
	b = append(b, l.Stream.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(l.Version))
	b = append(b, l.Event.ID[:]...)
	b = appendSized(b, l.Type)
	b = binary.BigEndian.AppendUint32(b, l.Schema)
	b = appendSized(b, l.Data)
	if l.Secret == nil {
		b = append(b, 0)
	} else {
		b = append(append(b, 1), l.Secret[:]...)
	}
	b = appendSized(b, l.Meta)
	b = binary.BigEndian.AppendUint64(b, uint64(l.OccurredAt))
	return binary.BigEndian.AppendUint64(b, uint64(l.RecordedAt))
}

func appendSized[T string | []byte](b []byte, text T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

// Hash is the leaf's hash in the log: SHA-256 of a byte 0 and the encoding.
func (l Leaf) Hash() tlog.Hash {
	h, _ := l.hash(nil)
	return h
}

// hash encodes into a buffer that may be used again.
func (l Leaf) hash(buffer []byte) (tlog.Hash, []byte) {
	buffer = l.AppendTo(append(buffer[:0], 0))
	return sha256.Sum256(buffer), buffer
}

// ErrLeaf refuses what is no leaf.
var ErrLeaf = errors.New("proof: no leaf")

// ParseLeaf reads what AppendTo writes, and refuses with ErrLeaf what it would not have written so.
func ParseLeaf(text []byte) (l Leaf, err error) {
	r := leafReader{rest: text}
	if version := r.take(1); r.short || version[0] != leafVersion {
		return Leaf{}, fmt.Errorf("%w of version %d", ErrLeaf, leafVersion)
	}
	l.Position = r.int8()
	l.Stream.Kind, l.Stream.ID = string(r.sized()), r.id()
	l.Version, l.Event.ID = r.int8(), r.id()
	l.Type, l.Schema = string(r.sized()), r.int4()
	l.Data, l.Secret = bytes.Clone(r.sized()), r.digest()
	l.Meta = bytes.Clone(r.sized())
	l.OccurredAt, l.RecordedAt = r.int8(), r.int8()
	if r.short || len(r.rest) > 0 {
		return Leaf{}, ErrLeaf
	}
	return l, nil
}

// leafReader takes from the front; short says that there was not enough.
type leafReader struct {
	rest  []byte
	short bool
}

func (r *leafReader) take(n int) []byte {
	if r.short || n > len(r.rest) {
		r.short = true
		return nil
	}
	var taken []byte
	taken, r.rest = r.rest[:n], r.rest[n:]
	return taken
}

func (r *leafReader) int4() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *leafReader) int8() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *leafReader) id() (i id.ID) {
	copy(i[:], r.take(len(i)))
	return i
}

func (r *leafReader) sized() []byte { return r.take(int(r.int4())) }

func (r *leafReader) digest() *[sha256.Size]byte {
	there := r.take(1)
	if r.short || there[0] == 0 {
		return nil
	}
	if there[0] != 1 {
		r.short = true
	}
	if b := r.take(sha256.Size); b != nil {
		return (*[sha256.Size]byte)(bytes.Clone(b))
	}
	return nil
}
