#!/usr/bin/env bash
# Usage: build.sh TOOL
#
# Builds the tool that TOOL/go.mod names in its "tool" line and prints the path of the binary.
# Every tool has a module of its own, so that their version constraints never meet those of the gateway.
#
# A binary is built once and kept outside the checkout, in $GRAYLING_CACHE (default: the user's cache directory),
# under a name that changes with the tool's pinned modules and with the Go release.
set -euo pipefail

name=${1:?usage: build.sh TOOL}
cd "$(dirname "$0")/$name"

cache=${GRAYLING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/grayling}
pins=$(cat go.mod go.sum | git hash-object --stdin)
go=$(go env GOVERSION GOOS GOARCH | paste -sd-)
binary=$cache/$name-$go-${pins:0:12}

if [[ ! -x $binary ]]; then
	echo "building $name, once: kept as $binary" >&2
	mkdir -p "$cache"
	# Built under another name and renamed: whoever runs at the same time sees a whole binary or none.
	trap 'rm -f "$binary.$$"' EXIT
	CGO_ENABLED=0 go build -trimpath -o "$binary.$$" tool
	mv "$binary.$$" "$binary"
fi
echo "$binary"
