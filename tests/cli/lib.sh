# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# lib.sh - what the container tests share: TAP, bundles, running a bundle under two runtimes, looking for leaks.
#
# A script sources this, makes bundles, runs them under REF (crun) and RT (coracle), and compares. Settings:
#   RT, REF                the runtime under test and the one it is compared with
#   BASE                   busybox or debian: the root file system where a script doesn't choose
#   MAP                    rootless id mappings: range (newuidmap) or single
#   LIMIT                  seconds that one command may take
#   BED_ROOTFS_BUSYBOX, BED_ROOTFS_DEBIAN    folders; a tar file of the same name plus .tar goes before them
#   LEAKS=shared           other people use this host at the same time: processes are not counted
#   KEEP=1                 leave the work folder behind

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
RT=${RT:-/opt/coracle/bin/coracle}
REF=${REF:-crun}
BASE=${BASE:-busybox}
MAP=${MAP:-range}
LIMIT=${LIMIT:-60}
BED=${BED:-/opt/bed}
MANY=${MANY:-100}
export LC_ALL=C
umask 022

UID_NOW=$(id -u)
ROOTLESS=
[ "$UID_NOW" = 0 ] || ROOTLESS=--rootless
NAME=$(basename "$0" .sh)
PREFIX=t${NAME%%-*}-$$
T=$(mktemp -d "${TESTS_TMP:-/var/tmp}/coracle-test.$NAME.XXXXXX") || exit 1
RT_NAME=$(basename "${RT%% *}")
RT=$(type -P "$RT") || { echo "Bail out! no runtime under test"; exit 1; }
[ "$UID_NOW" != 0 ] || unset XDG_RUNTIME_DIR
if [ "$UID_NOW" = 0 ]; then STATE=/run/$RT_NAME; else STATE=${XDG_RUNTIME_DIR:?}/$RT_NAME; fi

# ---- TAP

tests=0 failures=0 next_id=0

diag() { printf '%s\n' "$*" | head -n 8 | cut -c1-400 | sed 's/^/# /'; }

# ok STATUS NAME: the heart of all others.
ok() {
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tests - ${*:2}"
		return 0
	fi
	failures=$((failures + 1))
	echo "not ok $tests - ${*:2}"
	return 1
}

is() { # GOT WANT NAME
	[ "$1" = "$2" ]
	ok $? "$3" && return
	diag "got:  $1"
	diag "want: $2"
	return 1
}

like() { # GOT REGEX NAME
	[[ $1 =~ $2 ]]
	ok $? "$3" && return
	diag "got:        $1"
	diag "want match: $2"
	return 1
}

unlike() { # GOT REGEX NAME
	! [[ $1 =~ $2 ]]
	ok $? "$3" && return
	diag "got:           $1"
	diag "want no match: $2"
	return 1
}

skip() { # NAME WHY
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

# self: is the reference run against itself?
self() { [ "$RT_NAME" = "$(basename "$REF")" ]; }

# rt_only NAME: false, with a line of TAP, where the reference stands in for the runtime under test.
rt_only() {
	self || return 0
	skip "$1" "only for the runtime under test"
	return 1
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

# ---- root file systems and bundles

# mapped COMMAND...: with all of this user's ids, as root over them.
mapped() {
	if [ "$UID_NOW" = 0 ]; then "$@"; else unshare --map-auto --map-root-user "$@"; fi
}

# rootfs_make BASE DIR
rootfs_make() {
	local dir tar
	mkdir -p "$2"
	case $1 in
	busybox) dir=${BED_ROOTFS_BUSYBOX:-$BED/bundle/rootfs} tar=${BED_ROOTFS_BUSYBOX:-$BED/busybox}.tar ;;
	debian) dir=${BED_ROOTFS_DEBIAN:-$BED/debian} tar=${BED_ROOTFS_DEBIAN:-$BED/debian}.tar ;;
	esac
	if [ -e "$tar" ]; then
		mapped tar -C "$2" -xf "$tar" --exclude='./dev/*'
	elif [ -d "$dir" ]; then
		mapped tar -C "$dir" -cf - --exclude='./dev/*' . | mapped tar -C "$2" -xf -
	elif [ "$1" = debian ] && [ -e "$BED/debian-image.tar" ]; then
		mkdir "$T/image" &&
			tar -C "$T/image" -xf "$BED/debian-image.tar" &&
			mapped tar -C "$2" -xf "$T/image/$(jq -r '.[0].Layers[0]' "$T/image/manifest.json")" --exclude='./dev/*'
		rm -rf "$T/image"
	else
		return 1
	fi
}

