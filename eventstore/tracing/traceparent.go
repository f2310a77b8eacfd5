package tracing

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// The parts of a traceparent, as W3C's Trace Context has them: version-traceid-parentid-flags, all in lower case hex.
const (
	traceAt, traceEnd = 3, 35
	spanAt, spanEnd   = 36, 52
	flagsAt, length   = 53, 55
)

// known are the flags that mean something; others must not be handed on.
const known = trace.FlagsSampled | trace.FlagsRandom

// Parse reads a traceparent; what is malformed is no valid context. Of a version that is newer than what is known here,
// whatever follows the flags is passed over.
func Parse(text string) trace.SpanContext {
	if len(text) < length || text[2] != '-' || text[traceEnd] != '-' || text[spanEnd] != '-' || !isTail(text[:2], text[length:]) {
		return trace.SpanContext{}
	}
	id, err1 := trace.TraceIDFromHex(text[traceAt:traceEnd])
	span, err2 := trace.SpanIDFromHex(text[spanAt:spanEnd])
	flags, ok := octet(text[flagsAt:length])
	if err1 != nil || err2 != nil || !ok {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: span, TraceFlags: trace.TraceFlags(flags) & known, Remote: true,
	})
}

// isTail tells whether a version allows what follows the flags. There will never be a version ff.
func isTail(version, tail string) bool {
	v, ok := octet(version)
	return ok && v != 0xff && (tail == "" || v > 0 && tail[0] == '-')
}

// octet reads two digits; hex.Decode would take upper case as well.
func octet(digits string) (byte, bool) {
	const hexDigits = "0123456789abcdef"
	high, low := strings.IndexByte(hexDigits, digits[0]), strings.IndexByte(hexDigits, digits[1])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

// Format writes a traceparent; "" for a context that is not valid.
func Format(c trace.SpanContext) string {
	if !c.IsValid() {
		return ""
	}
	id, span := c.TraceID(), c.SpanID()
	b := make([]byte, 0, length)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, id[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, span[:])
	b = append(b, '-')
	return string(hex.AppendEncode(b, []byte{byte(c.TraceFlags())}))
}

// client reads the headers of a request. Several say nothing: nobody can tell which of them is meant.
func client(headers []string) trace.SpanContext {
	if len(headers) != 1 {
		return trace.SpanContext{}
	}
	return Parse(headers[0])
}

// next is a span that nobody records, in the client's trace or in a new one.
func next(client trace.SpanContext) trace.SpanContext {
	var id trace.TraceID
	var span trace.SpanID
	_, _ = rand.Read(id[:]) // It never fails.
	_, _ = rand.Read(span[:])
	if client.IsValid() {
		return client.WithSpanID(span)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled})
}
