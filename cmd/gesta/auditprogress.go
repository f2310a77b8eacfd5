package main

import (
	"fmt"
	"io"
	"time"
)

// auditProgress says now and then how far a walk through the history is.
func auditProgress(out io.Writer) func(position, of int64) {
	next := time.Now().Add(time.Second)
	return func(position, of int64) {
		if now := time.Now(); now.After(next) {
			next = now.Add(2 * time.Second)
			fmt.Fprintf(out, "position %d of %d\n", position, of)
		}
	}
}
