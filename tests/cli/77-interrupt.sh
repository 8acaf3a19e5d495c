#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ctrl-C, and what a person gets wrong: a command that is interrupted undoes what it has begun; what is wrong with
# the command line is said in one line that names it.
. "$(dirname "$0")/lib.sh"
self && skip_all "only for the runtime under test"
setup

# ---- interrupted while the container is made: nothing is left, the id is free

cat >"$T/interrupt.py" <<'PY'
import os, signal, subprocess, sys, time
name, folder, out, command = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
signal.signal(signal.SIGINT, signal.default_int_handler)
p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(out, 'w'),
                     preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
while p.poll() is None and not os.path.exists(folder + '/ctl.sock'):
    time.sleep(0.002)
p.send_signal(getattr(signal, name))
print(p.wait())
PY
# a kernel that never comes up: nothing but the signal ends it
python3 "$HERE/spin.py" "$T/spin"
bundle held '.vm = {kernel: {path: $k}}' --arg k "$T/spin"
for how in create run; do
	for name in SIGINT SIGTERM SIGHUP; do
		new_id
		rc=$(timeout 60 python3 "$T/interrupt.py" $name "$STATE/$ID" "$T/err" "$RT" $how --bundle "$B" "$ID")
		is "$rc $(cat "$T/err")" "1 coracle: $how \`$ID\`: interrupted by $name" "$how, $name: says so and fails"
		[ ! -e "$STATE/$ID" ]
		ok $? "$how, $name: the id is free again"
		leaks "$how, $name: nothing is left"
	done
done

# ---- help, and a disk that is full

for command in create run exec delete list; do
	like "$(rt $command --help)" '--help' "$command --help lists its options"
done
rt features >/dev/full 2>"$T/err"
is "$? $(wc -l <"$T/err")" "1 1" "features into a full disk: fails in one line"
like "$(cat "$T/err")" 'standard output: No space' "features into a full disk: says so"
rt list >/dev/full 2>"$T/err"
is "$? $(wc -l <"$T/err")" "1 1" "list into a full disk: fails in one line"
while IFS='|' read -r words want; do
	# shellcheck disable=SC2086
	rt $words </dev/null >/dev/null 2>"$T/err"
	is "$? $(wc -l <"$T/err")" "1 1" "'$words': fails in one line"
	like "$(cat "$T/err")" "$want" "'$words': says what"
done <<'EOF_TABLE'
--log|"--log" needs a value
--log-level|"--log-level" needs a value
--log-level loud list|unknown level "loud"
--log /nonesuch/log list|/nonesuch/log.*No such file
create -b|"-b" needs a value
create a b|exactly one container id
run --bundle /nonesuch x|bundle "/nonesuch": No such file
kill x NONESUCH|does not exist|NONESUCH
list extra|no arguments
features extra|no arguments.*features\)$
EOF_TABLE

done_testing
