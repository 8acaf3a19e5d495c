#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Network: a namespace that somebody else has set up, seen from inside like under the reference; traffic both ways;
# what changes between create and start and afterwards; nothing left behind.
. "$(dirname "$0")/net.sh"
setup
BUSYBOX=$T/rootfs/bin/busybox
trap 'kill ${names:-} 2>/dev/null; net_down; finish' EXIT

# untied NAME: no tap and no redirect are left in the namespace.
untied() {
	local left i
	for i in {1..150}; do
		left=$(ip -n "$CTR" -o link show | grep coracle; ctr tc qdisc show | grep -w ingress)
		[ -n "$left" ] || break
		sleep 0.2
	done
	is "$left" "" "$1"
}

# delete_all [BUT]: the containers of this script
delete_all() { for i in $(rt list -q | grep "^$PREFIX" | grep -v -x "${1:-}"); do rt delete --force "$i"; done; }
# whether it calls out, as 0 or 1
calls='ping -c 1 -w 30 10.77.0.1 >/dev/null; echo $?'

net_up 2 77

# ---- what is seen inside

ip -n "$CTR" link set eth0 mtu 1400
ip -n "$PEER" link set v0 mtu 1400
ip -n "$CTR" addr add 10.77.0.3/24 dev eth0
ip -n "$CTR" addr add 10.99.0.1/32 dev eth0 scope link
ip -n "$CTR" addr add fd00:77:9::5/128 dev eth0 nodad
ip -n "$CTR" route add default via 10.77.0.1
ip -n "$CTR" route append default via 10.77.1.1
ip -n "$CTR" route add default via 10.77.1.1 metric 500
ip -n "$CTR" route add 192.0.2.0/24 dev eth1 src 10.77.1.2
ip -n "$CTR" route add 198.51.100.0/24 via 203.0.113.1 dev eth0 onlink
ip -n "$CTR" route add 203.0.113.0/24 via 10.77.0.1 mtu 1300
ip -n "$CTR" -6 route add default via fd00:77:0::1
ip -n "$CTR" -6 route append default via fd00:77:1::1
ip -n "$CTR" -6 route add fd00:99::/64 via fe80::1 dev eth1 metric 77
ip -n "$CTR" neigh add 10.77.0.200 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
seen='ip -o addr | sed "s/^[0-9]*: //" | sort | sed "s/^/addr /"
	ip route | sort | sed "s/^/route4 /"; ip -6 route | sort | sed "s/^/route6 /"
	ip neigh show nud permanent | sed "s/^/neighbour /"
	for i in lo eth0 eth1; do echo "$i $(cat /sys/class/net/$i/address /sys/class/net/$i/mtu | xargs)"; done
	ls /sys/class/net | xargs echo links'
net seen "$seen"
run_one ref
run_rt
# flags of duplicate address detection are not the address
sed -i 's/ flags [0-9a-f]*//; s/ tentative//' "$T/ref.out" "$T/rt.out"
same "addresses, routes, neighbours, MAC and MTU"
like "$out" 'route4 198.51.100.0/24 via 203.0.113.1' "and they are not empty"
untied "no tap and no redirect are left"

# ---- traffic

net ping 'ping -c 2 -w 30 10.77.0.1 >/dev/null; echo "v4: $?"; ping -c 2 -w 30 fd00:77:1::1 >/dev/null; echo "v6: $?"
	ping -c 1 -w 30 -s 20000 10.77.0.1 >/dev/null; echo "fragments: $?"; ping -c 1 -w 5 127.0.0.1 >/dev/null; echo "lo: $?"'
run_rt
is "$(xargs <<<"$out")" "v4: 0 v6: 0 fragments: 0 lo: 0" "ping from inside" || detail