# setup [BASE]: the script's own root file system at $T/rootfs and the configuration that bundles start from.
setup() {
	rootfs_make "${1:-$BASE}" "$T/rootfs" || skip_all "no ${1:-$BASE} root file system in $BED"
	mkdir "$T/spec"
	(cd "$T/spec" && "$REF" spec $ROOTLESS) || { echo "Bail out! $REF spec failed"; exit 1; }
	local ids=null
	if [ -n "$ROOTLESS" ]; then
		ids=$(awk -F: -v u="$(id -un)" -v one="$UID_NOW" -v map="$MAP" '$1 == u { start = $2; n = $3 }
			END { printf "[{\"containerID\":0,\"hostID\":%d,\"size\":1}", one
			      if (map == "range" && n) printf ",{\"containerID\":1,\"hostID\":%d,\"size\":%d}", start, n
			      print "]" }' /etc/subuid)
	fi
	jq --arg root "$T/rootfs" --argjson ids "$ids" '
		.process.terminal = false | .root = {path: $root, readonly: false} | .process.args = ["true"]
		| .hostname = "box"
		| del(.linux.resources, .linux.cgroupsPath)
		| if $ids then .linux.uidMappings = $ids | .linux.gidMappings = $ids else . end' \
		"$T/spec/config.json" >"$T/base.json" || exit 1
	leaks_begin
}

# bundle NAME FILTER [JQ ARGUMENTS]: a bundle at $B, its configuration the base put through FILTER.
bundle() {
	B=$T/b/$1
	mkdir -p "$B"
	jq "${@:3}" "$2" "$T/base.json" >"$B/config.json" || { echo "Bail out! jq: bundle $1"; exit 1; }
}

# script NAME SCRIPT [FILTER [JQ ARGUMENTS]]: a bundle that runs SCRIPT by sh.
script() {
	bundle "$1" '.process.args = ["sh", "-c", $sh] | '"${3:-.}" --arg sh "$2" "${@:4}"
}

# new_id: a fresh one in $ID.
new_id() {
	next_id=$((next_id + 1))
	ID=$PREFIX-$next_id
}

# ---- running

rt() { timeout -k 5 "$LIMIT" "$RT" "$@"; }
ref() { timeout -k 5 "$LIMIT" "$REF" "$@"; }

# run_one ref|rt [OPTIONS OF run]: run $B; its output, messages and status are $T/WHO.out, .err and .rc.
# STDIN is the file that it reads; RESET is evaluated first.
run_one() {
	local who=$1
	shift
	new_id
	rm -f "$T/$who.out" "$T/$who.err"   # crun gives its stdio to the container's user
	[ -z "${RESET:-}" ] || eval "$RESET"
	"$who" run --bundle "$B" "$@" "$ID" <"${STDIN:-/dev/null}" >"$T/$who.out" 2>"$T/$who.err"
	echo $? >"$T/$who.rc"
	[ "$who" = rt ] || rmdir "/sys/fs/cgroup/$ID" 2>/dev/null   # crun's, of a run that failed
	return 0
}

# run_rt: run under RT alone; $out, $err, $rc.
run_rt() {
	run_one rt "$@"
	out=$(tr -d '\0' <"$T/rt.out") err=$(tr -d '\0' <"$T/rt.err") rc=$(cat "$T/rt.rc")
}

run_both() {
	run_one ref "$@"
	run_rt "$@"
}

# until_true SECONDS COMMAND...: wait until it succeeds
until_true() {
	local i
	for ((i = 0; i < $1 * 10; i++)); do
		"${@:2}" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}
# for until_true: has_text FILE REGEX; ended PID; is_now STATUS [WHO]: container $ID
has_text() { grep -aq -e "$2" "$1"; }
ended() { ! kill -0 "$1"; }
is_now() { [ "$("${2:-rt}" state "$ID" 2>/dev/null | jq -r .status)" = "$1" ]; }

# norm: what differs between two kernels and doesn't matter; a script may define its own.
norm() { cat; }

# error_class FILE: the kind of failure that a runtime's message speaks of.
error_class() {
	case $(tr 'A-Z\n' 'a-z ' <"$1") in
	'') echo none ;;
	*'not found in $path'* | *'no such file or directory'*) echo enoent ;;
	*'permission denied'* | *'operation not permitted'*) echo eperm ;;
	*'exec format error'*) echo enoexec ;;
	*'not a directory'*) echo enotdir ;;
	*'already exist'* | *'file exists'*) echo eexist ;;
	*) echo other ;;
	esac
}

