#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Network without an engine: pasta, where the host allows the annotation.
. "$(dirname "$0")/lib.sh"
setup
rt_only "pasta" || done_testing
type -P pasta >/dev/null || skip_all "no pasta here"
conf=/etc/coracle/coracle.conf
asks='.annotations["run.coracle.net"] = "pasta"'

script refused true "$asks"
if ! grep -qs '^annotations *=.*\bnet\b' $conf; then
	run_rt
	refuses "an annotation that the host does not allow" 'annotations\["run.coracle.net"\]: not allowed'
fi
if [ "$UID_NOW" = 0 ] && [ ! -e $conf ]; then
	mkdir -p /etc/coracle
	echo 'annotations = net' >$conf
	trap 'rm -f $conf; rmdir /etc/coracle 2>/dev/null; finish' EXIT
	run_rt
	refuses "as root without a user namespace" 'annotations\["run.coracle.net"\]: pasta .*user namespace'
	# only root may allow it, and only others may use it
	if id user >/dev/null 2>&1; then
		run=$(cd / && runuser -u user -- mktemp -d /var/tmp/coracle-run.XXXXXX)
		said=$(cd / && runuser -u user -- env XDG_RUNTIME_DIR="$run" HOME=/home/user bash "$0" 2>&1)
		ok $? "as an ordinary user, where the host allows it" || sed 's/^/# /' <<<"$said"
		rm -rf "$run"
	fi
	done_testing
fi
grep -qs '^annotations *=.*\bnet\b' $conf || { skip "pasta" "coracle.conf does not allow it"; done_testing; }

gateway=$(ip -4 route show default | awk '{ print $3; exit }')
device=$(ip -4 route show default | awk '{ for (i = 1; i < NF; i++) if ($i == "dev") print $(i + 1); exit }')
address=$(ip -o -4 addr show dev "$device" | awk '{ print $4; exit }')
[ -n "$gateway" ] || { skip "pasta" "this host has no default route"; done_testing; }

# pasta takes the gateway's address for the host itself
port=$((20000 + $$ % 20000))
python3 -c '
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); s.settimeout(120)
print("up", flush=True)
while True:
    c = s.accept()[0]; c.sendall(b"from the host\n"); c.close()' $port >"$T/server" &
server=$!
until_true 60 has_text "$T/server" up
for kind in new host; do
	filter=$asks
	[ $kind = new ] || filter="$asks | .linux.namespaces |= map(select(.type != \"network\"))"
	script pasta "ip -o -4 addr show $device | sed 's/.*inet //; s/ .*//'; ip route | grep -o 'default via [0-9.]*'
		for i in 1 2 3 4 5; do nc -w 10 $gateway $port </dev/null && break; done" "$filter"
	run_rt
	is "$out" "$address
default via $gateway
from the host" "pasta instead of the $kind network: address, route, and the host answers" || detail
done
kill $server 2>/dev/null
script hooks true "$asks"' | .hooks.poststart = [{path: "/bin/sh", args: ["sh", "-c", $h]}]' --arg h "echo ran >>$T/ran"
run_rt
is "$rc$(cat "$T/ran")" 0ran "poststart hooks run once"
script wrong true '.annotations["run.coracle.net"] = "bridge"'
run_rt
refuses "another word" 'annotations\["run.coracle.net"\]: "bridge" is not pasta'
script both true "$asks"' | (.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/net"'
run_rt
refuses "pasta and somebody else's namespace" 'annotations\["run.coracle.net"\]: .*somebody else'
until_true 30 sh -c "! pgrep -u $UID_NOW -x 'pasta|pasta.avx2'"
[ "$UID_NOW" = 0 ] || is "$(pgrep -u "$UID_NOW" -c -x 'pasta|pasta.avx2')" 0 "no pasta is left"

done_testing
