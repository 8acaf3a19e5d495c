# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# podman.sh - lib.sh for tests of podman: the same commands with the runtime under test and with the reference.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
type -P podman >/dev/null || skip_all "no podman here"
podman image exists localhost/busybox || skip_all "no image localhost/busybox in this user's store"
leaks_begin
cd / || exit 1
IMAGE=localhost/busybox

# with WHO ARGUMENTS...: podman with the reference (ref) or with the runtime under test (rt). @ in an argument is WHO.
# BY_NAME=1: as containers.conf calls it, and not by path.
with() {
	local who=$1 runtime=$RT
	shift
	[ "$who" = rt ] || runtime=$REF
	[ -z "${BY_NAME:-}" ] || runtime=${runtime##*/}
	timeout -k 5 "${PODMAN_LIMIT:-120}" podman --runtime "$runtime" "${@//@/$who}"
}

# typed WORD COMMAND...: run it on a terminal, where WORD is typed; its status is a last line. How often a terminal shows
# WORD, and what it shows of script's own end of file, depends on who is first.
typed() {
	printf '%s\n' "$1" | command script -qec "$2" /dev/null | tr -d '\b\r' | sed -e 's/\^[@D]//g' -e "/^$1\$/d"
	echo "status: ${PIPESTATUS[1]}"
}

# pair FUNCTION ARGUMENTS...: both at once, with ref and rt as first argument; $T/WHO.out, .err and .rc.
pair() {
	local who
	for who in ref rt; do
		( "$1" $who "${@:2}" <"${STDIN:-/dev/null}" >"$T/$who.out" 2>"$T/$who.err"; echo $? >"$T/$who.rc" ) &
	done
	wait
}

# both NAME ARGUMENTS...: one command with each; output and status agree
both() {
	local bad= who
	pair with "${@:2}"
	is "$(cat "$T/rt.rc")" "$(cat "$T/ref.rc")" "$1: status" || bad=1
	is "$(tr -d '\r' <"$T/rt.out")" "$(tr -d '\r' <"$T/ref.out")" "$1: output" || bad=1
	[ -z "$bad" ] || for who in ref rt; do diag "$who: $(cat "$T/$who.rc"): $(head -c 600 "$T/$who.err" | tr '\n' '|')"; done
}

# both_run NAME ARGUMENTS...: podman run --rm without a network
both_run() { both "$1" run --rm --network none "${@:2}"; }

# alive WHO: its container runs; if not, what there is to know of its end goes to $T/WHO.why, once. For between two steps.
alive() {
	local name=$PREFIX-$1
	[ "$(field "$1" '{{.State.Status}}' 2>&1)" != running ] && [ ! -e "$T/$1.why" ] || return 0
	{
		echo "$name does not run any more, ${*:2}"
		field "$1" '{{json .State}}'
		with "$1" logs --tail 5 "$name"
		cat "$(dirname "$(field "$1" '{{.ConmonPidFile}}')")/oci-log"   # the runtime's last words
		if [ "$UID_NOW" = 0 ]; then
			journalctl -q -b --no-pager -n 200 -o cat -t "$RT_NAME" -t conmon -t podman | grep -v -e 'container [a-z]* [0-9a-f]* ' | tail -n 15
			dmesg | tail -n 15
		fi
		free -m | sed -n 2p
	} >"$T/$1.why" 2>&1
}

# why: what alive found, as comments
why() {
	local f
	for f in "$T"/*.why; do
		[ ! -e "$f" ] || cut -c1-300 "$f" | sed 's/^/# /'
		rm -f "$f"
	done
}

# each TITLE FUNCTION ARGUMENTS...: "key: value" lines of a function that gets ref or rt; a test for each line
each() {
	pair "${@:2}"
	same_lines "$1"
	why
}

# until_says WORDS COMMAND...: wait till the command's output has WORDS in it (a minute and a half)
until_says() {
	local end=$((SECONDS + 90))
	while [ $SECONDS -lt $end ]; do
		[[ $("${@:2}" 2>&1) == *"$1"* ]] && return 0
		sleep 0.3
	done
	echo "never said \"$1\": ${*:2}" >&2
	return 1
}

# stays WHO ARGUMENTS...: start a container that stays, with logs that an ordinary user may read without a journal
stays() {
	with "$1" run -d --log-driver k8s-file --name "$PREFIX-$1" "${@:2}" >/dev/null
}

# gone WHO: its container and what belongs to it
gone() { with "$1" rm -f -t 0 -v "$PREFIX-$1" >/dev/null 2>&1; }

# field WHO FORMAT: of inspect, of its container; status WHO; quiet COMMAND...: its exit status
field() { podman inspect --format "$2" "$PREFIX-$1"; }
# between its end and its cleanup podman calls a container stopped
status() { field "$1" '{{.State.Status}} {{.State.ExitCode}}' | sed 's/^stopped/exited/'; }
quiet() { "$@" >/dev/null 2>&1; echo $?; }
