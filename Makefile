# Everything that is built or downloaded lands in bin/ (Sluice) and .local/ (tools and the development server).
# `make` alone lists the targets.

SHELL := /bin/bash -eu -o pipefail
.DEFAULT_GOAL := help

ROOT      := $(CURDIR)
LOCAL     := $(ROOT)/.local/bin
DEVSTACK  := $(LOCAL)/devstack
# The same flags for building and testing, so that every package is compiled once (no -trimpath for that reason). No vet in
# tests, since that would read the source of every package in use, and golangci-lint has it among its linters.
VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO_BUILD  := go build -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION) -X github.com/sluicehq/sluice/internal/entry.version=$(VERSION)'
GO_TEST   := go test -buildvcs=false -vet=off

GOLANGCI_LINT_VERSION := v2.15.0
GOFUMPT_VERSION       := v0.12.0
WORKFLOWCHECK_VERSION := v0.6.0
VEGETA_VERSION        := v12.13.0

# How long each fuzz target runs under `make fuzz`.
FUZZTIME ?= 20s
MODEL ?= 1000000

# What `make chaos` does to rollouts: SEED chooses what, N is how many faults at least, LANES how many deployments run side by side.
# TRAINS is how many trains of overlapping releases follow, about a minute each, AGENTS how many rollouts of bundles to real agents, about
# 12 s each, RELAYED how many to agents behind relays. N=0, TRAINS=0, AGENTS=0 or RELAYED=0 leaves one of them out.
SEED   ?= 1
N      ?= 300
LANES  ?= 3
TRAINS ?= 12
AGENTS ?= 30
RELAYED ?= 15

# End-to-end tests and the programs of the lab find Sluice, the tools and the server here.
export PATH := $(LOCAL):$(PATH)
export SLUICE_BIN := $(ROOT)/bin
export SLUICE_DEVSTACK := $(DEVSTACK)

# run builds a program of this repository and runs it with the flags that follow: $(call run,demo,internal/lab/demo) --keep
define run
@$(GO_BUILD) -o $(LOCAL)/sluice-$(1) ./$(2)
@$(LOCAL)/sluice-$(1)
endef

# The demonstration needs no server before it has said what it is going to do, and compiles it where it has no other.
DEMO = $(call run,demo,internal/lab/demo) --build '$(MAKE) --no-print-directory LOCAL=$(LOCAL) server'

##@ Look at it

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: binaries ## the two-minute demonstration: rollouts on a simulated fleet and to agents, with processes killed in the middle
	$(DEMO)

.PHONY: dev
dev: binaries ## the same stack left running to try things on, with its links
	$(DEMO) --keep

.PHONY: example-nginx
example-nginx: build $(LOCAL)/.vegeta-$(VEGETA_VERSION) debian-packages ## real nginx, Prometheus and traffic: seven releases, of which one is good
	$(call run,example-nginx,examples/nginx)

.PHONY: example-config
example-config: build $(LOCAL)/.vegeta-$(VEGETA_VERSION) debian-packages ## real nginx under agents: configurations that are refused, do harm, sleep, or double
	$(call run,example-config,examples/config)

.PHONY: example-haproxy
example-haproxy: build $(LOCAL)/.vegeta-$(VEGETA_VERSION) debian-packages ## real HAProxies, Prometheus and traffic: a good, a bad and a refused release
	$(call run,example-haproxy,examples/haproxy)

##@ Build

.PHONY: build
build: binaries server ## Sluice into bin/, the embedded Temporal server into .local/bin/

.PHONY: binaries
binaries: ## only Sluice: bin/sluice, bin/sluice-worker, bin/sluice-agent, bin/sluice-relay, bin/sluice-sim
	@echo "building bin/sluice, bin/sluice-worker, bin/sluice-agent, bin/sluice-relay, bin/sluice-sim ($(VERSION))"
	@$(GO_BUILD) -o bin/sluice ./starter
	@$(GO_BUILD) -o bin/sluice-worker ./worker
	@$(GO_BUILD) -o bin/sluice-agent ./internal/agent/sluice-agent
	@$(GO_BUILD) -o bin/sluice-relay ./internal/relay/sluice-relay
	@$(GO_BUILD) -o bin/sluice-sim ./internal/lab/sim/cmd/sluice-sim

.PHONY: server
server: $(DEVSTACK) ## only the embedded Temporal server, which takes minutes the first time

$(DEVSTACK): $(shell find internal/lab/devstack -name '*.go' ! -name '*_test.go' -o -name 'go.mod' -o -name 'go.sum')
	@echo "building the embedded Temporal server (some minutes the first time)"
	@cd internal/lab/devstack && $(GO_BUILD) -o $@ .

