#!/bin/sh
# Drives the Bayeux server with CometD's and Faye's clients, in Node and in
# Chromium (/usr/bin/chromium, or what CHROMIUM names), also through nginx and
# HAProxy. Needs all of these, Go, and Node 20 or later; ends with a status other
# than 0 if anything fails or is missing.
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd ../../.. && go build -o "$folder/server" ./examples/bayeux)
go build -o "$folder/tuned" ./tuned
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
BAYEUX_SERVER="$folder/server" BAYEUX_TUNED_SERVER="$folder/tuned" npm test --silent -- "$@"
