#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# deps.sh [build|bed|all] - install the Debian packages that building coracle (build, the default) or its
# emulated test host (bed) needs. Only what is missing is installed. Debian 12 and 13.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

die() { echo "deps.sh: $*" >&2; exit 1; }

[ -r /etc/os-release ] || die "this is not Debian: there is no /etc/os-release"
# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "${ID:-} ${VERSION_ID:-}")
case $release in
"debian 12") clang_rt=libclang-rt-14-dev ;;
"debian 13") clang_rt=libclang-rt-19-dev ;;
*) die "knows Debian 12 and 13 only, this is '$release'" ;;
esac

build="gcc make pkg-config libc6-dev libyajl-dev libseccomp-dev libcap-ng-dev libsystemd-dev libnl-3-dev libnl-route-3-dev
	linux-source-6.12 flex bison bc libelf-dev xz-utils patch cpio clang clang-format $clang_rt perl jq git mandoc"
bed="mmdebstrap debian-archive-keyring qemu-utils openssh-client e2fsprogs python3 uidmap zstd util-linux procps secilc"
# Go and what runtime-tools' validation is built from (tests/conformance). Where a release lacks one of these, that
# test is skipped.
suite="golang-go golang-github-google-uuid-dev golang-github-hashicorp-go-multierror-dev golang-github-mrunalp-fileutils-dev
	golang-github-opencontainers-specs-dev golang-github-opencontainers-selinux-dev golang-github-sirupsen-logrus-dev
	golang-gocapability-dev golang-github-urfave-cli-dev golang-golang-x-sys-dev"
what=${1:-build}
case $what in
build) wanted=$build ;;
bed) wanted="$bed $suite" ;;
all) wanted="$build $bed $suite" ;;
*) die "usage: deps.sh [build|bed|all]" ;;
esac

# What is installed, under its own name or as what another package provides (pkg-config is pkgconf's).
have=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package} ${Provides}\n' | sed -n 's/^ii  *//p' |
	sed 's/([^)]*)//g' | tr ', ' '\n\n')
missing=()
for p in $wanted; do grep -qxF -- "$p" <<<"$have" || missing+=("$p"); done
if [ ${#missing[@]} -eq 0 ]; then
	echo "deps.sh: all packages for '$what' are installed"
	exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || die "needs root or sudo to install: ${missing[*]}"
	as_root=(sudo env DEBIAN_FRONTEND=noninteractive LC_ALL=C)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
fail() { tail -n 5 "$log" >&2; die "$*"; }

# The lists are fetched once when there are none, when they are older than a day, or when they lack a package.
is_known() { apt-cache show "$1" >/dev/null 2>&1; }
known() { local p; for p in "${missing[@]}"; do is_known "$p" || return 1; done; }
fresh=$(find /var/lib/apt/lists -maxdepth 1 -type f -name '*_Packages*' -mtime -1 2>/dev/null | head -n 1)
updated=no
update() {
	"${as_root[@]}" apt-get update -qq --error-on=any >"$log" 2>&1 || fail "cannot fetch the package lists (is there a network?)"
	updated=yes
}
install() { "${as_root[@]}" apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" >"$log" 2>&1; }
[ -n "$fresh" ] && known || update
found=() lacking=()
for p in "${missing[@]}"; do
	if is_known "$p"; then found+=("$p")
	elif [[ " $bed $build " == *[[:space:]]"$p"[[:space:]]* ]]; then lacking+=("$p")
	else echo "deps.sh: this Debian has no $p: the conformance suite can't be built" >&2
	fi
done
[ ${#lacking[@]} -eq 0 ] || die "not in this machine's package sources: ${lacking[*]}"
missing=("${found[@]}")
[ ${#missing[@]} -gt 0 ] || exit 0
# Lists that look fresh may name packages that have been replaced meanwhile.
install || { [ $updated = no ] && update && install; } || fail "cannot install: ${missing[*]}"
echo "deps.sh: installed for '$what': ${missing[*]}"