# detail: what helps to understand a failure of the last run.
detail() {
	diag "bundle $B, runtime ${1:-rt}: status $(cat "$T/${1:-rt}.rc" 2>/dev/null)"
	if [ -f "$B/config.json" ]; then
		diag "args: $(jq -c '.process.args' "$B/config.json" 2>/dev/null | cut -c1-300)"
		diag "changed: $(diff <(jq -S . "$T/base.json") <(jq -S . "$B/config.json" 2>/dev/null) | grep '^[<>]' |
			tr -s '\t ' ' ' | tr '\n' ' ' | cut -c1-300)"
	fi
	[ ! -s "$T/${1:-rt}.err" ] || diag "stderr: $(head -c 600 "$T/${1:-rt}.err" | tr '\0\n' ' |')"
	[ ! -e "$STATE/$ID" ] || diag "state: $("${1:-rt}" state "$ID" 2>&1 | tr -s ' \t\n' ' ' | cut -c1-300)"
}

# same NAME: output, messages and exit status of the last run_both agree.
same() {
	local bad=
	[ "$(cat "$T/ref.rc")" = "$(cat "$T/rt.rc")" ] || bad+=" status"
	cmp -s <(norm <"$T/ref.out") <(norm <"$T/rt.out") || bad+=" stdout"
	cmp -s <(norm <"$T/ref.err") <(norm <"$T/rt.err") || bad+=" stderr"
	[ -z "$bad" ]
	ok $? "$1" && return
	diag "differ:$bad; status: reference $(cat "$T/ref.rc"), runtime $(cat "$T/rt.rc")"
	diff -a <(norm <"$T/ref.out") <(norm <"$T/rt.out") | head -n 12 | cut -c1-300 | sed 's/^/# stdout /'
	diff -a <(norm <"$T/ref.err") <(norm <"$T/rt.err") | head -n 6 | cut -c1-300 | sed 's/^/# stderr /'
	detail
	return 1
}

