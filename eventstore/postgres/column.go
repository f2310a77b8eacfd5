package postgres

import (
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// column is one column of a batch as a Postgres array in its binary form. Its bytes are kept from
// batch to batch, so that a batch allocates next to nothing.
type column struct {
	element uint32 // the OID of the array's elements
	rows    uint32
	nulls   uint32 // 1 when there are any
	buf     []byte
}

const (
	arrayHeader  = 20 // dimensions, nulls, element, rows, lower bound: four bytes each
	lengthHeader = 4  // before each element
)

// year2000 is where Postgres begins to count microseconds.
var year2000 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func (c *column) reset() {
	c.buf = append(c.buf[:0], make([]byte, arrayHeader)...)
	c.rows, c.nulls = 0, 0
}

func (c *column) text(s string) {
	c.begin(len(s))
	c.buf = append(c.buf, s...)
}

func (c *column) bytes(b []byte) {
	c.begin(len(b))
	c.buf = append(c.buf, b...)
}

// json takes nil for NULL.
func (c *column) json(b []byte) {
	if b != nil {
		c.bytes(b)
		return
	}
	c.null()
}

func (c *column) null() {
	c.rows++
	c.nulls = 1
	c.buf = binary.BigEndian.AppendUint32(c.buf, 0xffffffff)
}

func (c *column) int4(n int) {
	c.begin(4)
	c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(n))
}

func (c *column) int8(n int64) {
	c.begin(8)
	c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(n))
}

func (c *column) time(t time.Time) { c.int8(t.UnixMicro() - year2000) }

func (c *column) begin(length int) {
	c.rows++
	c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(length))
}

// array is the whole column.
func (c *column) array() []byte {
	binary.BigEndian.PutUint32(c.buf[0:], 1)
	binary.BigEndian.PutUint32(c.buf[4:], c.nulls)
	binary.BigEndian.PutUint32(c.buf[8:], c.element)
	binary.BigEndian.PutUint32(c.buf[12:], c.rows)
	binary.BigEndian.PutUint32(c.buf[16:], 1)
	return c.buf
}

// scalar is the one value of a column of one row; nil for NULL.
func (c *column) scalar() []byte {
	if c.nulls == 1 {
		return nil
	}
	return c.buf[arrayHeader+lengthHeader:]
}

// timeFrom reads what time writes.
func timeFrom(micros int64) time.Time { return time.UnixMicro(micros + year2000).UTC() }

// table is some columns with the same number of rows.
type table []column

func newTable(elements ...uint32) table {
	t := make(table, len(elements))
	for i, oid := range elements {
		t[i].element = oid
		t[i].reset()
	}
	return t
}

func (t table) reset() {
	for i := range t {
		t[i].reset()
	}
}

func (t table) rows() uint32 { return t[0].rows }

// arrays and scalars are the table as the parameters of a statement.
func (t table) arrays() [][]byte  { return t.params((*column).array) }
func (t table) scalars() [][]byte { return t.params((*column).scalar) }

func (t table) params(of func(*column) []byte) [][]byte {
	params := make([][]byte, len(t))
	for i := range t {
		params[i] = of(&t[i])
	}
	return params
}

// The types of what an append writes, in the order of the statements' parameters.
var (
	eventTypes = []uint32{
		pgtype.TextOID, pgtype.UUIDOID, pgtype.Int8OID, pgtype.UUIDOID, pgtype.UUIDOID, pgtype.TextOID,
		pgtype.Int4OID, pgtype.JSONOID, pgtype.JSONOID, pgtype.JSONOID, pgtype.TimestamptzOID,
	}
	checkTypes   = []uint32{pgtype.TextOID, pgtype.UUIDOID, pgtype.Int8OID, pgtype.UUIDOID}
	claimTypes   = []uint32{pgtype.UUIDOID, pgtype.UUIDOID, pgtype.TextOID, pgtype.UUIDOID}
	keyTypes     = []uint32{pgtype.UUIDOID, pgtype.ByteaOID}
	holdingTypes = []uint32{pgtype.UUIDOID, pgtype.TextOID, pgtype.UUIDOID}
	forgetTypes  = []uint32{pgtype.UUIDOID, pgtype.Int8OID}
	answerTypes  = []uint32{pgtype.TextOID, pgtype.TextOID, pgtype.ByteaOID, pgtype.JSONOID}
)
