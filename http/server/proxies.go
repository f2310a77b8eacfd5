package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// Proxies are who is believed about where a request comes from. Nobody is by default, since anybody can write
// X-Forwarded-For.
type Proxies []netip.Prefix

// UnmarshalText reads addresses and prefixes such as "10.0.0.0/8, 2001:db8::1", separated by commas.
func (p *Proxies) UnmarshalText(text []byte) error {
	*p = nil
	for _, item := range strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' }) {
		prefix, err := parsePrefix(strings.TrimSpace(item))
		if err != nil {
			return fmt.Errorf("%q is no address or prefix such as 10.0.0.0/8", item)
		}
		*p = append(*p, prefix)
	}
	return nil
}

// errMapped refuses what no address is compared with: one of IPv4 is one, however it is written.
var errMapped = errors.New("prefix of IPv4 addresses in IPv6")

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		prefix, err := netip.ParsePrefix(text)
		if err == nil && prefix.Addr().Is4In6() {
			err = errMapped
		}
		return prefix.Masked(), err
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func (p Proxies) have(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(a) })
}

// client is the address that a request comes from: the nearest one that is no proxy's, or the farthest proxy's. Where
// X-Forwarded-For says what is no address, no more of it is believed than that it came from the peer.
func (p Proxies) client(r *http.Request) string {
	peer, ok := parsePeer(r.RemoteAddr)
	if !ok || !p.have(peer) {
		return textOf(peer)
	}
	client := peer
	hops := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if hop = strings.TrimSpace(hop); hop == "" {
			continue // An element of a list may be empty: RFC 9110, 5.6.1.
		}
		if client, ok = parsePeer(hop); !ok {
			return textOf(peer)
		}
		if !p.have(client) {
			break
		}
	}
	return textOf(client)
}

// parsePeer reads an address, with or without a port; brackets may stand around one of IPv6.
func parsePeer(text string) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap().WithZone(""), err == nil
}

// textOf is "" for no address.
func textOf(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// disbelieve takes away what only a proxy may say, unless one does: of the client, the scheme and the host.
func (p Proxies) disbelieve(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if peer, ok := parsePeer(c.Request().RemoteAddr); !ok || !p.have(peer) {
			for name := range c.Request().Header {
				if isProxys(name) {
					c.Request().Header.Del(name)
				}
			}
		}
		return next(c)
	}
}

func isProxys(header string) bool {
	switch header {
	case "Forwarded", echo.HeaderXRealIP, echo.HeaderXUrlScheme:
		return true
	}
	return strings.HasPrefix(header, "X-Forwarded-")
}