head -c 2000000 /dev/urandom >"$T/data"
sum=$(sha256sum <"$T/data" | cut -d' ' -f1)
cat >"$T/tcp.py" <<'PY'
import socket, sys, time
how, host, port, name = sys.argv[1:]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
end = time.time() + 60
if how in ("send", "receive"):
    while True:
        s = socket.socket(family)
        try:
            s.connect((host, int(port)))
            break
        except OSError:
            s.close()
            if time.time() > end:
                raise
            time.sleep(0.1)
else:
    l = socket.socket(family)
    l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    l.bind((host, int(port)))
    l.listen()
    l.settimeout(300)
    s = l.accept()[0]
s.settimeout(300)
if how in ("send", "serve"):
    s.sendall(open(name, "rb").read())
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
else:
    with open(name, "wb") as f:
        while data := s.recv(65536):
            f.write(data)
PY
net listen 'nc -l -p 5000 </dev/null | sha256sum'
in_back rt
peer timeout 300 python3 "$T/tcp.py" send 10.77.0.2 5000 "$T/data"
wait_back
is "$(cut -d' ' -f1 "$T/back.out")" "$sum" "2 MB into a listener in the container" || diag "$(cat "$T/back.err")"
peer timeout 300 python3 "$T/tcp.py" serve 10.77.0.1 5001 "$T/data" &
net fetch 'until nc 10.77.0.1 5001 </dev/null >/got; [ -s /got ]; do sleep 0.2; done; sha256sum </got; rm /got'
run_rt
is "$(cut -d' ' -f1 <<<"$out")" "$sum" "2 MB from a server outside" || detail
wait $!
peer timeout 300 python3 "$T/tcp.py" take fd00:77:1::1 5002 "$T/got" &
cp "$T/data" "$T/rootfs/data"
net put 'until nc fd00:77:1::1 5002 </data; do sleep 0.2; done'
run_rt
wait $!
is "$(sha256sum <"$T/got" | cut -d' ' -f1)" "$sum" "2 MB to a server outside, over IPv6" || detail

