package relaytest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// OwnPort answers a free port of 127.0.0.1 that a server keeps through its restarts. It lies below those
// that the kernel gives to connections and to whoever asks for any, of which a port that nobody listens
// on at the moment is soon somebody else's.
func OwnPort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(12_000))
		if IsVacant(port) {
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// IsVacant tells whether nobody listens on the port of 127.0.0.1.
func IsVacant(port string) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	return err == nil && l.Close() == nil
}
