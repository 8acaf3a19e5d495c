#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh - from a fresh Debian machine to a Debian container in its own microVM: packages, programs, kernel, root
# file system, run. On the host's KVM where that can boot Linux, otherwise in an emulated host. Called by `make demo`.
set -euo pipefail
cd "$(dirname "$0")/.."

begin=$(date +%s)
step() { printf '\n== %s (%d s)\n' "$*" $(($(date +%s) - begin)); }
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo -E)

step "packages"
packaging/deps.sh all
step "coracle"
make all
step "guest kernel (some minutes the first time)"
make kernel

# What runs in the container. The kernel it names is the guest's own.
script='echo "hello from $(. /etc/os-release; echo "$PRETTY_NAME"), kernel $(uname -r), pid $$, uid $(id -u)";
echo "memory $(sed -n "s/MemTotal: *//p" /proc/meminfo), up $(cut -d" " -f1 /proc/uptime) s";
date >/root/was-here; ls -l /root/was-here'

# run_demo ROOTFS: with coracle in PATH, as any user whose ids are mapped
run_demo='
set -eu
cd "$1"
rm -f config.json
coracle spec --rootless
jq --arg s "$2" "del(.linux.uidMappings, .linux.gidMappings) | .process.terminal = false | .root.readonly = false |
	.process.args = [\"/bin/bash\", \"-c\", \$s]" config.json >config.new
mv config.new config.json
echo "the host: kernel $(uname -r), user $(id -un)"
for i in 1 2 3; do
	t0=$(date +%s%N)
	coracle run demo-$i
	echo "[from command to exit status: $((($(date +%s%N) - t0) / 1000000)) ms]"
done
ls -ln rootfs/root/was-here
'

if build/coracle check >/dev/null 2>&1; then
	step "Debian root file system"
	rootfs=${CORACLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coracle}/demo
	mkdir -p "$rootfs"
	if [ ! -d "$rootfs/rootfs" ]; then
		mode=unshare
		[ "$(id -u)" = 0 ] && mode=root
		mmdebstrap --quiet --variant=minbase --mode=$mode trixie "$rootfs/debian.tar"
		mkdir "$rootfs/rootfs.new"
		if [ $mode = root ]; then
			tar -C "$rootfs/rootfs.new" --exclude='./dev/*' -xf "$rootfs/debian.tar"
		else
			unshare --map-auto --map-root-user tar -C "$rootfs/rootfs.new" --exclude='./dev/*' -xf "$rootfs/debian.tar"
		fi
		mv "$rootfs/rootfs.new" "$rootfs/rootfs"
	fi
	step "three containers, one after the other"
	PATH=$PWD/build:$PATH bash -c "$run_demo" demo "$rootfs" "$script"
else
	step "this machine's KVM can't boot Linux: an emulated host (minutes the first time, everything in it is slow)"
	build/coracle check | sed -n 's/^missing */  /p' || true
	export BED_RUN=$PWD/build/bed-demo
	bed="${sudo[*]} tests/bed/bed"
	$bed up --fresh
	trap '$bed down' EXIT
	CORACLE_BED=$bed tests/put-in-bed.sh
	step "Debian root file system"
	$bed run -u user 'mkdir -p demo/rootfs && podman export "$(podman create localhost/debian)" |
		unshare --map-auto --map-root-user tar -C demo/rootfs --exclude="dev/*" -xf -'
	step "three containers, one after the other, as an unprivileged user"
	$bed run -u user "export PATH=/opt/coracle/bin:\$PATH; bash -c $(printf %q "$run_demo") demo /home/user/demo $(printf %q "$script")"
fi
step "done"