.PHONY: schema
schema: ## regenerate the JSON Schemas of specs and outages from the Go types
	go generate ./internal/spec/... ./internal/simulate/outages

.PHONY: clean
clean: ## remove what was built, and keep the tools
	rm -rf bin .sluice $(DEVSTACK) $(LOCAL)/sluice-*

##@ Check

.PHONY: test
test: build $(LOCAL)/.vegeta-$(VEGETA_VERSION) debian-packages ## all tests: unit, property, workflow, end to end with a real server
	@echo "testing the main module, with the race detector"
	@SLUICE_REQUIRE_E2E=$$(.ci/debian-packages have && echo 1 || true) $(GO_TEST) -race -timeout 45m ./...
	@echo "testing the embedded Temporal server"
	@cd internal/lab/devstack && $(GO_TEST) -timeout 10m ./...
	@echo "testing docker-compose.yml" # with -count=1, since go does not see that a file outside of the module has changed
	@cd internal/lab/compose && SLUICE_REQUIRE_E2E=$$($(ROOT)/.ci/debian-packages have && echo 1 || true) $(GO_TEST) -count=1 ./...

.PHONY: debian-packages
debian-packages: ## haproxy, nginx, prometheus, prometheus-alertmanager, minisign, curl and jq for the end-to-end tests, where this is Debian and root
	@.ci/debian-packages install

.PHONY: chaos
chaos: build debian-packages $(LOCAL)/sluice-worker-shifted ## kill, freeze, cut off, storm, reset and terminate in every phase of rollouts, trains, and rollouts to real agents: SEED=1 N=300 TRAINS=12 AGENTS=30 RELAYED=15 LANES=3
	$(call run,chaos,internal/lab/chaos) -seed $(SEED) -kills $(N) -trains $(TRAINS) -agents $(AGENTS) -relayed $(RELAYED) -lanes $(LANES) -shifted $(LOCAL)/sluice-worker-shifted

$(LOCAL)/sluice-worker-shifted: binaries .ci/shifted-worker
	@echo "building a worker whose clock can be wrong (a minute or two the first time)"
	@.ci/shifted-worker $@

.PHONY: test-postgres
test-postgres: binaries ## the shape of a production: PostgreSQL below Temporal, two workers, each of them killed in the middle of a rollout
	@.ci/debian-packages install postgresql
	$(DEMO) --postgres

.PHONY: lint
lint: tools ## formatting, golangci-lint, determinism of workflow code
	@echo "gofumpt"
	@unformatted=$$(gofumpt -l .); if [ -n "$$unformatted" ]; then \
		echo "not formatted; run 'make fmt':"; echo "$$unformatted"; exit 1; fi
	@echo "golangci-lint, main module"
	@golangci-lint run ./...
	@echo "golangci-lint, embedded server"
	@cd internal/lab/devstack && golangci-lint run --config $(ROOT)/.golangci.yml ./...
	@echo "golangci-lint, checks of docker-compose.yml"
	@cd internal/lab/compose && golangci-lint run --config $(ROOT)/.golangci.yml ./...
	@echo "workflowcheck: workflow code must replay"
	@workflowcheck ./workflows/...

.PHONY: fmt
fmt: $(LOCAL)/.gofumpt-$(GOFUMPT_VERSION) ## format all Go files
	@gofumpt -w .

# The version whose histories are recorded: a folder for each, which stays as it is once the version is released.
HISTORIES ?= v0.1.0

.PHONY: record-histories
record-histories: build ## histories of rollouts of the version HISTORIES that are not recorded yet, which the workflow must go on replaying
	@SLUICE_RECORD=$(ROOT)/workflows/rollout/testdata/histories/$(HISTORIES) $(GO_TEST) -count=1 -v -run TestRecordHistories ./internal/lab/e2e

# More flags for what `make bench` measures beside Go's benchmarks; sluice-bench -h lists them. To bring the page up to date:
# make bench-sluice bench-agents bench-trains bench-concurrency BENCHFLAGS="--page docs/performance.md"
# Each measures five pairs, or five windows, and ends in time on a slow machine too: with fewer of them, and a note that says so.
BENCHFLAGS ?=
RAMP       ?= 2000,5000
CROWD      ?= 1000

.PHONY: bench
bench: bench-sluice bench-agents bench-trains ## rollouts against baselines (docs/performance.md), then Go's benchmarks
	$(GO_TEST) -run '^$$' -bench . -benchmem ./...
	cd internal/lab/devstack && $(GO_TEST) -run '^$$' -bench . -benchtime 200x ./...

