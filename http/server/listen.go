package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen opens addresses of the form host:port. "localhost" means both loopback addresses, since
// clients differ in which one they try; a machine without IPv6 does with one.
func Listen(ctx context.Context, addresses []string) ([]net.Listener, error) {
	var open []net.Listener
	if len(addresses) == 0 {
		return nil, errors.New("no address to listen on")
	}
	for _, address := range addresses {
		listeners, err := listen(ctx, address)
		open = append(open, listeners...)
		if err != nil {
			for _, l := range open {
				_ = l.Close() // Nothing was accepted yet.
			}
			return nil, err
		}
	}
	return open, nil
}

func listen(ctx context.Context, address string) (open []net.Listener, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	hosts := []string{host}
	if host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var config net.ListenConfig
	for _, h := range hosts {
		l, err := config.Listen(ctx, "tcp", net.JoinHostPort(h, port))
		if isMissing(err) && h == "::1" {
			continue
		}
		if err != nil {
			return open, fmt.Errorf("listen on %s: %w", address, err)
		}
		open = append(open, l)
		if port == "0" {
			_, port, _ = net.SplitHostPort(l.Addr().String()) // One port on both addresses.
		}
	}
	return open, nil
}

// isMissing tells that the machine has no such address.
func isMissing(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}
