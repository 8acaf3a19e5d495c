#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build.sh OUT - make OUT/validation, OUT/runtimetest and OUT/rootfs-amd64.tar.gz: the validation tests of
# opencontainers runtime-tools, all of them in one program that takes the test's name. Built by Debian's Go from the
# source that Debian has, with the libraries that Debian packages (packaging/deps.sh bed), and kept by what
# went into it under ~/.cache/coracle/conformance (CORACLE_CACHE moves it).
#
# Debian's package golang-github-opencontainers-runtime-tools-dev leaves validation/ out, so the source package is
# fetched by apt-get, which checks Debian's signatures; the checksum here holds the version still.
set -euo pipefail
out=$(realpath -m "${1:?where to}")
cd "$(dirname "$0")"
name=golang-github-opencontainers-runtime-tools
version=0.9.0.109.ge931285
sha256=203989a1ea98cf2aaced79155bbda09270b20db19b03376dde91ab12e5e6a0fe
suite=trixie
mirror=${BED_MIRROR:-http://deb.debian.org/debian}
cache=${CORACLE_CACHE:-$HOME/.cache/coracle}/conformance
import=github.com/opencontainers/runtime-tools

die() { echo "conformance/build.sh: $*" >&2; exit 1; }
command -v go >/dev/null || die "there is no Go: packaging/deps.sh bed"

key=$({ cat build.sh tap/tap.go; go version; dpkg-query -W 'golang-*-dev'; } 2>/dev/null | sha256sum | cut -c1-16)
mkdir -p "$cache" "$out"
tmp=$(mktemp -d "$cache/.build.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# fetch: the source, to $cache.
fetch() {
	local tar=${name}_$version.orig.tar.xz try
	mkdir -p "$tmp/apt/lists/partial" "$tmp/get"
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$tmp/apt/list"
	local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$tmp/apt/list" -o Dir::Etc::sourceparts=/nonexistent
		-o "Dir::State::lists=$tmp/apt/lists" -o APT::Sandbox::User= -o Acquire::http::Timeout=15)
	for try in 1 2 3; do
		timeout 90 "${apt[@]}" update &&
			(cd "$tmp/get" && timeout 90 "${apt[@]}" --download-only --tar-only source "$name") >/dev/null
		[ ! -e "$tmp/get/$tar" ] || break
		sleep "$try"
	done 2>"$tmp/apt/log"
	[ -e "$tmp/get/$tar" ] || { tail -n 2 "$tmp/apt/log" >&2; die "Debian's source of $name $version can't be fetched"; }
	mv "$tmp/get/$tar" "$cache/"
}

# compile: $tmp/done from the source.
compile() {
	local src=$tmp/gopath/src/$import c
	mkdir -p "$src" "$tmp/gopath/src/github.com/mndrix" "$tmp/done"
	tar -C "$src" --strip-components=1 -xf "$cache/${name}_$version.orig.tar.xz"
	# it waits so long for a state, looking so often: a loaded machine takes longer
	sed -i -e 's/time.Since(start) < retryTimeout;/time.Since(start) < 6*retryTimeout;/' \
		-e 's/time.Sleep(pollInterval)/time.Sleep(pollInterval \/ 5)/' "$src/validation/util/test.go"
	grep -q '6\*retryTimeout; time.Sleep(pollInterval / 5)' "$src/validation/util/test.go" || die "other limits than expected"
	# it takes a shell that runs for one that has set its trap
	local ready='for i := 0; i < 600; i++ { if os.Remove(filepath.Join(rootDir, "ready")) == nil { break }; time.Sleep(time.Second / 10) }'
	sed -i -e "s/; sleep 10 & wait/; touch \\/ready; sleep 60 \\& wait/" \
		-e "s|^\\t*util.WaitingForStatus(.*LifecycleStatusRunning.*|$ready|" "$src/validation/killsig/killsig.go"
	[ "$(grep -c '/ready\|"ready"' "$src/validation/killsig/killsig.go")" = 2 ] || die "another killsig than expected"
	cp -r tap "$tmp/gopath/src/github.com/mndrix/tap-go"
	# each test is a program of its own: they become functions of one
	{
		echo 'package main'
		echo 'import ('
		echo '"fmt"'
		echo '"os"'
		for c in "$src"/validation/*/; do
			c=$(basename "$c")
			[ "$c" = util ] && continue
			sed -i -e "s/^package main\$/package case_$c/" -e 's/^func main()/func Main()/' "$src/validation/$c"/*.go
			echo "case_$c \"$import/validation/$c\""
			echo "$c" >>"$tmp/done/cases"
		done
		echo ')'
		echo 'var cases = map[string]func(){'
		sed 's/.*/"&": case_&.Main,/' "$tmp/done/cases"
		echo '}'
		echo 'func main() {'
		echo 'if len(os.Args) != 2 || cases[os.Args[1]] == nil {'
		echo 'fmt.Fprintln(os.Stderr, "usage: validation CASE"); os.Exit(99) }'
		echo 'cases[os.Args[1]]()'
		echo '}'
	} >"$tmp/main.go"
	mkdir "$src/cmd/validation"
	mv "$tmp/main.go" "$src/cmd/validation/main.go"
	for c in validation runtimetest; do
		(cd "$src" && GO111MODULE=off GOFLAGS='' GOPATH=$tmp/gopath:/usr/share/gocode GOCACHE=$tmp/gocache CGO_ENABLED=0 \
			go build -trimpath -tags 'netgo osusergo' -ldflags '-s -w' -o "$tmp/done/$c" "./cmd/$c") ||
			die "can't build $c"
	done
	cp "$src/rootfs-amd64.tar.gz" "$tmp/done/"
}

if [ ! -d "$cache/$key" ]; then
	sum() { echo "$sha256  $cache/${name}_$version.orig.tar.xz" | sha256sum -c --quiet; }
	[ -e "$cache/${name}_$version.orig.tar.xz" ] && sum 2>/dev/null || fetch
	sum || die "the source is not the one that is known"
	compile
	rm -rf "${cache:?}"/????????????????
	mv "$tmp/done" "$cache/$key"
fi
cp "$cache/$key"/* "$out/"
