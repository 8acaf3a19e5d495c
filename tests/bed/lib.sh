# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# lib.sh - what the bed's scripts share: settings, messages, and the cache of layers.
#
# The cache is a folder of layers, each named KIND-HASH. The hash covers what decides a layer's contents:
#
#   emulator   QEMU of the suite, mended: older ones are slower, and crash or hang under nested guests
#   image      kernel, initrd and disk of the emulated host, and the key that opens it
#   rootfs     the root file systems that become container images
#   state      disk changes, memory and devices of the provisioned host, saved while it runs
#
# A layer is made under a temporary name and renamed when whole; its MANIFEST is compared before every use.

: "${BED_SUITE:=trixie}" "${BED_MIRROR:=}"
: "${BED_MEM:=4096}" "${BED_CPUS:=2}" "${BED_DISK:=16G}"
: "${BED_KEEP:=1}"
BED_HOME=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${BED_RUN:=$(dirname "$(dirname "$BED_HOME")")/build/bed}"
BED_STORE=${CORACLE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/coracle}/bed
: "${BED_SINCE:=$(date +%s)}"
export BED_SUITE BED_MIRROR BED_MEM BED_CPUS BED_DISK BED_HOME BED_RUN BED_STORE BED_SINCE

die() { echo "bed: $*" >&2; exit 1; }
# Progress goes to descriptor 3, so that it is seen while the rest of a layer's output is in its log.
say() { printf 'bed: [%3d s] %s\n' $(($(date +%s) - BED_SINCE)) "$*" >&3; }

# need_disk DIR MIB, need_memory MIB: end with one line that says what is missing.
need_disk() {
	local have; have=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
	[ "$have" -ge "$2" ] || die "needs $2 MiB of disk at $1, $have MiB are free"
}
need_memory() {
	local have; have=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	[ "$have" -ge "$1" ] || die "needs $1 MiB of memory, $have MiB are free (BED_MEM=$BED_MEM)"
}
need_tools() {
	local t missing=
	for t; do command -v "$t" >/dev/null || missing+=" $t"; done
	[ -z "$missing" ] || die "not installed:$missing (run packaging/deps.sh bed)"
}

# manifest DIR: names and sizes of everything in a layer, and the digests of the small files at its top.
manifest() (
	cd "$1" || exit 1
	export LC_ALL=C
	find . -mindepth 1 ! -path ./MANIFEST \( -type f -printf 'size %s %P\n' -o -type l -printf 'link %l %P\n' \) | sort
	find . -maxdepth 1 -type f -size -32768k ! -name MANIFEST -print0 | sort -z | xargs -0r sha256sum
)
# whole DIR: is the layer there, as it was made?
whole() { [ -s "$1/MANIFEST" ] && [ "$(manifest "$1")" = "$(cat "$1/MANIFEST")" ]; }

# digest WORD... <FILES: 16 digits that name the words and the text on standard input.
digest() { { printf '%s\n' "$@"; cat; } | sha256sum | cut -c1-16; }

# layer KIND: the folder of a layer. That of `state` can be told only when those below it are there.
layer() {
	local h
	case $1 in
	emulator) h=$(cd "$BED_HOME" && cat layers/emulator.sh layers/emulator-mend.py | digest "$BED_SUITE" "$BED_MIRROR") ;;
	image) h=$(cd "$BED_HOME" && cat layers/image.sh guest/setup.sh | digest "$BED_SUITE" "$BED_MIRROR" "$BED_DISK") ;;
	rootfs) h=$(cd "$BED_HOME" && digest "$BED_SUITE" "$BED_MIRROR" <layers/rootfs.sh) ;;
	state)
		local e
		e=$(cat "$(layer emulator)/MANIFEST" 2>/dev/null) || return 1
		h=$({ cat "$(layer image)/MANIFEST" "$(layer rootfs)/MANIFEST" && cd "$BED_HOME" &&
			cat layers/state.sh machine.sh qmp.py guest/provision.sh; } 2>/dev/null | digest "$BED_MEM" "$BED_CPUS" "$e") ;;
	esac
	echo "$BED_STORE/$1-$h"
}

# built: are all layers there and whole?
built() {
	whole "$(layer emulator)" && whole "$(layer image)" && whole "$(layer rootfs)" && whole "$(layer state)"
}

# emulator: fill QEMU, the command that runs it. The suite's QEMU is run by its own dynamic loader on its own
# libraries, so it needs neither a chroot nor anything mounted.
emulator() {
	local q; q=$(layer emulator)/usr
	QEMU=("$q/lib64/ld-linux-x86-64.so.2" --library-path "$q/lib/x86_64-linux-gnu" --argv0 qemu-system-x86_64
		"$q/bin/qemu-system-x86_64" -L "$q/share/qemu" -L "$q/share/seabios")
}
