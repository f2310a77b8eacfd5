package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/domain"
	"gesta/domain/id"
)

// The form of a bundle: JSON lines, of which the first is its head and each other one an event. Each line can be
// written in one way only.
const (
	BundleFormat  = "gesta-proof-bundle"
	bundleVersion = "1"
)

// head is the first line. Key is for information: who verifies must have it from elsewhere.
type head struct {
	Format     string   `json:"format"`
	Version    string   `json:"version"`
	Origin     string   `json:"origin"`
	From       int64    `json:"from,string"`
	To         int64    `json:"to,string"`
	Checkpoint string   `json:"checkpoint"` // a signed note
	Key        string   `json:"key"`
	Hashes     []string `json:"hashes"` // of the subtrees beside the events, from the left to the right
}

func (h head) part() span { return span{h.From - 1, h.To} }

// line is an event: the stored row, but for the secret fields, of which there is the SHA-256 in hex. Times are
// microseconds since 1970. Each number is of the type that a leaf encodes: no two lines are the same leaf. Leaf is the
// leaf's hash, by which a line is found that was damaged by accident.
type line struct {
	Position   int64    `json:"position,string"`
	StreamKind string   `json:"stream_kind"`
	StreamID   id.ID    `json:"stream_id"`
	Version    int64    `json:"version,string"`
	EventID    id.Event `json:"event_id"`
	Type       string   `json:"type"`
	Schema     uint32   `json:"schema,string"`
	Data       string   `json:"data"`
	Secret     string   `json:"secret,omitempty"`
	Metadata   string   `json:"metadata"`
	OccurredAt int64    `json:"occurred_at,string"`
	RecordedAt int64    `json:"recorded_at,string"`
	Leaf       string   `json:"leaf"`
}

// errText refuses a text that JSON could not show as it is.
var errText = errors.New("is not UTF-8")

// lineOf appends an event's line.
func lineOf(b []byte, l Leaf, h tlog.Hash) ([]byte, error) {
	if !utf8.Valid(l.Data) || !utf8.Valid(l.Meta) {
		return b, fmt.Errorf("position %d %w", l.Position, errText)
	}
	secret := ""
	if l.Secret != nil {
		secret = hex.EncodeToString(l.Secret[:])
	}
	return line{
		l.Position, l.Stream.Kind, l.Stream.ID, l.Version, l.Event, l.Type, l.Schema, string(l.Data), secret, string(l.Meta),
		l.OccurredAt, l.RecordedAt, h.String(),
	}.appendTo(b), nil
}

// appendTo writes what package json would, without the escapes that are for HTML.
func (l line) appendTo(b []byte) []byte {
	number := func(name string, n int64) {
		b = append(strconv.AppendInt(append(append(b, name...), '"'), n, 10), '"')
	}
	text := func(name, s string) { b = appendString(append(b, name...), s) }
	number(`{"position":`, l.Position)
	text(`,"stream_kind":`, l.StreamKind)
	text(`,"stream_id":`, l.StreamID.String())
	number(`,"version":`, l.Version)
	text(`,"event_id":`, l.EventID.String())
	text(`,"type":`, l.Type)
	number(`,"schema":`, int64(l.Schema))
	text(`,"data":`, l.Data)
	if l.Secret != "" {
		text(`,"secret":`, l.Secret)
	}
	text(`,"metadata":`, l.Metadata)
	number(`,"occurred_at":`, l.OccurredAt)
	number(`,"recorded_at":`, l.RecordedAt)
	text(`,"leaf":`, l.Leaf)
	return append(b, "}\n"...)
}

// appendString quotes a text.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(append(b, s[plain:]...), '"')
}

var errLine = errors.New("is not written as an event is")

// parseLine refuses what lineOf does not write.
func parseLine(text []byte) (l Leaf, leaf string, err error) {
	var one line
	if err := json.Unmarshal(text, &one); err != nil {
		return l, "", errLine
	}
	if !bytes.Equal(one.appendTo(nil), text) {
		return l, "", errLine
	}
	l = Leaf{
		Position: one.Position, Stream: domain.Stream{Kind: one.StreamKind, ID: one.StreamID}, Version: one.Version, Event: one.EventID,
		Type: one.Type, Schema: one.Schema, Data: []byte(one.Data), Meta: []byte(one.Metadata),
		OccurredAt: one.OccurredAt, RecordedAt: one.RecordedAt,
	}
	if one.Secret != "" {
		digest, err := hex.DecodeString(one.Secret)
		if err != nil || len(digest) != sha256.Size || hex.EncodeToString(digest) != one.Secret {
			return l, "", errLine
		}
		l.Secret = (*[sha256.Size]byte)(digest)
	}
	return l, one.Leaf, nil
}

func (h head) text() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(h)
	return b.Bytes(), err
}

var errHead = errors.New("is not the head of a bundle of version " + bundleVersion)

// parseHead refuses what text does not write.
func parseHead(text []byte) (h head, err error) {
	if err := json.Unmarshal(text, &h); err != nil {
		return h, errHead
	}
	again, err := h.text()
	if err != nil || !bytes.Equal(again, text) || h.Format != BundleFormat || h.Version != bundleVersion {
		return h, errHead
	}
	return h, nil
}
