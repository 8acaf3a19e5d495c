#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman's networks, with the runtime under test and with the reference: none, pasta, slirp4netns, bridges, ports.
. "$(dirname "$0")/podman.sh"
trap 'gone ref; gone rt; podman network rm -f "$PREFIX-a" "$PREFIX-b" >/dev/null 2>&1; finish' EXIT

# what a container sees that is the same for any two of a network
# pasta adds a second, equal route for its link
LOOK='ip -o link | awk "{ print \$2, \$5 }" | sed "s/.if[0-9]*:/:/" | sort; ip -o -4 addr | wc -l; ip route | sed "s/ src .*//" | sort -u | wc -l; ip route | grep -c ^default; wc -l </etc/resolv.conf'
# ... and for the only one
LOOK_CLOSE="$LOOK; ip -o -4 addr show scope global | awk '{ print \$2, \$4 }'; ip route | grep ^default; cat /etc/resolv.conf"

both "none" run --rm --network none $IMAGE sh -c "$LOOK"
if [ "$UID_NOW" != 0 ]; then
	both "pasta" run --rm --network pasta $IMAGE sh -c "$LOOK_CLOSE"
	both "pasta's options" run --rm --network pasta:-I,net7,-a,192.0.2.9,-n,24,-g,192.0.2.1 $IMAGE sh -c "$LOOK_CLOSE"
	both "slirp4netns" run --rm --network slirp4netns $IMAGE sh -c "$LOOK_CLOSE"
	both "pasta and mapped ids" run --rm --network pasta --userns keep-id $IMAGE sh -c "$LOOK_CLOSE"
	done_testing
fi

# the host's network: there is none of it in a machine, and one is told so
with rt run --rm --network host $IMAGE sh -c 'ip -o link | grep -c -v lo:' >"$T/rt.out" 2>"$T/rt.err"
rt_only "the host's network" && is "$(cat "$T/rt.out")" 0 "the host's network: nothing but a loopback"

both "a bridge" run --rm $IMAGE sh -c "$LOOK"
podman network create "$PREFIX-a" >/dev/null
podman network create --ipv6 "$PREFIX-b" >/dev/null
both "two networks" run --rm --network "$PREFIX-a" --network "$PREFIX-b" $IMAGE sh -c "$LOOK; ip -o -6 addr show scope global | wc -l"
one() {
	with "$1" run --rm --network "$PREFIX-a:ip=$2,mac=02:00:00:00:00:09,interface_name=lan" $IMAGE \
		sh -c 'ip -o -4 addr show lan | awk "{ print \$4 }"; cat /sys/class/net/lan/address'
}
subnet=$(podman network inspect "$PREFIX-a" --format '{{(index .Subnets 0).Subnet}}')
is "$(one rt "${subnet%.*}.77")" "$(one ref "${subnet%.*}.77")" "a given address"

# a server with a published port, other networks while it runs, and a container that talks to it
# ask ADDRESS PORT: what a server there says
ask() { timeout 30 python3 -c 'import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
s.sendall(b"ping\n"); s.shutdown(1); print(s.makefile().read().strip())' "$@" 2>&1; }
ask_udp() { timeout 60 python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2)
for i in range(20):
    s.sendto(b"ping\n", (sys.argv[1], int(sys.argv[2])))
    try: print(s.recv(100).decode().strip()); break
    except OSError: pass' "$@" 2>&1; }
server() {
	local who=$1 name=$PREFIX-$1 port=18080 address host
	[ "$who" = ref ] || port=18082   # the reference's may still be held
	host=$(ip -o -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
	stays "$who" --network "$PREFIX-a" -p "$port:80" -p "$((port + 1)):81/udp" $IMAGE \
		sh -c 'nc -ll -p 80 -e sh -c "read x; echo tcp \$x" & nc -u -ll -p 81 -e sh -c "read x; echo udp \$x" & echo started; wait'
	until_says started with "$who" logs "$name"
	address=$(podman inspect --format "{{(index .NetworkSettings.Networks \"$PREFIX-a\").IPAddress}}" "$name")
	until_says "tcp ping" ask "$address" 80 && echo "its address: $(ask "$address" 80)"
	echo "published: $(ask "${host:-127.0.0.1}" "$port")"
	echo "published for 127.0.0.1: $(ask 127.0.0.1 "$port")"
	echo "published datagrams: $(ask_udp "${host:-127.0.0.1}" $((port + 1)))"
	echo "port: $(podman port "$name" 80 | sed "s/$port/N/")"
	echo "another container: $(with "$who" run --rm --network "$PREFIX-a" $IMAGE sh -c "echo ping | nc -w 20 $address 80")"
	# the name server is told of who is new, but not waited for
	echo "another container, by name: $(with "$who" run --rm --network "$PREFIX-a" $IMAGE sh -c "for i in 1 2 3 4 5 6; do echo ping | nc -w 20 $name 80 && break; sleep 1; done")"
	echo "ping: $(quiet with "$who" run --rm --cap-add net_raw --network "$PREFIX-a" $IMAGE sh -c "ping -c 1 -w 30 $address && ping -c 1 -w 30 ${subnet%.*}.1")"
	echo "interfaces: $(with "$who" exec "$name" sh -c 'ls /sys/class/net' | xargs)"
	podman network connect "$PREFIX-b" "$name"
	until_says eth1 with "$who" exec "$name" sh -c 'ip -o -6 addr show dev eth1 scope global | grep -v tentative'
	until_says eth1 with "$who" exec "$name" ip -o -4 addr && echo "connected: $(with "$who" exec "$name" sh -c 'ip -o -4 addr | wc -l; ls /sys/class/net' | xargs)"
	address=$(podman inspect --format "{{(index .NetworkSettings.Networks \"$PREFIX-b\").GlobalIPv6Address}}" "$name")
	echo "by IPv6: $(with "$who" run --rm --network "$PREFIX-b" $IMAGE sh -c "echo ping | nc -w 20 $address 80")"
	podman network disconnect "$PREFIX-b" "$name"
	until_says "eth0 lo ." with "$who" exec "$name" sh -c 'echo $(ls /sys/class/net) .' && echo "disconnected: yes"
	podman network reload "$name" >/dev/null; echo "reloaded: $(ask "${host:-127.0.0.1}" "$port")"
	echo "stats: $(with "$who" stats --no-stream --format '{{.NetIO}}' "$name" | grep -c '[1-9].*B / .*[1-9].*B')"
	with "$who" restart -t 0 "$name" >/dev/null 2>&1
	until_says "tcp ping" ask "${host:-127.0.0.1}" "$port" && echo "restarted: $(ask "${host:-127.0.0.1}" "$port")"
	gone "$who"
}
for who in ref rt; do
	server $who >"$T/$who.out" 2>"$T/$who.err"
	echo 0 >"$T/$who.rc"
done
same_lines "a server"

done_testing