# same_lines TITLE [IGNORED KEYS]: a test for each "key: value" line of the last run_both.
same_lines() {
	local key value line ignore=${2:-^$}
	local -A theirs=() ours=()
	local -a keys=()
	while IFS= read -r line; do
		key=${line%%: *}
		while [ -n "${theirs[$key]+x}" ]; do key+=+; done
		theirs[$key]=${line#*: }
		keys+=("$key")
	done < <(norm <"$T/ref.out" | tr -d '\0')
	while IFS= read -r line; do
		key=${line%%: *}
		while [ -n "${ours[$key]+x}" ]; do key+=+; done
		ours[$key]=${line#*: }
		[ -n "${theirs[$key]+x}" ] || keys+=("$key")
	done < <(norm <"$T/rt.out" | tr -d '\0')
	for key in "${keys[@]}"; do
		[[ $key =~ $ignore ]] && continue
		value=${theirs[$key]-(no such line)}
		is "${ours[$key]-(no such line)}" "$value" "$1: $key" || bad_lines=1
	done
	is "$(cat "$T/rt.rc")" "$(cat "$T/ref.rc")" "$1: status" || detail
	[ -z "${bad_lines:-}" ] || [ ! -s "$T/rt.err" ] || diag "stderr: $(head -c 600 "$T/rt.err")"
	unset bad_lines
}

# refuses NAME REGEX [STATUS]: the last run under RT failed with one line that matches, and left nothing.
refuses() {
	is "$rc" "${3:-1}" "$1: status" || detail
	if self; then
		[ -n "$err" ]
		ok $? "$1: says something"
	else
		like "$err" "$2" "$1: says what and where"
		is "$(wc -l <"$T/rt.err")" 1 "$1: in one line"
	fi
	[ ! -e "$STATE/$ID" ]
	ok $? "$1: the id is free again" || rt delete --force "$ID" >/dev/null 2>&1
}

# refuses_each [PREFIX]: a bundle for each "title~regex~filter" of stdin; PREFIX(filter) makes it one that is refused.
refuses_each() {
	local title regex filter
	while IFS='~' read -r title regex filter; do
		[ -n "$title" ] || continue
		bundle bad "${1:-}($filter)"
		run_rt
		refuses "$title" "$regex"
	done
}

# engine WHO STEPS...: drive a container the way an engine does; "key: value" lines in $T/WHO.out.
engine() {
	local who=$1 bin=$RT
	shift
	[ "$who" = rt ] || bin=$REF
	new_id
	rm -f "$T/$who.out" "$T/$who.err"
	timeout -k 5 $((LIMIT * 2)) python3 "$HERE/engine.py" "$bin" "$B" "$ID" "$@" </dev/null >"$T/$who.out" 2>"$T/$who.err"
	echo $? >"$T/$who.rc"
	[ "$who" = ref ] || { out=$(tr -d '\0' <"$T/rt.out") err=$(cat "$T/rt.err") rc=$(cat "$T/rt.rc"); }
}

engine_both() {
	engine ref "$@"
	engine rt "$@"
}

# value KEY: of the last engine run under RT.
value() { sed -n "s/^$1: //p" "$T/rt.out" | head -n 1; }

# ---- leaks

leak_processes() {
	[ "${LEAKS:-}" != shared ] || return 0
	ps -eo pid=,uid=,comm=,stat= | awk -v n="${RT_NAME:0:15}" '$3 ~ "^" n && $4 !~ /^Z/ { print "process", $1, $3 }'
}
leak_mounts() { awk -v t="$T" '{ print "mount", $5 }' /proc/self/mountinfo | grep -e "$T" -e "$STATE" -e coracle; }
leak_states() {
	local f
	for f in "$STATE/$PREFIX"*; do [ ! -e "$f" ] || echo "state $f"; done
}
leak_cgroups() { find /sys/fs/cgroup -type d -name "*$PREFIX*" -printf 'cgroup %p\n' 2>/dev/null; }
leak_files() {
	local f
	for f in /tmp/.coracle* /tmp/coracle-vm* /dev/shm/coracle*; do [ ! -e "$f" ] || echo "file $f"; done
}
leaks_now() { { leak_processes; leak_mounts; leak_states; leak_cgroups; leak_files; } | sort; }
leaks_begin() { leaks_now >"$T/leaks"; }

# leaks NAME: nothing is there that was not when the script began. What is dying gets 30 s.
leaks() {
	local i more
	for i in {1..60}; do
		more=$(comm -13 "$T/leaks" <(leaks_now))
		[ -n "$more" ] || break
		sleep 0.5
	done
	[ -z "$more" ]
	ok $? "$1" && return
	diag "$more"
}

# ---- the end

finish() {
	local f
	for f in "$STATE/$PREFIX"*; do
		[ ! -e "$f" ] || timeout 20 "$RT" delete --force "${f##*/}" >/dev/null 2>&1
	done
	[ "$RT" = "$REF" ] || for f in $("$REF" list -q 2>/dev/null | grep "^$PREFIX"); do
		timeout 20 "$REF" delete --force "$f" >/dev/null 2>&1
	done
	if [ -n "${KEEP:-}" ]; then echo "# kept $T"; return; fi
	mapped chmod -R u+rwX "$T" 2>/dev/null
	mapped rm -rf --one-file-system "$T"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# done_testing: the plan and the script's exit status.
done_testing() {
	leaks "nothing is left behind"
	echo "1..$tests"
	[ "$failures" = 0 ] || { diag "$failures of $tests failed"; exit 1; }
	exit 0
}
