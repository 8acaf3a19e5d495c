#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# peers.sh [RUNS] [RUNTIME...] - in the bed: time start to exit of `true` under each runtime, and through podman.
# A kernel at /opt/bed/vmlinux adds the row of QEMU's microvm.
runs=${1:-10}
[ $# -eq 0 ] || shift
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
cd "$d" || exit 1
mkdir rootfs gvisor
tar -C rootfs -xf /opt/bed/busybox.tar --exclude='./dev/*'
rootless=
[ "$(id -u)" = 0 ] || rootless=--rootless
runc spec $rootless
jq '.process.terminal = false | .process.args = ["true"] | .root.readonly = false' config.json >c && mv c config.json
ln -s ../rootfs gvisor/rootfs   # runsc --rootless makes a user namespace of its own
jq 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))' config.json >gvisor/config.json
echo 0 >count
id='$(i=$(($(cat '$d/count') + 1)); echo $i >'$d/count'; echo bed-'$$'-$i)'   # a fresh name for every run

row() { # NAME COMMAND
	printf '%-34s' "$1"
	hyperfine --style basic -w 1 -r "$runs" --export-json out.json "$2" >log 2>&1 || { echo "FAILED: $2"; tail -n 3 log; return; }
	jq -r '.results[] | [.mean, .stddev, .min, .max | . * 1000 | round] | @tsv' out.json
}
echo "user $(id -un), milliseconds: mean, deviation, min, max of $runs runs"
row "host: fork and exec" /bin/true
row "runc run" "runc run $id"
row "crun run" "crun run $id"
for p in systrap ptrace; do
	row "runsc run, $p" "cd gvisor && runsc $rootless --network=none --ignore-cgroups --platform=$p run $id"
done
[ ! -e /opt/bed/vmlinux ] || row "QEMU microvm and virtiofsd" "/opt/bed/qvm.sh /opt/bed/vmlinux $d/rootfs true"
podman="podman run --rm --network=none --runtime"
for r in runc crun /usr/local/bin/runsc-systrap /usr/local/bin/runsc-ptrace; do
	row "podman, ${r##*/}" "$podman $r localhost/busybox true"
done
for r; do
	row "${r##*/} run" "$r run $id"
	row "podman, ${r##*/}" "$podman $r localhost/busybox true"
done
