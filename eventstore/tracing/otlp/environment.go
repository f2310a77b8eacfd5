package otlp

import (
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
)

// What is wrong with the environment. Values stay out: an endpoint may hold a password.
var (
	errEndpoint = errors.New("OTEL_EXPORTER_OTLP_ENDPOINT, or that of TRACES, is no URL such as http://host:4318")
	errProtocol = errors.New("OTEL_EXPORTER_OTLP_PROTOCOL, or that of TRACES, must be http/protobuf or http/json: gRPC is not spoken")
)

// asked tells whether the environment wants traces sent.
func asked() (bool, error) {
	endpoint := ofTraces("ENDPOINT")
	off := strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || !slices.Contains([]string{"", "otlp"}, os.Getenv("OTEL_TRACES_EXPORTER"))
	if endpoint == "" || off {
		return false, nil
	}
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return false, errEndpoint
	}
	if !slices.Contains([]string{"", "http/protobuf", "http/json"}, ofTraces("PROTOCOL")) {
		return false, errProtocol
	}
	return true, nil
}

// ofTraces is a setting of traces alone, or else of all that is sent.
func ofTraces(name string) string {
	if own := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); own != "" {
		return own
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_" + name)
}
