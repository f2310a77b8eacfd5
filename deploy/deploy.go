// Package deploy has the files that gesta is installed with, for programs that run with the same.
package deploy

import _ "embed"

// NATS is the configuration of a NATS server. It names passwords by variables: GESTA_NATS_PASSWORD and its like.
//
//go:embed nats.conf
var NATS string
