# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# vm.sh - one emulated host: start it, reach it, end it. Everything it needs at run time is in its folder $VM:
#
#   pid port        of the emulator; the loopback port that leads to the host's sshd
#   image state     links to the layers it runs on
#   disk.qcow2      the throw-away disk
#   qmp ssh-USER    control sockets (bound by relative names: a socket's path may have 107 bytes only)
#   console qemu.log

# shellcheck source=machine.sh
. "$BED_HOME/machine.sh"

SSH=(ssh -F none -i image/key -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
	-o LogLevel=ERROR -o ConnectTimeout=5 -o ServerAliveInterval=15 -o ServerAliveCountMax=20
	-o ControlPath=ssh-%r -c aes128-gcm@openssh.com)

vm_qmp() { (cd "$VM" && python3 "$BED_HOME/qmp.py" qmp "$@"); }

# vm_alive: is the recorded process there, and is it this emulator and no other that got its number?
vm_alive() {
	local p
	p=$(cat "$VM/pid" 2>/dev/null) && [ -n "$p" ] || return 1
	[ "$(readlink "/proc/$p/cwd")" = "$VM" ] && tr '\0' '\n' <"/proc/$p/cmdline" 2>/dev/null | grep -qx coracle-bed
}

# vm_start MEMORY [ARG...]: start the emulator on $VM/disk.qcow2; MEMORY is the backend of its memory.
# It holds a shared lock on its layers, which keeps them from being removed.
vm_start() {
	local memory=$1 net=restrict=on i; shift
	[ "${BED_NET:-}" != open ] || net=restrict=off
	emulator
	rm -f "$VM"/qmp "$VM"/ssh-* "$VM/port"
	(
		cd "$VM" && exec 5<image/ 7<"$BED_STORE" 8>&- 9>&- 3>&-
		flock -s 5
		[ ! -e state ] || { exec 6<state/; flock -s 6; }
		exec 7<"$(layer emulator)"; flock -s 7
		exec setsid "${QEMU[@]}" "${MACHINE[@]}" -accel "tcg,thread=multi,tb-size=512" -object "$memory,id=ram0,size=${BED_MEM}M" \
			-netdev user,id=n0,$net,hostfwd=tcp:127.0.0.1:0-:22 -qmp unix:qmp,server=on,wait=off "$@" \
			>qemu.log 2>&1 </dev/null
	) &
	echo $! >"$VM/pid"; disown
	for ((i = 0; i < 600; i++)); do
		if [ -S "$VM/qmp" ] && vm_qmp port >"$VM/port" 2>/dev/null; then return 0; fi
		kill -0 "$(cat "$VM/pid")" 2>/dev/null || break
		sleep 0.05
	done
	tail -n 5 "$VM/qemu.log" >&2 || true
	return 1
}

# vm_master USER: have a connection that vm_ssh shares. It is made apart, so that it holds none of our descriptors.
vm_master() {
	(cd "$VM" && { "${SSH[@]}" -O check "$1@bed" 2>/dev/null ||
		"${SSH[@]}" -o ControlMaster=yes -p "$(cat port)" -o HostName=127.0.0.1 -fN "$1@bed" \
			</dev/null >/dev/null 2>&1 3>&- 8>&- 9>&-; })
}
# vm_ssh USER COMMAND: run a shell command; its exit status is returned, 255 if the host can't be reached.
vm_ssh() { (cd "$VM" && exec "${SSH[@]}" -p "$(cat port)" -o HostName=127.0.0.1 "$1@bed" "$2"); }

# vm_wait SECONDS: wait until the host lets us in.
vm_wait() {
	local end=$(($(date +%s) + $1))
	until vm_master root; do
		vm_alive && [ "$(date +%s)" -lt $end ] || return 1
		sleep 0.2
	done
}

# vm_settle: after boot and resume: the time, the scripts of opt/, and the machine that stays.
vm_settle() {
	tar -C "$BED_HOME/opt" -cf - . | vm_ssh root "date -s @$(date +%s.%N) >/dev/null; mkdir -p /opt/bed && tar -C /opt/bed --no-same-owner -xf - &&
		setsid -f python3 /opt/bed/keep-kvm.py </dev/null >/var/log/keep-kvm 2>&1"
}

vm_stop() {
	local p i u
	if vm_alive; then
		p=$(cat "$VM/pid")
		for u in root user; do [ ! -S "$VM/ssh-$u" ] || (cd "$VM" && "${SSH[@]}" -O exit "$u@bed" 2>/dev/null) || true; done
		kill "$p" 2>/dev/null || true
		for ((i = 0; i < 200; i++)); do vm_alive || break; sleep 0.05; done
		! vm_alive || kill -KILL "$p"
	fi
	rm -f "$VM"/{pid,port,qmp,disk.qcow2,image,state} "$VM"/ssh-*
}