# a name server: port.test has the address 10.0.HIGH.LOW, the caller's port, and every other name 192.0.2.33
cat >"$T/names.py" <<'PY'
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 53))
while True:
    d, a = s.recvfrom(2000)
    address = struct.pack("!BBH", 10, 0, a[1]) if d[12:17] == b"\4port" else b"\xc0\0\2\x21"
    s.sendto(d[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + d[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + address, a)
PY
ip netns exec "$PEER" python3 "$T/names.py" & names=$!
net udp 'for i in 1 2 3 4 5 6 7 8 9 10; do nslookup -type=a name.test 10.77.0.1 | grep -o "192.0.2.33" && break; sleep 0.5; done'
run_rt
is "$(head -n 1 <<<"$out")" 192.0.2.33 "a name server is asked by datagrams" || detail

# ---- sizes

for mtu in 68 65535; do
	ip -n "$CTR" link set eth0 mtu $mtu
	ip -n "$PEER" link set v0 mtu $mtu
	net mtu 'cat /sys/class/net/eth0/mtu; ping -c 1 -w 30 -s 5000 10.77.0.1 >/dev/null; echo $?'
	run_rt
	is "$(xargs <<<"$out")" "$mtu 0" "MTU $mtu" || detail
done
ip -n "$CTR" link set eth0 mtu 1500
ip -n "$PEER" link set v0 mtu 1500

# ---- what comes later

net late 'until [ -e /go ]; do sleep 0.2; done; ip -o -4 addr show eth2 | sed "s/.*inet //; s/ .*//"; cat /sys/class/net/eth2/mtu
	ping -c 1 -w 30 10.77.2.1 >/dev/null; echo $?'
new_id
rm -f "$T/rootfs/go"
rt create --bundle "$B" "$ID" >"$T/late.out" 2>"$T/late.err" </dev/null
is $? 0 "create" || diag "$(cat "$T/late.err")"
ip link add v2 netns "$PEER" type veth peer name eth2 netns "$CTR"
ip -n "$PEER" addr add 10.77.2.1/24 dev v2
ip -n "$PEER" link set v2 up
ip -n "$CTR" addr add 10.77.2.2/24 dev eth2
ip -n "$CTR" link set eth2 mtu 1450 up
touch "$T/rootfs/go"
rt start "$ID"
is $? 0 "start after the engine has added an interface"
until_true 60 sh -c "[ \"\$(wc -l <'$T/late.out')\" = 3 ]"
is "$(xargs <"$T/late.out")" "10.77.2.2/24 1450 0" "it is there when the process begins" || diag "$(cat "$T/late.out" "$T/late.err")"
rt delete --force "$ID"
untied "deleted by force: untied"

# its address there is one of the namespace's, which is not the guest's to keep to
net late6 'ip -o -4 addr show eth5 | sed "s/.*inet //; s/ .*//"; ip -6 addr | grep -c inet6' \
	'.linux.sysctl = {"net.ipv6.conf.all.disable_ipv6": "1"}'
new_id
rt create --bundle "$B" "$ID" >"$T/late.out" 2>"$T/late.err" </dev/null
ip link add v5 netns "$PEER" type veth peer name eth5 netns "$CTR"
ip -n "$PEER" link set v5 up
ip -n "$CTR" addr add 10.77.5.2/24 dev eth5
ip -n "$CTR" addr add fd00:77:5::2/64 dev eth5 nodad
ip -n "$CTR" link set eth5 up
rt start "$ID"
is $? 0 "disable_ipv6: start after the engine has added an interface" || diag "$(cat "$T/late.err")"
until_true 60 sh -c "[ \"\$(wc -l <'$T/late.out')\" = 2 ]"
is "$(xargs <"$T/late.out")" "10.77.5.2/24 0" "disable_ipv6: what else it has is there" || diag "$(cat "$T/late.out" "$T/late.err")"
rt delete --force "$ID"
ip -n "$PEER" link del v5

# as CNI's ptp leaves them: the neighbours are behind the peer
ip -n "$CTR" route del 10.77.0.0/24 dev eth0
ip -n "$CTR" route add 10.77.0.1 dev eth0
ip -n "$CTR" route add 10.77.0.0/24 via 10.77.0.1
ip -n "$CTR" -6 route del fd00:77::/64 dev eth0
ip -n "$CTR" -6 route add fd00:77::1 dev eth0
ip -n "$CTR" -6 route add fd00:77::/64 via fd00:77::1
net ptp '{ ip route; ip -6 route; } | grep -e "dev eth0" | grep -v -e fe80 -e ff00 | sed "s/  */ /g; s/ *$//; s/ pref .*//" | sort'
run_both
same "a prefix route that the engine took away is not there"
ip -n "$CTR" -6 route del fd00:77::/64 via fd00:77::1
ip -n "$CTR" -6 route del fd00:77::1 dev eth0
ip -n "$CTR" -6 route add fd00:77::/64 dev eth0 proto kernel metric 256
ip -n "$CTR" route del 10.77.0.0/24 via 10.77.0.1
ip -n "$CTR" route del 10.77.0.1 dev eth0
ip -n "$CTR" route add 10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.2

# an interface that can't be had, on either side, is in nobody's way
net stuck 'ip link add eth5 type dummy && echo up; until ip addr show eth0 | grep -q 10.77.0.19; do sleep 0.2; done; echo address
	until [ -e /sys/class/net/eth6 ]; do sleep 0.2; done; echo came
	ip link del eth5; until ip addr show eth5 2>/dev/null | grep -q 10.77.5.2; do sleep 0.2; done; echo both; sleep 1'
in_back rt
until_true 60 has_line up
for i in 5 6; do ip link add v$i netns "$PEER" type veth peer name eth$i netns "$CTR"; ip -n "$PEER" link set v$i up; done
ctr tc qdisc add dev eth6 ingress
for i in 5 6; do ip -n "$CTR" addr add 10.77.$i.2/24 dev eth$i; ip -n "$CTR" link set eth$i up; done
ip -n "$CTR" addr add 10.77.0.19/24 dev eth0
until_true 30 has_line address
is $? 0 "an interface whose name is taken in the guest keeps nothing else out" || diag "$(cat "$T/back.out" "$T/back.err")"
timeout 4 ip -n "$CTR" monitor link >"$T/monitor"
taps=$(grep -c 'coracle[0-9]*:' "$T/monitor")
[ "$taps" -le 40 ] # hundreds, when it is tried all the time
ok $? "one that has an ingress qdisc is tried now and then, not all the time ($taps events)"
ctr tc qdisc del dev eth6 ingress
until_true 30 has_line came
is $? 0 "and it comes when it can be had"
ip -n "$CTR" addr del 10.77.0.19/24 dev eth0
until_true 30 has_line both
is $? 0 "so does the other" || diag "$(cat "$T/back.out" "$T/back.err")"
end_back rt
for i in 5 6; do ip -n "$PEER" link del v$i; done

# a macvlan takes multicast for those only who have joined on the host: here the address is the guest's own idea
if { ip -n "$PEER" link add mv0 link v1 type macvlan mode bridge && ip -n "$PEER" link set mv0 netns "$CTR"; } 2>"$T/mv.err"; then
	ip -n "$CTR" addr add 10.77.1.9/24 dev mv0
	ip -n "$CTR" link set mv0 up
	net macvlan 'ip addr add fd00:99::5/64 dev mv0 nodad 2>/dev/null || ip addr add fd00:99::5/64 dev mv0; echo up; sleep 1000'
	in_back rt
	until_true 60 has_line up
	ip -n "$PEER" link add mv1 link v1 type macvlan mode bridge
	ip -n "$PEER" addr add fd00:99::6/64 dev mv1 nodad
	ip -n "$PEER" link set mv1 up
	until_true 20 peer "$BUSYBOX" ping -c 1 -w 2 fd00:99::5
	is $? 0 "macvlan: neighbours find the address that the guest gave itself" ||
		diag "$(ip -n "$CTR" -d link show mv0; rt exec "$ID" ip addr show mv0; cat "$T/back.err")"
	end_back rt
	is "$(ip -n "$CTR" link show mv0 | grep -c ALLMULTI)" 0 "macvlan: as it was, afterwards"
	ip -n "$CTR" link del mv0
	ip -n "$PEER" link del mv1
else
	skip "macvlan" "$(cat "$T/mv.err")"
fi

net watch 'echo up; until ip addr show eth0 | grep -q 10.77.0.9; do sleep 0.2; done; echo address
	until ip route | grep -q "192.0.2.99"; do sleep 0.2; done; echo route
	until ! [ -e /sys/class/net/eth2 ]; do sleep 0.2; done; echo gone; ls /sys/class/net | xargs
	until [ -e /sys/class/net/net7 ]; do sleep 0.2; done; until ip addr show net7 | grep -q 10.77.7.2; do sleep 0.2; done; echo came
	ping -c 1 -w 30 10.77.7.1 >/dev/null; echo "ping $?"
	until [ "$(cat /sys/class/net/net7/mtu)" = 1280 ]; do sleep 0.2; done; echo mtu
	until ! ip addr show eth0 | grep -q 10.77.0.9; do sleep 0.2; done; echo removed'
in_back rt
until_true 60 has_line up
ip -n "$CTR" addr add 10.77.0.9/24 dev eth0
until_true 30 has_line address
is $? 0 "an address added while it runs"
ip -n "$CTR" route add 192.0.2.99 via 10.77.0.1
until_true 30 has_line route
is $? 0 "a route added while it runs"
ip -n "$PEER" link del v2
until_true 30 has_line gone
is $? 0 "an interface removed while it runs"
ip link add v7 netns "$PEER" type veth peer name net7 netns "$CTR"
ip -n "$PEER" addr add 10.77.7.1/24 dev v7
ip -n "$PEER" link set v7 up
ip -n "$CTR" addr add 10.77.7.2/24 dev net7
ip -n "$CTR" link set net7 up
until_true 60 has_line "ping 0"
is $? 0 "an interface added while it runs" || diag "$(cat "$T/back.out")"
ip -n "$CTR" link set net7 mtu 1280
until_true 30 has_line mtu
is $? 0 "an MTU changed while it runs"
ip -n "$CTR" addr del 10.77.0.9/24 dev eth0
until_true 30 has_line removed
is $? 0 "an address removed while it runs"
wait_back
is "$back_rc" 0 "and it ends well" || diag "$(cat "$T/back.out" "$T/back.err")"
untied "untied after all of that"
ip -n "$PEER" link del v7

# ---- the end by force

sleeper() { # NAME: start one, its monitor's pid in $pid
	net "$1" 'echo up; sleep 1000'
	in_back rt
	until_true 60 has_line up
	pid=$(rt state "$ID" | jq .pid)
}
sleeper monitor
kill -9 "$pid"
wait_back
untied "kill -9 of the monitor: untied at once"
rt delete --force "$ID" 2>/dev/null
sleeper both
helper=$(pgrep -x coracle-net -P "$pid")
ok $? "the helper is the monitor's child"
kill -9 $helper "$pid"
wait_back
rt delete --force "$ID" 2>/dev/null
untied "kill -9 of monitor and helper: untied at the latest by delete"
net again "$calls"
run_rt
is "$out" 0 "the namespace serves the next container" || detail

# ---- what can't be

NETNS=/run/netns/nothing net bad true
run_rt
refuses "a namespace that is not there" 'linux.namespaces\[[0-9]\].path: .*nothing.*No such file'
NETNS=/etc/passwd net bad true
run_rt
refuses "a namespace that is a file" 'linux.namespaces\[[0-9]\].path: .*/etc/passwd'
sleeper first
first=$ID first_job=$back
out_of='{ ls /sys/class/net; ip -o -4 addr show dev eth0 | cut -d" " -f7 | tail -n 1; } | xargs
	ping -c 1 -w 30 10.77.0.1 >/dev/null; echo v4 $?; ping -c 1 -w 30 fd00:77:1::1 >/dev/null; echo v6 $?
	for i in "10.77.0.1 5003" "fd00:77:1::1 5004"; do
		until nc $i </dev/null >/got; [ -s /got ]; do sleep 0.2; done; sha256sum </got; rm /got; done
	for i in 10.77.0.1:53 [fd00:77:1::1]:53; do nslookup -type=a port.test $i | sed -n "s/^Address: 10/port 10/p"; done'
serve_all() {
	peer timeout 300 python3 "$T/tcp.py" serve 10.77.0.1 5003 "$T/data" & served=($!)
	peer timeout 300 python3 "$T/tcp.py" serve fd00:77:1::1 5004 "$T/data" & served+=($!)
}
want=$(printf '%s\n' "eth0 eth1 lo 10.77.0.3/24" "v4 0" "v6 0" "$sum -" "$sum -" "port 10" "port 10")
same_answers() { sed 's/^port.*/port 10/; s/  -/ -/'; }
net second "$out_of; cat /proc/sys/net/ipv4/ip_local_port_range" '.linux.sysctl = {"net.ipv4.ip_local_port_range": "1024 65535"}'
serve_all
run_rt
wait "${served[@]}"
is "$rc $(head -n -1 <<<"$out" | same_answers)" "0 $want" "a second container in the same namespace has its interfaces too, and calls out" || detail
like "$(grep port <<<"$out" | xargs)" '^port 10.0.24[01].[0-9]+ port 10.0.24[01].[0-9]+$' "from ports of its own"
is "$(tail -n 1 <<<"$out" | xargs)" "61440 61951" "which its kernel chooses from, whatever config.json says"
[[ ! $err =~ warning ]]
ok $? "and nothing is amiss" || detail
ID=$first back=$first_job
ping_first() { peer "$BUSYBOX" ping -c 1 -w 10 10.77.0.2; }
ping_first >/dev/null
is $? 0 "the first one lives on"
sleeper mate
mate=$ID mate_job=$back
rt delete --force "$first" 2>/dev/null
wait $first_job 2>/dev/null
sleep 1
serve_all
is "$(rt exec "$mate" sh -c "$out_of" 2>/dev/null | same_answers)" "$want" "the second one goes on without the first"
wait "${served[@]}"
net restarted "$calls"
run_rt
is "$out" 0 "the first one, started anew, has it again" || detail
is "$(rt exec "$mate" sh -c "$calls" 2>&1)" 0 "and the second one has still what is its own"
kill -9 $(pgrep -x coracle-net -P "$(rt state "$mate" | jq .pid)")
sleeper first
net third "$calls; cat /proc/sys/net/ipv4/ip_local_port_range"
run_rt
is "$(xargs <<<"$out")" "0 61952 62463" "a place whose helper was killed is not given to another" || detail
is "$(rt exec "$mate" sh -c "$calls" 2>&1)" 0 "and whose it is goes on"
delete_all "$mate"
wait $back
sleeper killed
kill -9 $(pgrep -x coracle-net -P "$pid") "$pid"
wait $back
net again "$calls"
run_rt
is "$out" 0 "when it was killed with its helper, the next one has it" || detail
is "$(rt exec "$mate" sh -c "$calls" 2>&1)" 0 "beside the second one"
ID=$mate back=$mate_job
rt delete --force "$ID" 2>/dev/null
kill $back 2>/dev/null
delete_all
wait_back
untied "and both are gone"
sleeper first
ip netns exec "$CTR" python3 -c 'import socket, time
s = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(8)]
for i in range(8): s[i].bind("\0coracle-net-%d" % (i + 1))
print("held", flush=True)
time.sleep(600)' >"$T/held" & holder=$!
until_true 30 grep -q held "$T/held"
net last 'ls /sys/class/net | xargs; ping -c 1 -w 5 127.0.0.1 >/dev/null; echo $?'
logged() { rt --log "$T/last.log" "$@"; }
run_one logged
out=$(cat "$T/logged.out") err=$(cat "$T/logged.err") rc=$(cat "$T/logged.rc")
kill $holder
is "$rc $(xargs <<<"$out")" "0 lo 0" "the tenth of a namespace has the loopback" || detail
like "$(cat "$T/last.log")" 'network: eth[01] is shared by 9 containers of this namespace already' "and its log says so"
is "$err" "" "which is not for a stderr that may be the container's"
delete_all
wait_back
untied "and all are gone"
ctr tc qdisc add dev eth1 ingress
net foreign true
run_rt
refuses "somebody else's ingress discipline" 'eth1: has an ingress queueing discipline'
ctr tc qdisc del dev eth1 ingress
for i in {2..65}; do ip link add v$i netns "$PEER" type veth peer name eth$i netns "$CTR"; ip -n "$CTR" link set eth$i up; done
net many true
run_rt
refuses "66 interfaces" 'room for 16 interfaces'
untied "after a failed create"
for i in {10..65}; do ip -n "$CTR" link del eth$i; done
net ten 'ls /sys/class/net | wc -l; ping -c 1 -w 30 10.77.1.1 >/dev/null; echo $?'
run_rt
is "$(xargs <<<"$out")" "11 0" "ten interfaces" || detail

# ---- no network

script none 'ls /sys/class/net; ip -o addr | sed "s/^[0-9]*: //"' '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
run_both
same "a new namespace has a loopback"

net_down
done_testing
