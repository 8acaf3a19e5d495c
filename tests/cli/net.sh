# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# net.sh - lib.sh for tests of the network: a namespace for the container and one for its peer. A script sources this first
# of all: without root it starts itself anew as an engine does it, in a user namespace of its own, which owns both.
if [ "$(id -u)" != 0 ]; then
	unshare --map-auto --map-root-user true 2>/dev/null || { echo "1..0 # SKIP no range of ids"; exit 0; }
	export TESTS_TMP=/var/tmp NET_ROOTLESS=1
	exec unshare --map-auto --map-root-user -m -n bash -c 'mount -t tmpfs run /run && exec bash "$0"' "$(readlink -f "$0")"
fi
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
CTR=$PREFIX-ctr PEER=$PREFIX-peer

ctr() { ip netns exec "$CTR" "$@"; }
peer() { ip netns exec "$PEER" "$@"; }

# net_down, net_up N NET: the two namespaces, joined by N pairs. Pair I is ethI (10.NET.I.2, fd00:NET:I::2) for the
# container and vI (.1, ::1) for its peer.
net_down() {
	ip netns del "$CTR" 2>/dev/null
	ip netns del "$PEER" 2>/dev/null
}
net_up() {
	local i ns
	net_down
	{ ip netns add "$PEER" && ip netns add "$CTR"; } 2>/dev/null || skip_all "no network namespaces here"
	for ((i = 0; i < $1; i++)); do
		ip link add v$i netns "$PEER" type veth peer name eth$i netns "$CTR" || return 1
		ip -n "$PEER" addr add 10.$2.$i.1/24 dev v$i
		ip -n "$PEER" addr add fd00:$2:$i::1/64 dev v$i nodad
		ip -n "$CTR" addr add 10.$2.$i.2/24 brd + dev eth$i
		ip -n "$CTR" addr add fd00:$2:$i::2/64 dev eth$i nodad
		ip -n "$PEER" link set v$i up
		ip -n "$CTR" link set eth$i up
	done
	for ns in "$PEER" "$CTR"; do ip -n "$ns" link set lo up; done
	until_true 10 settled # duplicate address detection is over
}
settled() { ! ip -n "$CTR" -6 addr show tentative | grep -q .; }

# net NAME SCRIPT [FILTER [JQ ARGUMENTS]]: a bundle that runs SCRIPT in the namespace (NETNS, or the container's).
net() {
	script "$1" "$2" '(.linux.namespaces[] | select(.type == "network")).path = $netns
		| .linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)
		| .process.capabilities |= (.bounding += $caps | .effective += $caps | .permitted += $caps)
		| '"${3:-.}" --arg netns "${NETNS:-/run/netns/$CTR}" --argjson caps '["CAP_NET_RAW", "CAP_NET_ADMIN"]' "${@:4}"
}

# in_back WHO: run $B in the background, its output in $T/back.out; wait_back: till it ends; end_back WHO: now.
in_back() {
	new_id
	rm -f "$T/back.out"
	LIMIT=900 "$1" run --bundle "$B" "$ID" >"$T/back.out" 2>"$T/back.err" </dev/null &
	back=$!
}
wait_back() { wait "$back"; back_rc=$?; }
end_back() {
	"$1" kill "$ID" KILL 2>/dev/null
	wait_back
}
has_line() { grep -qx "$1" "$T/back.out"; }
