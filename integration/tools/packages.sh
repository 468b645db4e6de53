#!/usr/bin/env bash
# Makes sure that the programs which the tests run are here: "command:package" of Debian for each.
# What is missing is installed when root on Debian and its kin; otherwise the run fails with the command to type.
set -euo pipefail

programs=(
	gcc:gcc gcc:libc6-dev # go test -race links C
	curl:curl             # the lines of the README
	python3:python3       # the assignment written in Python gives the same variants
	postgres:postgresql   # ... and in SQL
	chromium:chromium     # the dashboard works, and looks as it should
	etcd:etcd-server      # the oldest etcd that the store works with
)

PATH+=$(printf ':%s' /usr/lib/postgresql/*/bin) # Debian keeps the server's programs out of the PATH
missing=()
for program in "${programs[@]}"; do
	command -v "${program%%:*}" >/dev/null || missing+=("${program##*:}")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
	echo "packages.sh: programs that the tests need are missing: install ${missing[*]}, on Debian with:" >&2
	echo "	sudo apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -qy --no-install-recommends "${missing[@]}"
