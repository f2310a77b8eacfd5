package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// valve carries connections to a server while it is open.
type valve struct {
	to   string
	mu   sync.Mutex
	shut chan struct{} // nil while it is open
}

// newValve stands before the server of a database URL, and answers the URL through itself.
func newValve(t *testing.T, database string) (*valve, string) {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{to: net.JoinHostPort(config.Host, fmt.Sprint(config.Port))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.open(); _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go v.carry(client)
		}
	}()
	return v, strings.Replace(database, v.to, l.Addr().String(), 1)
}

func (v *valve) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", v.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(stopped{server, v}, client); _ = server.Close() }() // Its end is the connection's.
	_, _ = io.Copy(stopped{client, v}, server)
}

// stopped writes when the valve is open.
type stopped struct {
	io.Writer
	v *valve
}

func (s stopped) Write(p []byte) (int, error) {
	s.v.mu.Lock()
	shut := s.v.shut
	s.v.mu.Unlock()
	if shut != nil {
		<-shut
	}
	return s.Writer.Write(p)
}

func (v *valve) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shut = make(chan struct{})
}

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shut != nil {
		close(v.shut)
		v.shut = nil
	}
}
