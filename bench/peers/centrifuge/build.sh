#!/bin/sh
# Builds the Centrifuge peer into the file that is named. Its dependencies and
# the Go that they ask for stay out of the module around it.
set -eu
out=$1
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$(dirname "$0")/../.."
exec go build -modfile=peers/centrifuge/centrifuge.mod -o "$out" peers/centrifuge/main.go
