#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# boot.sh - boot a bed whose kernel has SELinux, and put what labels.sh needs into it: the programs and the policy.
set -euo pipefail
cd "$(dirname "$0")/../.."
bed=${CORACLE_BED:-tests/bed/bed}

mkdir -p build
secilc -c 33 -f /dev/null -o build/selinux.policy tests/selinux/policy.cil
$bed boot security=selinux
tests/put-in-bed.sh
$bed put build/selinux.policy /opt/coracle/tests/selinux
