#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# put-in-bed.sh - copy the programs, the kernel and the container tests to /opt/coracle of a bed that is up.
set -euo pipefail
cd "$(dirname "$0")/.."
bed=${CORACLE_BED:-tests/bed/bed}

stage=$(mktemp -d build/stage.XXXXXX)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/bin"
cp build/coracle build/coracle-vmm build/coracle-init.cpio build/vmlinux build/step "$stage/bin/"
cp -r tests "$stage/tests"
rm -rf "$stage/tests/bed"
what=("$stage/bin" "$stage/tests")
[ ! -d build/conformance ] || { cp -r build/conformance "$stage/" && what+=("$stage/conformance"); }
chmod -R a+rX "$stage"
$bed put "${what[@]}" /opt/coracle
$bed put packaging/containers.conf.d/coracle.conf /etc/containers/containers.conf.d
$bed run 'ln -sfn /opt/coracle/bin/coracle /usr/local/bin/coracle; chmod 755 /opt/coracle; sync'
