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
# Interpreted code leaves much behind: collecting that less often than by default saves a fifth of the time.
interpret() { GOGC=400 GOPATH=$gopath GO111MODULE=off "$yaegi" "$@"; }

# examine PACKAGE prints, at once, what came of a package's tests, and fails unless that is as it has to be.
examine() {
	local report status=0
	report=$(run_tests "$1") || status=$?
	[[ -z $report ]] || printf '%s\n' "$report"
	return $status
}

# fail PACKAGE OUTPUT REASON: what Yaegi printed, without what passed and without the stack of the interpreter itself.
fail() {
	sed -e "s|$tree/||g" -e '/^ *\(=== RUN\|--- PASS\)/d' -e '/^goroutine [0-9]* \[/,$d' "$2"
	# A server that logs a panic prints a stack, too: what failed may stand behind that.
	sed -n '/^goroutine [0-9]* \[/,$p' "$2" | grep -B3 '^ *--- FAIL' | sed "s|$tree/||g" || true
	printf 'FAIL\t%s\tinterpreted: %s\n' "$1" "$3"
	echo "$1" >>"$gopath/failed"
	return 1
}

run_tests() {
	local package=$1 begin=$SECONDS notes files
	notes=$(mktemp -d "$gopath/notes.XXXXXX")
	# To have the compiler list the tests, it would have to link them: these are the files that it takes.
	files=$(go list -f '{{range .TestGoFiles}}{{$.Dir}}/{{.}} {{end}}{{range .XTestGoFiles}}{{$.Dir}}/{{.}} {{end}}' "./$package" 2>"$notes/output") ||
		{ fail "$package" "$notes/output" "cannot be listed"; return; }
	sed -n 's/^func \(Test\([^a-z(][^(]*\)\{0,1\}\)([^)]*\*testing\.T) {.*/\1/p' $files /dev/null | sort >"$notes/compiled"
	sed -n 's/^func \(Test[^(]*\)(.*/\1/p' "$package"/*_native_test.go 2>/dev/null | sort >"$notes/native" || true
	comm -23 "$notes/compiled" "$notes/native" >"$notes/want"
	[[ -s $notes/want ]] || return 0

	(cd "$tree/$package" && interpret test -v -timeout 20m .) >"$notes/output" 2>&1 || { fail "$package" "$notes/output" "see above"; return; }
	sed -n 's/^--- PASS: \(Test[^ ]*\) .*/\1/p' "$notes/output" | sort >"$notes/passed"
	if ! diff "$notes/want" "$notes/passed" >"$notes/output"; then
		fail "$package" "$notes/output" "passed other tests than the compiler sees (< not passed, > not a test)"
		return
	fi
	printf 'ok  \t%s\t%ds, interpreted: %d tests passed, %d are native only\n' "$package" $((SECONDS - begin)) \
		"$(wc -l <"$notes/passed")" "$(wc -l <"$notes/native")"
}

# An interpreted test works on one processor, and some only wait.
for package in $packages; do
	while (($(jobs -rp | wc -l) >= $(nproc) + 1)); do wait -n || true; done
	examine "$package" &
done
wait

# Every package, with tests or without, loads by its import path, as Traefik loads a plugin.
{
	echo 'package main'
	printf "import _ \"$module/%s\"\n" $packages
	echo 'func main() {}'
} >"$tree/load.go"
if interpret run "$tree/load.go" >"$gopath/output" 2>&1; then
	printf 'ok  \t%d packages loaded by Yaegi\n' "$(wc -w <<<"$packages")"
else
	fail "$*" "$gopath/output" "does not load by its import path" || true
fi

[[ ! -s $gopath/failed ]] || { echo "Yaegi: failed:" $(cat "$gopath/failed"); exit 1; }
