#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# stdin, stdout and stderr: apart, complete, byte for byte, with back-pressure and ends that arrive.
# BIG is the number of megabytes written once (100).
# Only as root: who owns the streams makes no difference.
. "$(dirname "$0")/lib.sh"
setup
BIG=${BIG:-100}

# piped WHO INPUT: run $B with pipes at all three ends.
piped() {
	new_id
	rm -f "$T/$1".{out,err}
	cat "$2" | {
		"$1" run -b "$B" "$ID"
		echo $? >"$T/$1.rc"
	} 2> >(cat >"$T/$1.err"; : >"$T/$1.done") | cat >"$T/$1.out"
	until [ -e "$T/$1.done" ]; do sleep 0.05; done
	rm "$T/$1.done"
	rc=$(cat "$T/rt.rc" 2>/dev/null)
}
piped_both() { piped ref "$1"; piped rt "$1"; }

printf 'one\ntwo\nno newline at the end' >"$T/lines"
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 64)' >"$T/bytes"
head -c 4000000 /dev/urandom >"$T/random"
: >"$T/nothing"

# ---- what each kind of stdin, stdout and stderr does

script copy 'cat; echo "to stderr" >&2; exit 3'
STDIN=$T/lines run_both; same "stdin from a file"
STDIN=/dev/null run_both; same "stdin from /dev/null"
STDIN=$T/nothing run_both; same "stdin from an empty file"
piped_both "$T/lines"; same "pipes"
piped_both "$T/bytes"; same "every byte value through stdin and stdout"
is "$(sha256sum <"$T/rt.out")" "$(sha256sum <"$T/bytes")" "every byte value: unchanged"
piped rt "$T/random"
is "$(sha256sum <"$T/rt.out")" "$(sha256sum <"$T/random")" "4 MB of noise through stdin and stdout"
script apart 'i=0; while [ $i -lt 200 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done'
piped_both "$T/nothing"; same "stdout and stderr are apart, each in order"
script both 'tee /dev/stderr'
piped rt "$T/random"
is "$(sha256sum <"$T/rt.out") $(sha256sum <"$T/rt.err")" "$(sha256sum <"$T/random") $(sha256sum <"$T/random")" \
	"three streams at once"
script bin 'cat /bin/busybox >&2'
piped_both "$T/nothing"; same "a program through stderr"
script tty 'for n in 0 1 2; do [ -t $n ] && echo "$n is a terminal" || echo "$n is none"; done'
piped_both "$T/nothing"; same "isatty"
script types 'for n in 0 1 2; do stat -L -c %F /proc/self/fd/$n; done'
piped_both "$T/lines"; same "pipes are pipes"
bundle nullin '.process.args = ["stat", "-L", "-c", "%F", "/dev/stdin"]'
STDIN=/dev/null run_both; same "/dev/null is a device"

for close in '<&-' '>&-' '2>&-'; do
	rt_only "started with $close" || continue
	script closed 'echo out; echo err >&2; cat; exit 5'
	new_id
	rm -f "$T"/rt.{out,err}
	: >"$T/rt.out" >"$T/rt.err"
	case $close in
	'<&-') rt run -b "$B" "$ID" <&- >"$T/rt.out" 2>"$T/rt.err" ;;
	'>&-') rt run -b "$B" "$ID" </dev/null >&- 2>"$T/rt.err" ;;
	*) rt run -b "$B" "$ID" </dev/null >"$T/rt.out" 2>&- ;;
	esac
	# crun dies of a closed stdin or stdout, so there is nothing to compare with
	is "$? $(cat "$T/rt.out" "$T/rt.err" | xargs)" "5 $(case $close in '<&-') echo out err ;; '>&-') echo err ;; *) echo out ;; esac)" \
		"started with $close"
done

# ---- /dev/stdout can be opened again, by the container's user too

for user in 0 1000; do
	script reopen 'cat /dev/stdin; echo a >/dev/stdout; echo b >/dev/stderr; echo c >/proc/self/fd/1; echo d >/dev/fd/2;
		echo e | tee /dev/stderr' ".process.user = {uid: $user, gid: $user}"
	piped_both "$T/lines"
	same "/dev/stdin, /dev/stdout, /dev/stderr opened again as user $user"
done

# ---- ends

