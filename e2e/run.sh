#!/bin/sh
# Builds the portal, installs the pinned tools and runs all browser tests, or
# those given as arguments. The exit code tells whether they passed.
set -eu
cd "$(dirname "$0")"
(cd .. && go build -o e2e/.build/portal ./examples/portal)
PORTAL_BIN="$PWD/.build/portal"
export PORTAL_BIN
npm ci --no-audit --no-fund --loglevel=error
[ $# -gt 0 ] || set -- test/*.test.mjs
# One file at a time: the calls of several would fight for the processor. The
# timeout is for a whole file.
exec node --test --test-concurrency=1 --test-timeout=600000 "$@"
