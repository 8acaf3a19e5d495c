#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench.sh [ROUNDS] - compare coracle with crun, runc, gVisor and QEMU's microvm in one run, in a fresh bed: times,
# memory, files, network.
# Writes build/bench.json and build/bench.svg, prints the tables. Needs what `make all kernel` builds and root for the bed.
#
# Environment: BENCH_ONLY (programs, separated by blanks: "coracle crun"), BENCH_PARTS (of "user root network podman"),
# BENCH_KEEP=1 (leave the bed up), BED_RUN (build/bed-bench). Let nothing else run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-15}
[[ $rounds =~ ^[1-9][0-9]*$ ]] || { echo "usage: bench.sh [ROUNDS]" >&2; exit 2; }
files=(build/coracle build/coracle-vmm build/coracle-init.cpio build/vmlinux)
for f in "${files[@]}"; do
	[ -e "$f" ] || { echo "bench: no $f: say 'make all kernel' first" >&2; exit 1; }
done
read -ra parts <<<"${BENCH_PARTS:-user root network podman}"
export BED_RUN=${BED_RUN:-$PWD/build/bed-bench}
bed=(tests/bed/bed)
[ "$(id -u)" = 0 ] || bed=(sudo -E "${bed[@]}")
command="make bench"
[ "$rounds" = 15 ] && [ -z "${BENCH_ONLY:-}${BENCH_PARTS:-}" ] ||
	command="${BENCH_ONLY:+BENCH_ONLY='$BENCH_ONLY' }${BENCH_PARTS:+BENCH_PARTS='$BENCH_PARTS' }tests/bench/bench.sh $rounds"

# A file that ends up in the bed is world-readable there, whatever the umask here.
stage=$(mktemp -d)
finish() {
	rm -rf "$stage"
	[ -n "${BENCH_KEEP:-}" ] || "${bed[@]}" down
}
trap finish EXIT
install -m 755 "${files[@]}" tests/bench/in-bed.py tests/bench/inside.c "$stage"

# Each says how far it is, and fails when coracle has no figures.
in_bed="BENCH_ONLY=$(printf %q "${BENCH_ONLY:-}") /opt/bench/in-bed.py"
w=/var/tmp/bench

begin() {
	"${bed[@]}" up --fresh
	"${bed[@]}" put "${files[@]/#build/$stage}" /opt/coracle
	"${bed[@]}" put "$stage/vmlinux" /opt/bed
	"${bed[@]}" put "$stage/in-bed.py" "$stage/inside.c" /opt/bench
	"${bed[@]}" run 'sync; chmod 755 /opt/coracle /opt/bench; rm -rf /var/tmp/bench; install -d -o user -g user /var/tmp/bench'
	"${bed[@]}" run -u user "$in_bed prepare $w/files"
}

# part NAME USER: its figures; once more, from the start, when the emulated host itself has died (its emulation does, now and then)
part() {
	local status=0 measure=("${bed[@]}" run -u "$2" "$in_bed $1 $w/files $w/$1.json $rounds")
	"${measure[@]}" || status=1
	if ! "${bed[@]}" run true 2>/dev/null; then
		echo "bench: the emulated host died; starting over in a fresh one" >&2
		"${bed[@]}" down
		begin
		status=0
		"${measure[@]}" || status=1
	fi
	"${bed[@]}" run "cat $w/$1.json" >"$stage/$1.json"
	return $status
}

rc=0
begin
results=()
for p in "${parts[@]}"; do
	case $p in
	user | podman) who=user ;;
	*) who=root ;;
	esac
	part "$p" $who || rc=1
	results+=("$stage/$p.json")
done
tests/bench/in-bed.py merge "$stage/bench.json" "${results[@]}"
cp "$stage/bench.json" build/bench.json
echo
tests/bench/report.py build/bench.json build/bench.svg "$command"
exit $rc
