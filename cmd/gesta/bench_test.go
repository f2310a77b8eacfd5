package main

import (
	"os"
	"testing"

	"gesta/cmd/gesta/bench"
)

// What is measured is the same whatever is set for another installation.
func TestABenchTakesNoSettingsOfOthers(t *testing.T) {
	others := map[string]string{
		"GESTA_LOG_LEVEL": "error", "DB_SCHEMA": "theirs", "RATE_LIMITS": "off", "ACCOUNTS_FAILED_SIGN_INS": "off", "GESTA_ROLES": "api",
	}
	for name, value := range others {
		t.Setenv(name, value)
	}
	if err := forgetSettings(); err != nil {
		t.Fatal(err)
	}
	for name := range others {
		if value, is := os.LookupEnv(name); is {
			t.Errorf("%s=%s", name, value)
		}
	}
	s, err := settingsOf(bench.Installation{App: "postgres://app", Secret: "secret", MasterKey: "key"})
	if err != nil || s.Schema != "gesta" || s.DatabaseURL != "postgres://app" {
		t.Errorf("%+v, %v", s, err)
	}
	if os.Getenv("PATH") == "" {
		t.Error("the programs are not found any more")
	}
}
