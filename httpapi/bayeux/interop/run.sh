#!/bin/sh
# Drives the Bayeux server with CometD's and Faye's clients. Needs Go and
# Node 20 or later; ends with a status other than 0 if anything fails.
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd ../../.. && go build -o "$folder/server" ./examples/bayeux)
[ -d node_modules ] || npm ci --ignore-scripts
BAYEUX_SERVER="$folder/server" npm test --silent
