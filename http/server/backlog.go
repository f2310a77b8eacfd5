package server

import (
	"net"
	"os"
	"syscall"
)

// closeAfterAll closes a listener and answers the connections that the system had already made for it
// and nobody had taken: to close it alone would reset them, although their clients were let in.
func closeAfterAll(l net.Listener) (taken []net.Conn) {
	defer l.Close()
	socket, ok := l.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	var accepted []int
	_ = raw.Control(func(fd uintptr) { // A listener that is closed already has none.
		for {
			conn, _, err := syscall.Accept(int(fd))
			switch err {
			case nil:
				accepted = append(accepted, conn)
			case syscall.EINTR, syscall.ECONNABORTED:
			default:
				return
			}
		}
	})
	for _, fd := range accepted {
		if conn, err := connOf(fd); err == nil {
			taken = append(taken, conn)
		}
	}
	return taken
}

func connOf(fd int) (net.Conn, error) {
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "connection")
	defer file.Close() // The connection has a descriptor of its own.
	return net.FileConn(file)
}

// handed is a listener of connections that are there, which ends with the last.
type handed struct{ conns []net.Conn }

func (h *handed) Accept() (net.Conn, error) {
	if len(h.conns) == 0 {
		return nil, net.ErrClosed
	}
	conn := h.conns[0]
	h.conns = h.conns[1:]
	return conn, nil
}

func (*handed) Close() error   { return nil }
func (*handed) Addr() net.Addr { return &net.TCPAddr{} }
