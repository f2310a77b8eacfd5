// Package loadgen sends requests to a server as many clients do, at a rate of its own, and says how long each
// answer took and how late it was itself. It does as little as it can beside: on a small machine what the
// sender takes, the server lacks.
package loadgen

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// Client is a client of one connection that asks nothing twice: what an HTTP library would quietly repeat
// is a failure here. It comes back on a new connection when it is told that the one it has ends.
type Client struct {
	Address string
	conn    net.Conn
	in      *bufio.Reader
}

// Message is a request as it goes over the wire. The body is sent as JSON; nil for none.
func Message(method, path, token string, body any, header ...string) []byte {
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body) // Maps of strings can be said.
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: gesta\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", method, path, len(text))
	if token != "" {
		head += "Authorization: Bearer " + token + "\r\n"
	}
	for i := 0; i+1 < len(header); i += 2 {
		head += header[i] + ": " + header[i+1] + "\r\n"
	}
	return append([]byte(head+"\r\n"), text...)
}

// Answer is what came back.
type Answer struct {
	Status int
	Text   string
	head   string
}

// Header reads the headers.
func (a Answer) Header() http.Header {
	h, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(a.head))).ReadMIMEHeader() // What can be read of it.
	return http.Header(h)
}

// patience is how long an answer is waited for.
const patience = time.Minute

// Send answers what came back, or why nothing did.
func (c *Client) Send(request []byte) (a Answer, err error) {
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.conn == nil {
		if c.conn, err = net.DialTimeout("tcp", c.Address, patience); err != nil {
			return a, err
		}
		c.in = bufio.NewReader(c.conn)
	}
	if err = c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return a, err
	}
	if _, err = c.conn.Write(request); err != nil {
		return a, err
	}
	a, ends, err := receive(c.in)
	if ends {
		c.Close()
	}
	return a, err
}

// Close lets go of the connection; the next Send makes another.
func (c *Client) Close() {
	if c.conn != nil {
		_ = c.conn.Close() // It is over either way.
		c.conn = nil
	}
}

var errNoAnswer = errors.New("loadgen: no answer that could be read")

// receive reads an answer. To read headers the way net/http does would cost the sender as much as the server.
func receive(in *bufio.Reader) (a Answer, ends bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return a, false, err
	}
	if len(line) < 12 {
		return a, false, errNoAnswer
	}
	if a.Status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, false, errNoAnswer
	}
	f, err := readFrame(in)
	if err != nil {
		return a, false, err
	}
	body, err := f.body(in)
	a.head, a.Text = string(f.head), string(body)
	return a, f.ends, err
}

// frame is what the headers say about the answer as a whole.
type frame struct {
	head          []byte
	length        int
	chunked, ends bool
}

func readFrame(in *bufio.Reader) (f frame, err error) {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return f, err
		}
		f.head = append(f.head, line...)
		name, value, more := bytes.Cut(line, []byte(":"))
		if !more {
			return f, nil
		}
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if f.length, err = strconv.Atoi(string(value)); err != nil {
				return f, errNoAnswer
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			f.chunked = true
		case bytes.EqualFold(name, []byte("Connection")):
			f.ends = bytes.EqualFold(value, []byte("close"))
		}
	}
}

func (f frame) body(in *bufio.Reader) ([]byte, error) {
	if !f.chunked {
		body := make([]byte, f.length)
		_, err := io.ReadFull(in, body)
		return body, err
	}
	body, err := io.ReadAll(httputil.NewChunkedReader(in))
	if err == nil {
		_, err = in.ReadSlice('\n') // The empty line behind the last chunk.
	}
	return body, err
}