script eof 'echo ready; cat >/dev/null; echo end of input; exit 4'
engine_both create start until:ready send:abc sleep:0.3 eof wait output left
same_lines "the end of stdin arrives" '\.text$'
script closing 'echo ready; exec >&- 2>&-; read x; exit 6'
engine_both create start until:ready ended state eof wait
same_lines "closing stdout ends the stream while the container goes on" '\.text$|state.pid'
script quick 'echo ready; exit 0'
engine_both create start wait ended output
same_lines "the stream ends with the container" '\.text$'
script early 'head -c 1; exit 8'
new_id
timeout 120 bash -c 'yes | "$@"; echo "${PIPESTATUS[@]}"' - "$RT" run -b "$B" "$ID" >"$T/out" 2>"$T/err"
is "$(tail -c 7 "$T/out" | xargs)" "y141 8" "a writer to a container that has ended gets SIGPIPE"
script unread 'exit 0'
STDIN=$T/random run_rt; is "$rc" 0 "input that nobody reads"
script sigpipe 'yes; echo $? >/tmp/status; exit 9'
new_id
rt run -b "$B" "$ID" </dev/null 2>"$T/err" | head -c 4 >"$T/out"
is "${PIPESTATUS[0]} $(cat "$T/rootfs/tmp/status") $(xargs <"$T/out")" "9 141 y y" "the reader is gone: SIGPIPE inside"
script gone 'trap "" PIPE; echo one; sleep 3; echo two 2>/dev/null || touch /tmp/gone; exit 9'
new_id
rt run -b "$B" "$ID" </dev/null 2>"$T/err" | head -n 1 >"$T/out"
is "${PIPESTATUS[0]} $(ls "$T/rootfs/tmp/gone") $(xargs <"$T/out")" "9 $T/rootfs/tmp/gone one" "the reader is gone: the first write fails"
script background '(sleep 10; echo late) & echo early'
piped_both "$T/nothing"; same "a child that outlives pid 1 writes nothing more"

# ---- nothing is lost, nothing is held without bound

for bytes in 1 4096 65536 65537 1000003; do
	script last "head -c $bytes /dev/zero; exit 7"
	new_id
	got=$(rt run -b "$B" "$ID" </dev/null 2>/dev/null | { sleep 1; wc -c; })
	is "$got" "$bytes" "$bytes bytes just before the exit, to a slow reader"
done
script last 'head -c 150000 /dev/zero; exit 7'
new_id
got=$(rt run -b "$B" "$ID" </dev/null 2>/dev/null | { sleep 13; wc -c; })
is "$got" 150000 "... to one that does not begin for long"
script lasts 'head -c 300000 /dev/zero; head -c 300001 /dev/zero >&2; exit 7'
for i in 1 2 3; do
	piped rt "$T/nothing"
	is "$rc $(wc -c <"$T/rt.out") $(wc -c <"$T/rt.err")" "7 300000 300001" "both streams just before the exit, round $i"
done
progress() { grep . "$T/rootfs/tmp/progress" >"$T/then"; } # between two writes it is empty
# shellcheck disable=SC2016
script pressure 'i=0; while [ $i -lt 64 ]; do dd if=/dev/zero bs=262144 count=1 2>/dev/null; i=$((i+1)); echo $i >/tmp/progress; done'
rm -f "$T/rootfs/tmp/progress"
new_id
rt run -b "$B" "$ID" </dev/null 2>/dev/null | { until_true 60 progress; sleep 3; until_true 10 progress; wc -c; } >"$T/out"
is "$(cat "$T/out")" 16777216 "a slow reader gets everything"
[ "$(cat "$T/then")" -le 16 ]
ok $? "and the writer waits for it ($(cat "$T/then") of 64 blocks written before the first was read)"
script big "yes '0123456789 abcdefghijklmnopqrstuvwxyz' | head -c ${BIG}000000; exit 2"
new_id
LIMIT=600 rt run -b "$B" "$ID" </dev/null 2>"$T/err" | cmp - <(yes '0123456789 abcdefghijklmnopqrstuvwxyz' | head -c "${BIG}000000")
is "${PIPESTATUS[*]}" "2 0" "$BIG MB through stdout, unchanged" || diag "$(cat "$T/err")"

done_testing
