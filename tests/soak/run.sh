#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [-u USER] [PATTERN...] - the container tests, for a night: 2,000 containers, 50,000 files, more of everything.
export MANY=${MANY:-2000} CHURN=${CHURN:-500} CHURN_AT_ONCE=${CHURN_AT_ONCE:-20} FILES=${FILES:-50000} BIG=${BIG:-1000} LIMIT=${LIMIT:-600} TORTURE_LIMIT=${TORTURE_LIMIT:-3600} STEPS=${STEPS:-all} REFERENCE=${REFERENCE:-1} BUDGET=${BUDGET:-0}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
user=()
if [ "${1:-}" = -u ]; then
	user=(-u "$2")
	shift 2
fi
exec "$here/../cli/run.sh" "${user[@]}" "$@"