.PHONY: bench-sluice
bench-sluice: build ## only rollouts, bundles and agents against baselines; 9 minutes, 10 at most
	$(call run,bench,internal/lab/bench) --only overhead,events,fleet,bundles --limit 9m $(BENCHFLAGS)

.PHONY: bench-agents
bench-agents: build ## only 10,000 real agents against bare goroutines; 8 minutes at most (BENCHFLAGS="--agents 500")
	$(call run,bench,internal/lab/bench) --only agents --limit 7m $(BENCHFLAGS)

.PHONY: bench-trains
bench-trains: build ## what a train costs beside rollouts alone; 12 minutes, 15 at most (CROWD=200,500)
	$(call run,bench,internal/lab/bench) --only trains --limit 13m --window 1m --ramp $(CROWD) $(BENCHFLAGS)

.PHONY: bench-concurrency
bench-concurrency: build ## how many rollouts can bake on one worker; 12 minutes, 15 at most (RAMP=500,1000)
	$(call run,bench,internal/lab/bench) --only concurrency --limit 14m --ramp $(RAMP) $(BENCHFLAGS)

# More flags for `make proof`; PROOFFLAGS="--page docs/proof.md --readme README.md --chart docs/img/proof.svg" brings the page up to date.
PROOFFLAGS ?=

.PHONY: proof
proof: ## public outages deployed in five ways on a modelled fleet (docs/proof.md): nine minutes on two cores, PROOFFLAGS="--outages my-folder"
	$(call run,proof,internal/lab/proof) $(PROOFFLAGS)

# The same tables with any number of cores; `make bench-judge BENCHFLAGS="--page docs/judge.md"` brings the page up to date.
.PHONY: bench-judge
bench-judge: ## Sluice's judge against others in simulated worlds (docs/judge.md); some minutes
	$(call run,judgebench,internal/lab/judgebench) $(BENCHFLAGS)

# Sets of labelled changes, none of which is in this repository: docs/changes.md says where they are. Each is optional.
CHANGERCA ?=
SCWARN    ?=
KONTRAST  ?=

.PHONY: changes
changes: ## the judge on other people's labelled changes (docs/changes.md): CHANGERCA=… SCWARN=… KONTRAST=…
	$(call run,changes,internal/lab/changes) $(if $(CHANGERCA),--changerca '$(CHANGERCA)') $(if $(SCWARN),--scwarn '$(SCWARN)') $(if $(KONTRAST),--kontrast '$(KONTRAST)') $(BENCHFLAGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (20s) each
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:func | |' | \
		while read -r package target; do .ci/fuzz "$$package" "$$target" $(FUZZTIME) || exit 1; done

.PHONY: model
model: ## all states of small trains, a million random interleavings of larger ones (MODEL=1000000): no rule of docs/trains.md may break
	SLUICE_MODEL_RUNS=$(MODEL) go test -count=1 -timeout 5h -run '^(TestExplore|TestModel)' -v ./internal/train

##@ Tools, pinned

.PHONY: tools
tools: ## the linters and vegeta, built into .local/bin/
tools: $(LOCAL)/.golangci-lint-$(GOLANGCI_LINT_VERSION) $(LOCAL)/.gofumpt-$(GOFUMPT_VERSION)
tools: $(LOCAL)/.workflowcheck-$(WORKFLOWCHECK_VERSION) $(LOCAL)/.vegeta-$(VEGETA_VERSION)

# Each tool has a stamp with its version in the name, so that it is built once and again when the version changes.
define tool
$(LOCAL)/.$(1)-$(2):
	@echo "building $(1) $(2)$(4)"
	@mkdir -p $(LOCAL)
	@GOBIN=$(LOCAL) go install -buildvcs=false $(3)@$(2)
	@rm -f $(LOCAL)/.$(1)-* && touch $$@
endef

$(eval $(call tool,golangci-lint,$(GOLANGCI_LINT_VERSION),github.com/golangci/golangci-lint/v2/cmd/golangci-lint, (a few minutes the first time)))
$(eval $(call tool,gofumpt,$(GOFUMPT_VERSION),mvdan.cc/gofumpt))
$(eval $(call tool,workflowcheck,$(WORKFLOWCHECK_VERSION),go.temporal.io/sdk/contrib/tools/workflowcheck))
$(eval $(call tool,vegeta,$(VEGETA_VERSION),github.com/tsenart/vegeta/v12))
