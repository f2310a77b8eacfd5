package proof

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// File is an append-only file of checkpoints, one signed note after the other, each with an empty line behind it.
type File string

// Append adds a checkpoint, and waits until it is on the disk.
func (f File) Append(c Checkpoint) (err error) {
	file, err := os.OpenFile(string(f), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text := c.Text + "\n"
	if isCut(file) {
		text = "\n\n" + text
	}
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	return file.Sync()
}

// Last is the text of the last whole checkpoint of an origin, whoever has signed it: "" where there is none, or no file.
// It reads from the end, as far as it has to.
func (f File) Last(origin string) (text string, err error) {
	file, err := os.Open(string(f))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	for window := int64(maxKept); ; window *= 16 {
		from := max(0, info.Size()-window)
		text, err := lastOf(origin, io.NewSectionReader(file, from, info.Size()-from), from == 0)
		if err != nil || text != "" || from == 0 {
			return text, err
		}
	}
}

// lastOf finds the last one in a part of a file. Where that is not its beginning, the first may have begun before.
func lastOf(origin string, in io.Reader, whole bool) (text string, err error) {
	_, err = ReadKept(in, func(k Kept) error {
		if whole && k.Origin() == origin {
			text = k.Text
		}
		whole = true
		return nil
	})
	return text, err
}

// isCut tells that what was written last is not whole: what follows must not be taken for a part of it.
func isCut(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	end := make([]byte, 2)
	_, err = file.ReadAt(end, info.Size()-2)
	return err != nil || string(end) != "\n\n"
}

// Kept is a checkpoint of a file.
type Kept struct {
	Line int // where it begins
	Text string
}

// Origin is what it says of where it is from.
func (k Kept) Origin() string { return originOf(k.Text) }

// originOf is the first line of a checkpoint.
func originOf(text string) string {
	origin, _, _ := strings.Cut(text, "\n")
	return origin
}

// ReadKept shows the signed notes of a file one after the other. What has no whole signature was cut off as it was
// written: it says nothing, and is counted.
func ReadKept(in io.Reader, each func(Kept) error) (cut int, err error) {
	lines := bufio.NewScanner(in)
	var k Kept
	end := func() error {
		whole := k
		k = Kept{}
		if isWhole(whole.Text) {
			return each(whole)
		}
		cut++
		return nil
	}
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if k.Text != "" && hasHead(k.Text) && !strings.HasPrefix(line, signature) {
			if err := end(); err != nil {
				return cut, err
			}
		}
		if line == "" && k.Text == "" {
			continue
		}
		if k.Text == "" {
			k.Line = n
		}
		if k.Text += line + "\n"; len(k.Text) > maxKept {
			return cut, fmt.Errorf("line %d: no file of checkpoints", k.Line)
		}
	}
	if err := lines.Err(); err != nil || k.Text == "" {
		return cut, err
	}
	return cut, end()
}

// hasHead tells that the text of a note is there, to its empty line: signatures follow.
func hasHead(text string) bool { return strings.Contains(text, "\n\n") }

// isWhole tells a note from one whose signature is not all there.
func isWhole(text string) bool {
	_, signatures, signed := strings.Cut(text, "\n\n"+signature)
	_, first, named := strings.Cut(strings.SplitN(signatures, "\n", 2)[0], " ")
	return signed && named && len(first) >= signatureLength
}

// signature begins each line with one.
const signature = "— "

// signatureLength is that of a key's hash and an Ed25519 signature in base64.
var signatureLength = base64.StdEncoding.EncodedLen(4 + ed25519.SignatureSize)

// maxKept is longer than any checkpoint.
const maxKept = 64 << 10
