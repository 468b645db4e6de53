#!/usr/bin/env bash
# Usage: bench.sh PACKAGE [FLAG...]
#
# Runs the benchmarks of a package (such as core) interpreted by Yaegi, as Traefik would run the code. Flags are those of
# "yaegi test", such as -benchtime 3s. The same benchmarks compiled: go test -run '^$' -bench . ./PACKAGE
set -euo pipefail
cd "$(dirname "$0")/../../.."

package=${1:?usage: bench.sh PACKAGE [FLAG...]}
shift
yaegi=$(integration/tools/build.sh yaegi)
gopath=$(mktemp -d)
trap 'rm -rf "$gopath"' EXIT

tree=$gopath/src/$(go list -m)
mkdir -p "$tree"
cp -R core traefikplugin "$tree"
find "$tree" -name '*_native_test.go' -delete
cd "$tree/$package"
GOPATH=$gopath GO111MODULE=off "$yaegi" test -run '^$' -bench . -benchmem "$@" .
