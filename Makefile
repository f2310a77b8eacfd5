# `make run` and `make test` are all a newcomer needs; both bring their own Postgres and NATS.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: run build test crash overload bench bench-large lint lint-openapi fuzz golden reference clean

run: build
	@exec bin/gesta dev

build:
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/gesta ./cmd/gesta

# One throw-away Postgres for the whole suite. What failed is named again at the end.
test: bin/.tools
	go run ./eventstore/postgres/pgtest/withpostgres \
		bin/gotestsum --format pkgname-and-test-fails --hide-summary output,skipped -- -timeout 10m ./...

# Kills every part of an installation again and again under load, and asks whether all that was answered
# is true. `make test` does a little of it; CRASH_SEED=... draws the kills and commands of another run.
crash:
	CRASH_KILLS=50 go test -count=1 -v -run '^TestCrash$$' -timeout 60m ./cmd/gesta

lint: bin/.tools lint-openapi
	go vet ./...
	bin/staticcheck ./...
	@unformatted=$$(bin/gofumpt -l .) && test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }

# Not by `go tool`, which ends well when its tool is killed.
bin/.tools: tools/go.mod tools/go.sum
	GOBIN="$(CURDIR)/bin" go install -modfile=tools/go.mod tool
	@touch $@

# The document that describes the APIs. It takes Node and npm, which fetches the linter once: the one of the lockfile.
REDOCLY := REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true tools/openapi/node_modules/.bin/redocly
lint-openapi: tools/openapi/node_modules/.package-lock.json
	@mkdir -p bin && go run ./cmd/gesta docs openapi >bin/openapi.json
	@findings=$$($(REDOCLY) lint --config tools/openapi/redocly.yaml bin/openapi.json 2>&1) || { echo "$$findings"; exit 1; }

tools/openapi/node_modules/.package-lock.json: tools/openapi/package-lock.json
	@cd tools/openapi && npm ci --loglevel=error >/dev/null

# Each fuzz target for a while; `make test` runs their corpora only.
FUZZTIME ?= 20s
fuzz:
	go test -fuzz FuzzDecode -fuzztime $(FUZZTIME) ./domain/identity
	go test -fuzz FuzzMarks -fuzztime $(FUZZTIME) ./domain
	go test -fuzz FuzzParse -fuzztime $(FUZZTIME) ./domain/id
	go test -fuzz FuzzBody -fuzztime $(FUZZTIME) ./http/web
	go test -fuzz FuzzDecode -fuzztime $(FUZZTIME) ./eventstore/envelope
	go test -fuzz FuzzParseLeaf -fuzztime $(FUZZTIME) ./eventstore/proof

# Two minutes of twice what a process can do, with a summary; `make test` has a few seconds of it.
overload:
	GESTA_TEST_OVERLOAD=2m go test -count 1 -timeout 15m -run TestOverload -v ./cmd/gesta

# Some ten minutes: gesta against what Postgres, pgx and Echo do without it, as a table. Leave the machine alone
# meanwhile. bench-large shows what five million events change, in some ten minutes and 20 GB of disk, a million
# customers, in half an hour, and five million events that auditors look for, in some minutes and 6 GB.
bench: build
	@bin/gesta bench
bench-large: build
	@bin/gesta bench growth customers histories

# Writes the golden files anew; read the difference before committing it. The comments that documents show come first:
# schemas hold them.
golden:
	UPDATE_GOLDEN=1 go test -count 1 ./domain/schema
	UPDATE_GOLDEN=1 go run ./eventstore/postgres/pgtest/withpostgres go test -count 1 ./domain/... ./eventstore ./eventstore/envelope/... ./http/... ./cmd/...

# The countries, currencies, languages and time zones, from the packages of the lockfile: the same ones write the same
# bytes. For newer ones change tools/reference/package.json, and read the difference. It takes Node and npm.
reference:
	cd tools/reference && npm ci --ignore-scripts --loglevel=error >/dev/null && node generate.js ../../domain/reference/data.json

clean:
	rm -rf bin
