package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// raw is a client of one connection that asks nothing twice: what an HTTP library would quietly repeat
// is a failure here. It comes back on a new connection when it is told that the one it has ends.
type raw struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
}

// message is a request as it goes over the wire.
func message(method, path, token string, body any, header ...string) []byte {
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

// send answers what came back, or why nothing did.
func (r *raw) send(request []byte) (a answer, err error) {
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.conn == nil {
		if r.conn, err = net.DialTimeout("tcp", r.address, patience); err != nil {
			return a, err
		}
		r.in = bufio.NewReader(r.conn)
	}
	if err = r.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return a, err
	}
	if _, err = r.conn.Write(request); err != nil {
		return a, err
	}
	response, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return a, err
	}
	text, err := io.ReadAll(response.Body)
	if response.Close {
		r.close()
	}
	return answer{status: response.StatusCode, header: response.Header, text: string(text)}, err
}

func (r *raw) close() {
	if r.conn != nil {
		_ = r.conn.Close() // It is over either way.
		r.conn = nil
	}
}
