#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [-u USER] [PATTERN...] - run the container tests (those whose names contain a PATTERN) for the current
# user, or from root for USER; logs go to /tmp/coracle-tests/USER/.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ "${1:-}" = -u ]; then
	user=${2:?which user}
	shift 2
	uid=$(id -u "$user") || exit 1
	[ "$uid" = "$(id -u)" ] ||
		exec runuser -u "$user" -- env HOME="$(getent passwd "$user" | cut -d: -f6)" XDG_RUNTIME_DIR="/run/user/$uid" \
			DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/$uid/bus" "$here/run.sh" "$@"
fi
mkdir -p -m 1777 /tmp/coracle-tests 2>/dev/null
chmod 1777 /tmp/coracle-tests 2>/dev/null
logs=/tmp/coracle-tests/$(id -un)
rm -rf "$logs"
mkdir -p "$logs" || exit 1
scripts=()
for s in "$here"/[0-9]*.sh; do
	if [ $# = 0 ]; then scripts+=("$s"); fi
	for p; do
		case $(basename "$s") in *"$p"*) scripts+=("$s"); break ;; esac
	done
done
[ ${#scripts[@]} -gt 0 ] || { echo "run.sh: no test is called like that" >&2; exit 2; }
cd / || exit 1
# each script writes its own log; prove reads the same lines
cat >"$logs/exec" <<'RUN'
#!/bin/bash
log=${0%/*}/$(basename "$1" .sh).log
bash "$1" 2>&1 | tee "$log"
exit "${PIPESTATUS[0]}"
RUN
chmod +x "$logs/exec"
prove --timer --exec "$logs/exec" "${scripts[@]}" 2>&1 | tee "$logs/summary"
status=${PIPESTATUS[0]}
[ "$status" = 0 ] || grep -h -A 12 '^not ok' "$logs"/*.log | head -n 200
echo "logs: $logs"
exit "$status"
