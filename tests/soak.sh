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
for user in user root; do
	$bed run "/opt/coracle/tests/soak/run.sh -u $user"
done
make fuzz
