#!/bin/bash
# build.sh OUT_DIR: make OUT_DIR/vmlinux, the guest kernel: uncompressed, stripped, started through PVH.
# Built once from Debian's source package and kept in the cache under a name made of everything that went in.
# Downloads nothing. CORACLE_CACHE moves the cache, CORACLE_KERNEL_SOURCE the tarball.
set -euo pipefail
export LC_ALL=C

here=$(dirname "$(readlink -f "$0")")
tarball=${CORACLE_KERNEL_SOURCE:-/usr/src/linux-source-6.12.tar.xz}
cache=${CORACLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coracle}/kernel
fragments=("$here/base.config" "$here/x86_64.config")
patches=("$here"/patches/*.patch)

say() { echo "kernel: $*" >&2; }
die() { say "$*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"; }

[ $# -eq 1 ] || die "usage: build.sh OUT_DIR"
mkdir -p "$1" "$cache"
out=$(cd "$1" && pwd)

# What the kernel is made of: a change in any of it, comments in the fragments aside, makes another kernel
[ -r "$tarball" ] || die "$tarball is missing: apt-get install linux-source-6.12"
need gcc gcc; need ld binutils
version=$(dpkg-query -W -f '${Version}' linux-source-6.12 2>/dev/null) && [ -z "${CORACLE_KERNEL_SOURCE:-}" ] ||
  version=$(sha256sum <"$tarball")
key=$({ echo "$version"; gcc --version; ld --version; grep -hE '^(CONFIG_|# CONFIG_.* is not set)' "${fragments[@]}"
        cat "${patches[@]}" "$here/build.sh"; } | sha256sum | cut -d' ' -f1)
entry=$cache/$key

intact() { (cd "$entry" 2>/dev/null && sha256sum --check --status vmlinux.sha256 2>/dev/null); }

# Put the cached kernel where it was asked for, whole or not at all
deliver() {
  cmp -s "$entry/vmlinux" "$out/vmlinux" || {
    cp --reflink=auto "$entry/vmlinux" "$out/.vmlinux.$$"
    mv -f "$out/.vmlinux.$$" "$out/vmlinux"
  }
  say "ready: $out/vmlinux"
}

if intact; then deliver; exit; fi

# One builder at a time; who waited finds the work done
exec 9>"$cache/lock"
flock -n 9 || { say "another build is running, waiting for it"; flock 9; }
if intact; then deliver; exit; fi

need make make; need flex flex; need bison bison; need bc bc; need xz xz-utils; need perl perl; need patch patch; need strip binutils
echo '#include <gelf.h>' | gcc -E - >/dev/null 2>&1 || die "gelf.h is missing: apt-get install libelf-dev"

# Nobody else works here while we hold the lock: what is left over is from a build that was killed
rm -rf "$cache"/build.* "$entry"
scratch=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# Kconfig wants every Kconfig file; of the sources, those of other machines and big drivers stay in the tarball
say "unpacking $tarball"
tar -xJf "$tarball" -C "$scratch" --strip-components=1 \
  --exclude='linux-source-*/arch/[!x]*/*.[chS]' --exclude='*.dts*' --exclude='*.rst' --exclude='*.yaml' \
  --exclude='*/tools/testing/*' --exclude='*/tools/perf/*' --exclude='*/sound/*.[ch]' \
  --exclude='*/drivers/'{gpu,media,staging,infiniband,scsi,usb,iio}'/*.[ch]' \
  --exclude='*/drivers/net/'{ethernet,wireless,dsa}'/*.[ch]'

# The same input gives the same kernel, whoever builds it and whatever make called us
unset MAKEFLAGS MFLAGS MAKELEVEL ARCH CROSS_COMPILE KCFLAGS KCONFIG_CONFIG INSTALL_PATH
export KBUILD_BUILD_TIMESTAMP='2026-01-01 00:00:00' KBUILD_BUILD_USER=coracle KBUILD_BUILD_HOST=coracle KBUILD_BUILD_VERSION=1
run() { "$@" >"$scratch/log" 2>&1 9>&- || { tail -n 25 "$scratch/log" >&2; die "failed: $*"; }; }

say "patching and configuring"
for p in "${patches[@]}"; do run patch -d "$scratch" -p1 --fuzz=0 --batch -i "$p"; done
grep -hE '^(CONFIG_|# CONFIG_.* is not set)' "${fragments[@]}" >"$scratch/wanted"
run make -C "$scratch" KCONFIG_ALLCONFIG="$scratch/wanted" allnoconfig

# Kconfig drops silently what does not exist or lacks a dependency: every line asked for must be there
refused=$(while read -r line; do
  case $line in
    '#'*) name=${line#\# }; ! grep -q "^${name%% *}=" "$scratch/.config" ;;
    *) grep -qxF "$line" "$scratch/.config" ;;
  esac || echo "  $line"
done <"$scratch/wanted")
[ -z "$refused" ] || die "these options did not take effect:
$refused"

say "compiling, $(nproc) jobs, a few minutes"
run nice -n 5 make -C "$scratch" -j"$(nproc)" vmlinux

say "storing $entry"
mkdir "$scratch/entry"
run strip -s -o "$scratch/entry/vmlinux" "$scratch/vmlinux"
cp "$scratch/.config" "$scratch/entry/config"
(cd "$scratch/entry" && sha256sum vmlinux >vmlinux.sha256)
mv "$scratch/entry" "$entry"
deliver
