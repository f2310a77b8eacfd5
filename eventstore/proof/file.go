package proof

import (
	"bufio"
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

// ReadKept shows the signed notes of a file one after the other. What has no line with a signature was cut off as it
// was written: it says nothing, and is counted.
func ReadKept(in io.Reader, each func(Kept) error) (cut int, err error) {
	lines := bufio.NewScanner(in)
	var k Kept
	end := func() error {
		whole := k
		k = Kept{}
		if strings.Contains(whole.Text, "\n\n"+signature) {
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

// signature begins each line with one.
const signature = "— "

// maxKept is longer than any checkpoint.
const maxKept = 64 << 10
