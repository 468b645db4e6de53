#!/usr/bin/env bash
# Usage: test.sh DIR...
#
# Runs the tests of every package under each DIR (such as core, or core/expr) interpreted by Yaegi, as Traefik would
# run the code, and fails unless exactly the tests that the compiler sees have passed.
#
# What "yaegi test" does differently from "go test":
#   - It stops at the first construct that it cannot interpret. It says where that is, but the line of a t.Error is
#     lost ("value.go:586"), so a failure message has to name its case.
#   - The tests run in a random order. The files of package x_test share one scope with those of package x, so no name
#     may be declared in both.
#   - An exported func(*testing.T) is run as a test whatever its name; TestMain is ignored; benchmarks, examples and
#     fuzz targets with their seeds are not run, yet have to be interpretable.
#   - go:build lines are ignored. A test that only has a meaning when compiled (allocations per call) or needs what
#     Yaegi cannot do goes into a file named *_native_test.go; those files are left out here, and their tests counted.
#   - Packages are found in a GOPATH, and go.mod is not read.
set -euo pipefail
cd "$(dirname "$0")/../../.."

yaegi=$(integration/tools/build.sh yaegi)
module=$(go list -m)
packages=$(go list $(printf './%s/... ' "$@") | sed "s|^$module/||")
gopath=$(mktemp -d)
trap 'rm -rf "$gopath"' EXIT

# A copy of the interpreted directories beside links to all else, so that tests find docs/ and testdata/ as usual.
tree=$gopath/src/$module
mkdir -p "$tree"
for entry in *; do
	if [[ " ${*%%/*} " == *" $entry "* ]]; then cp -R "$entry" "$tree"; else ln -s "$PWD/$entry" "$tree"; fi
done
find "$tree/" -name '*_native_test.go' -delete
interpret() { GOPATH=$gopath GO111MODULE=off "$yaegi" "$@"; }

failed=()
fail() { # fail PACKAGE REASON: what Yaegi printed, without what passed and without the stack of the interpreter itself
	sed -e "s|$tree/||g" -e '/^ *\(=== RUN\|--- PASS\)/d' -e '/^goroutine [0-9]* \[/,$d' "$gopath/output"
	printf 'FAIL\t%s\tinterpreted: %s\n' "$1" "$2"
	failed+=("$1")
}

for package in $packages; do
	begin=$SECONDS
	go test -list '^Test' "./$package" >"$gopath/output" 2>&1 || { fail "$package" "does not compile"; continue; }
	grep -o '^Test[^ ]*' "$gopath/output" | sort >"$gopath/compiled" || true
	sed -n 's/^func \(Test[^(]*\)(.*/\1/p' "$package"/*_native_test.go 2>/dev/null | sort >"$gopath/native" || true
	comm -23 "$gopath/compiled" "$gopath/native" >"$gopath/want"
	[[ -s $gopath/want ]] || continue

	(cd "$tree/$package" && interpret test -v -timeout 5m .) >"$gopath/output" 2>&1 || { fail "$package" "see above"; continue; }
	sed -n 's/^--- PASS: \(Test[^ ]*\) .*/\1/p' "$gopath/output" | sort >"$gopath/passed"
	if ! diff "$gopath/want" "$gopath/passed" >"$gopath/output"; then
		fail "$package" "passed other tests than the compiler sees (< not passed, > not a test)"
		continue
	fi
	printf 'ok  \t%s\t%ds, interpreted: %d tests passed, %d are native only\n' "$package" $((SECONDS - begin)) \
		"$(wc -l <"$gopath/passed")" "$(wc -l <"$gopath/native")"
done

# Every package, with tests or without, loads by its import path, as Traefik loads a plugin.
{
	echo 'package main'
	printf "import _ \"$module/%s\"\n" $packages
	echo 'func main() {}'
} >"$tree/load.go"
if interpret run "$tree/load.go" >"$gopath/output" 2>&1; then
	printf 'ok  \t%d packages loaded by Yaegi\n' "$(wc -w <<<"$packages")"
else
	fail "$*" "does not load by its import path"
fi

[[ ${#failed[@]} == 0 ]] || { echo "Yaegi: failed: ${failed[*]}"; exit 1; }
