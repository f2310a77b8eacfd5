package cluster

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// log is what one server says, from where it began.
type log struct {
	file   *os.File
	offset int64
}

const (
	logLimit  = 16 << 20 // bytes, then a new file is begun
	tailLimit = 64 << 10 // bytes of which the last lines are taken
	tailLines = 12
)

// openLog appends to the home's log: what the last server said before it died is worth keeping.
func (h *home) openLog() (*log, error) {
	name := filepath.Join(h.dir, "postgres.log")
	if info, err := os.Stat(name); err == nil && info.Size() > logLimit {
		if err := os.Rename(name, name+".old"); err != nil {
			return nil, fmt.Errorf("cluster: %w", err)
		}
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	offset, err := file.Seek(0, io.SeekEnd)
	return &log{file: file, offset: offset}, err
}

// tail is the last lines this server said, as far as they can be read.
func (l *log) tail() string {
	file, err := os.Open(l.file.Name())
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err.Error()
	}
	begin := max(l.offset, end-tailLimit)
	text, _ := io.ReadAll(io.NewSectionReader(file, begin, end-begin))
	return lastLines(string(text))
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
