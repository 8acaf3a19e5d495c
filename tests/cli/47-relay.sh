#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Connections that begin inside the container's network namespace reach the guest, and the guest's reach what listens
# in the namespace: TCP and UDP, IPv4 and IPv6, the loopback and the container's own addresses.
# Only as root: the user's run is root in a namespace of its own.
. "$(dirname "$0")/net.sh"
setup debian
[ -e "$T/rootfs/usr/bin/python3" ] || skip_all "no python3 in the Debian root file system"

servers=()
end_servers() {
	[ ${#servers[@]} = 0 ] || kill "${servers[@]}" 2>/dev/null
	servers=()
}
trap 'end_servers; for i in $(rt list -q | grep "^$PREFIX"); do rt delete --force "$i"; done; net_down; finish' EXIT

# asker NAME SCRIPT: net, with relay.py in it
asker() {
	net "$1" "$2" '.mounts += [{destination: "/relay.py", type: "bind", source: $py, options: ["bind", "ro"]}]' \
		--arg py "$HERE/relay.py"
}

# ask SPEC... (relay.py): what servers answer to who calls in the namespace; `quick` does not try again
ask() { ctr timeout 200 python3 "$HERE/relay.py" ask 60 "$@" | tail -n 1 | sed 's/^[^ ]* [0-9]*: //'; }
quick() { ctr timeout 60 python3 "$HERE/relay.py" ask 0 "$@" | sed 's/^[^ ]* [0-9]*: //'; }
# serve SPEC...: in the namespace
serve() {
	rm -f "$T/served"
	ip netns exec "$CTR" python3 "$HERE/relay.py" serve "$@" >"$T/served" &
	servers+=($!)
	until_true 60 grep -q up "$T/served"
}
# inside SPEC...: a bundle that serves them in the guest
inside() { asker inside "exec python3 /relay.py serve $*"; }

net_up 1 78

# ---- what listens in the guest, called from the namespace

inside tcp,0.0.0.0,80,any4 tcp,127.0.0.1,81,loop4 tcp,10.78.0.2,82,own4 tcp,::,83,any6 tcp,::1,84,loop6 \
	udp,0.0.0.0,53,dany4 udp,127.0.0.1,54,dloop4 udp,0.0.0.0,64738,dhigh
answering='tcp,127.0.0.1,80 tcp,10.78.0.2,80 tcp,127.0.0.1,81 tcp,10.78.0.2,82 tcp,::1,83 tcp,127.0.0.1,83 tcp,10.78.0.2,83
	tcp,fd00:78::2,83 tcp,::1,84 udp,127.0.0.1,53 udp,10.78.0.2,53 udp,127.0.0.1,54 udp,127.0.0.1,64738'
refusing='tcp,10.78.0.2,81 tcp,127.0.0.1,82 tcp,::1,80 tcp,127.0.0.1,84'
call_all() { # RUNTIME
	in_back "$1"
	until_true 120 has_line up
	# shellcheck disable=SC2086
	ctr timeout 300 python3 "$HERE/relay.py" ask 60 $answering 2>&1
	# shellcheck disable=SC2086
	ctr timeout 100 python3 "$HERE/relay.py" ask 0 $refusing 2>&1
	end_back "$1"
}
want=$(call_all ref)
like "$want" 'fd00:78::2 83: any6 hello' "the reference can be called"
is "$(call_all rt)" "$want" "and so can the guest: every address, and no other" || diag "$(cat "$T/back.err")"

# bytes, both ways at once, half-closes, many callers
head -c 3000000 /dev/urandom >"$T/data"
inside tcp,0.0.0.0,90,echo
in_back rt
until_true 120 has_line up
until_true 60 sh -c "ip netns exec $CTR ss -ltn | grep -q :90"
for callers in 1 8; do
	is "$(ctr timeout 200 python3 "$HERE/relay.py" bulk tcp,127.0.0.1,90 "$T/data" $callers 2>&1)" "$callers True" \
		"3 MB each from $callers callers, both ways at once"
done
ctr timeout 200 python3 "$HERE/relay.py" leave tcp,127.0.0.1,90 40
is "$(ask tcp,127.0.0.1,90,after)" after "callers that leave without reading harm nobody"
mirror=$(pgrep -x coracle-mirror -P "$(rt state "$ID" | jq .pid)")
ok $? "a process of the monitor's does it"
caps=$(grep CapEff "/proc/$mirror/status" | cut -f2)
is "$caps" 0000000000000400 "with the right to low ports alone"
is "$(sed -n 's/^\(NoNewPrivs\|Seccomp\):\t//p' "/proc/$mirror/status" | xargs)" "1 2" "and with few system calls"
# ports come and go with who listens
is "$(quick tcp,127.0.0.1,91)" nothing "nobody listens at another port"
rt exec "$ID" sh -c 'python3 /relay.py serve tcp,127.0.0.1,91,later >/dev/null 2>&1 & echo $! >/pid'
is "$(ask tcp,127.0.0.1,91,x)" "later x" "one that begins to listen later"
rt exec "$ID" sh -c 'kill -9 $(cat /pid)'
until_true 60 sh -c "! ip netns exec $CTR ss -ltn | grep -q :91"
is $? 0 "and that ends: the port is free again"
# somebody else has the port first
serve tcp,127.0.0.1,92,namespace
rt exec "$ID" sh -c 'python3 /relay.py serve tcp,10.78.0.2,92,guest >/dev/null 2>&1 &'
is "$(ask tcp,10.78.0.2,92,x)" "guest x" "an address of the guest's beside one of the namespace's"
is "$(ask tcp,127.0.0.1,92,x)" "namespace x" "which is left alone"
end_servers
end_back rt
until_true 60 sh -c "! kill -0 $mirror"
is $? 0 "the process ends with the container"

# ---- what listens in the namespace, called by the guest

serve tcp,127.0.0.11,53,resolver udp,127.0.0.11,53,resolver tcp,127.0.0.1,7001,mate tcp,::1,7002,mate6 tcp,0.0.0.0,7003,every \
	udp,127.0.0.1,7004,datagram
asker outside 'python3 /relay.py ask 0 udp,127.0.0.11,53 tcp,127.0.0.11,53 tcp,127.0.0.1,7001 tcp,::1,7002 tcp,127.0.0.1,7003 udp,127.0.0.1,7004 tcp,127.0.0.1,7009'
run_one ref
run_rt
same "a resolver, servers and nobody in the namespace: as the reference sees them, from the first moment" || detail
like "$out" '127.0.0.11 53: resolver hello' "and they do answer"
end_servers

# an engine's resolver: at a port of its own, with a rule that leads port 53 there
if ctr iptables -t nat -A OUTPUT -d 127.0.0.11 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:33333 2>/dev/null; then
	serve udp,127.0.0.11,33333,engine
	asker dns 'python3 /relay.py ask 0 udp,127.0.0.11,53'
	run_rt
	is "$out" "127.0.0.11 53: engine hello" "a resolver behind a packet rule" || detail
	end_servers
else
	skip "a resolver behind a packet rule" "no iptables here"
fi

# ---- two containers in one namespace, as in a pod

mates='tcp,127.0.0.1,7101 tcp,127.0.0.1,7102 udp,127.0.0.1,7103'
two() { # RUNTIME
	inside tcp,127.0.0.1,7101,loop tcp,0.0.0.0,7102,any udp,127.0.0.1,7103,datagram
	in_back "$1"
	until_true 120 has_line up
	asker second "python3 /relay.py ask 60 $mates"
	"$1" run --bundle "$B" "$PREFIX-second" 2>"$T/second.err"
	rm -f "$T/third.out"
	asker third 'exec python3 /relay.py serve tcp,127.0.0.1,7111,second tcp,0.0.0.0,7112,second_any'
	LIMIT=900 "$1" run --bundle "$B" "$PREFIX-third" >"$T/third.out" 2>/dev/null </dev/null &
	until_true 120 has_text "$T/third.out" up
	"$1" exec "$ID" python3 /relay.py ask 60 tcp,127.0.0.1,7111 tcp,127.0.0.1,7112
	"$1" kill "$PREFIX-third" KILL 2>/dev/null
	wait $!
	end_back "$1"
}
want=$(two ref 2>&1)
like "$want" '7103: datagram hello' "the reference's can call each other"
is "$(two rt 2>&1)" "$want" "and so can two machines of one namespace" || diag "$(cat "$T/second.err" "$T/back.err")"

# it comes between create and start
asker late 'python3 /relay.py ask 0 udp,127.0.0.11,54'
new_id
rt create --bundle "$B" "$ID" >"$T/late.out" 2>"$T/late.err" </dev/null
serve udp,127.0.0.11,54,late
rt start "$ID"
until_true 120 sh -c "[ -s '$T/late.out' ]"
is "$(cat "$T/late.out")" "127.0.0.11 54: late hello" "a resolver that comes between create and start is there for the first question"
rt delete --force "$ID"
end_servers

# ---- the channel to the host: processes of the container can make vsock sockets, too

net thief 'exec python3 /thief.py' '.mounts += [{destination: "/thief.py", type: "bind", source: $py, options: ["bind", "ro"]}]
	| .process.user = {uid: 65534, gid: 65534}' --arg py "$HERE/thief.py"
in_back rt
until_true 120 has_line up
said=
for i in $(seq 10); do
	said+="$(echo "word $i" | timeout 60 "$RT" exec "$ID" sh -c 'cat; exit 7' 2>&1) $?, "
done
is "$said" "$(printf 'word %d 7, ' $(seq 10))" "an exec's stdin and status, while a process calls the host in the init's place"
is "$(grep stolen "$T/back.out")" "" "which the host takes for nobody"
end_back rt

done_testing
