#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# soak.sh - the container tests with thousands of containers and files, then a minute of each fuzzer: for nights.
# Called by `make soak`.
set -euo pipefail
cd "$(dirname "$0")/.."
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo -E)
export BED_RUN=$PWD/build/bed-soak
bed="${sudo[*]} tests/bed/bed"
tests/conformance/build.sh build/conformance || echo 'soak: no conformance suite' >&2
$bed up --fresh
trap '$bed down' EXIT
CORACLE_BED=$bed tests/put-in-bed.sh
mkdir -p build/logs
failed=()
for user in user root; do
	$bed run "/opt/coracle/tests/soak/run.sh -u $user" || failed+=("$user")
	$bed run 'cd /tmp/coracle-tests 2>/dev/null && tar -cf - .' >"build/logs/soak-$user.tar" || true
	if ! $bed run true 2>/dev/null; then
		echo "soak: the emulated host died; a fresh one goes on" >&2
		$bed down
		$bed up --fresh
		CORACLE_BED=$bed tests/put-in-bed.sh
	fi
done
make fuzz || failed+=(fuzzers)
[ ${#failed[@]} -eq 0 ] || { echo "soak: failed: ${failed[*]}; logs in build/logs/soak-*.tar" >&2; exit 1; }
