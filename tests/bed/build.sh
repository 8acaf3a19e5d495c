# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# build.sh - fill the cache: each layer that is absent or damaged is made, and old ones are removed.

# discard PATH...: remove folders of the cache, never crossing into something mounted there.
discard() { rm -rf --one-file-system -- "$@"; }

# sweep: remove what an interrupted build left behind. The caller holds the lock, so nobody is at work on it.
sweep() {
	local t
	for t in "$BED_STORE"/.tmp.*; do
		[ -d "$t" ] || continue
		[ ! -e "$t/run/pid" ] || VM=$t/run vm_stop 2>/dev/null || true
		discard "$t"
	done
}

# ensure KIND: make a layer unless it is whole.
ensure() {
	local kind=$1 dir tmp manifest log=$BED_STORE/log/$1
	dir=$(layer "$kind")
	if whole "$dir"; then return 0; fi
	[ ! -e "$dir" ] || say "$kind: damaged, is made anew"
	tmp=$(mktemp -d "$BED_STORE/.tmp.$kind.XXXXXX")
	chmod 755 "$tmp"
	say "$kind: started"
	# mmdebstrap needs the low descriptors.
	if ! "$BED_HOME/layers/$kind.sh" "$tmp" >"$log" 2>&1 </dev/null 8>&- 9>&-; then
		tail -n 30 "$log" >&2
		die "$kind failed, its log is $log"
	fi
	manifest=$(manifest "$tmp")
	printf '%s\n' "$manifest" >"$tmp/MANIFEST"
	find "$tmp" -maxdepth 1 -type f -exec chmod a-w {} +
	if [ -e "$dir" ]; then mv "$dir" "$BED_STORE/.tmp.old.$kind.$$"; fi
	mv -T "$tmp" "$dir"
	say "$kind: done ($(du -sm "$dir" | cut -f1) MiB)"
	sed -n 's/^note: //p' "$log" >&3
}

# prune KIND: keep the layer in use and the newest BED_KEEP others, and those that a running bed holds.
prune() {
	local keep d n=0
	keep=$(layer "$1")
	# shellcheck disable=SC2045 # newest first; the names are our own
	for d in $(ls -td "$BED_STORE/$1"-* 2>/dev/null); do
		[ "$d" != "$keep" ] || continue
		[ $((n += 1)) -gt "$BED_KEEP" ] || continue
		if flock -n -x "$d" true; then discard "$d"; fi
	done
}

# end_tree PID: end a process and all that it started.
end_tree() {
	local c
	for c in $(pgrep -P "$1"); do end_tree "$c"; done
	kill "$1" 2>/dev/null || true
}

# abandon: end what is being made, and remove it.
abandon() {
	local p
	for p in $(jobs -p); do end_tree "$p"; done
	wait
	sweep
}

build() {
	local side kind
	need_tools mmdebstrap qemu-img mke2fs ssh ssh-keygen python3 flock tar
	mkdir -p "$BED_STORE/log"
	chmod 700 "$BED_STORE"
	exec 9>"$BED_STORE/lock"
	flock -n 9 || { say "waits for another build"; flock 9; }
	sweep
	if built; then say "everything is there"; return; fi
	if whole "$(layer image)"; then need_disk "$BED_STORE" 4096; else need_disk "$BED_STORE" 9216; fi
	need_memory $((BED_MEM + 512))
	trap abandon EXIT
	trap 'exit 130' INT TERM HUP
	# In the background, so that a signal is heeded at once.
	(ensure emulator && ensure rootfs) &
	side=$!
	ensure image &
	wait $! || exit 1
	wait "$side" || exit 1
	ensure state &
	wait $! || {
		# The emulator has its moods under heavy load: one more try.
		say "state: once more"
		ensure state &
		wait $! || exit 1
	}
	for kind in emulator image rootfs state; do prune $kind; done
	sweep
	trap - EXIT INT TERM HUP
	exec 9>&-
	say "built"
}
