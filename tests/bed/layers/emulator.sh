#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# emulator.sh DIR - unpack the suite's QEMU and the libraries it needs, and mend it.
set -euo pipefail
dir=${1:?which folder}
rmdir "$dir"
mmdebstrap --variant=extract --mode=root --include=qemu-system-x86 \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	"$BED_SUITE" "$dir" ${BED_MIRROR:+"$BED_MIRROR"}
rm -rf "${dir:?}"/{dev,etc,tmp,var} "${dir:?}"/usr/share/{doc,man,locale,icons}
python3 "$BED_HOME/layers/emulator-mend.py" "$dir/usr/bin/qemu-system-x86_64"
"$dir/usr/lib64/ld-linux-x86-64.so.2" --library-path "$dir/usr/lib/x86_64-linux-gnu" \
	"$dir/usr/bin/qemu-system-x86_64" --version >"$dir/version"
cat "$dir/version"
