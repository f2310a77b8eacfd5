package pgtest

import (
	"runtime/debug"
	"slices"
	"testing"
)

// SkipUnderRace skips what the race detector makes other figures of.
func SkipUnderRace(t testing.TB) {
	t.Helper()
	info, _ := debug.ReadBuildInfo()
	if info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector allocates as well")
	}
}
