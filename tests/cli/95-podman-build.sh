#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman build, podman's service and systemd units, with the runtime under test and with the reference.
. "$(dirname "$0")/podman.sh"
trap 'gone ref; gone rt; podman rmi -f "$PREFIX-ref" "$PREFIX-rt" >/dev/null 2>&1; finish' EXIT

mkdir "$T/context"
echo from the context >"$T/context/a"
cat >"$T/context/Containerfile" <<END
FROM $IMAGE
COPY a /a
RUN id -u; echo b >/b; chown 5:6 /b; chmod 4755 /b; ln -s b /link; ln /b /hard; mkfifo /fifo; mkdir -p /x/y; rm /bin/nc; mv /a /x/
RUN --mount=type=cache,target=/cache --mount=type=bind,source=a,target=/mnt/a --mount=type=tmpfs,target=/t cat /mnt/a >/from && touch /cache/f /t/f
USER 7:8
ENV WORD=said
WORKDIR /tmp/w
RUN echo \$WORD \$(id -u) \$(pwd) >/tmp/who
END
build() {
	with "$1" build -q --network none --isolation oci --no-cache -t "$PREFIX-$1" "$T/context" >/dev/null
	echo "build: $?"
	echo "files: $(with ref run --rm --network none -u 0 "$PREFIX-$1" sh -c 'cd /; stat -c "%n %a %u:%g %h %F" b link hard fifo x x/y x/a from tmp/who
		readlink link; cat from tmp/who; ls bin/nc cache t 2>/dev/null' | xargs)"
	printf 'FROM %s\nRUN echo out; exit 5\n' "$IMAGE" >"$T/$1.fails"
	with "$1" build --network none --isolation oci --no-cache -f "$T/$1.fails" "$T/context" 2>&1 | grep -c -e '^out$' -e 'exit status 5'
	echo "a step that fails: ${PIPESTATUS[0]}"
}
each "build" build

buildah_run() {
	local runtime=$RT c
	[ "$1" = rt ] || runtime=$REF
	c=$(buildah from --pull-never "$IMAGE") || return
	echo "buildah run: $(timeout 120 buildah run --isolation oci --runtime "$runtime" --network none "$c" sh -c 'echo hi; echo left >/left; exit 3'; echo $?)"
	echo "buildah run again: $(timeout 120 buildah run --isolation oci --runtime "$runtime" --network none "$c" cat /left)"
	buildah rm "$c" >/dev/null
}
each "buildah" buildah_run

# the service, as docker's clients use it
service() {
	local who=$1 name=$PREFIX-$1 runtime=$RT api
	[ "$who" = rt ] || runtime=$REF
	podman --runtime "$runtime" system service -t 0 "unix://$T/$who.sock" 2>/dev/null &
	api=$!
	until_says OK curl -s --unix-socket "$T/$who.sock" http://d/_ping || return
	remote() { timeout 120 podman --url "unix://$T/$who.sock" "$@"; }
	echo "run: $(remote run --rm --network none $IMAGE sh -c 'echo hi; exit 3'; echo $?)"
	echo "run -d: $(remote run -d --log-driver k8s-file --network none --name "$name" $IMAGE sh -c 'echo started; exec sleep 1000' >/dev/null; echo $?)"
	until_says started remote logs "$name" && echo "logs: $(remote logs "$name")"
	echo "exec: $(remote exec "$name" sh -c 'id -u; exit 4'; echo $?)"
	echo "docker's: $(curl -s --unix-socket "$T/$who.sock" "http://d/v1.41/containers/$name/json" | jq -c '[.State.Status, .State.Running, .State.Paused, .Config.Image]')"
	echo "docker's stats: $(curl -s --unix-socket "$T/$who.sock" "http://d/v1.41/containers/$name/stats?stream=false" | jq -c '[.pids_stats.current > 0, .memory_stats.usage > 0, .cpu_stats.cpu_usage.total_usage > 0]')"
	echo "stop: $(remote stop -t 1 "$name" >/dev/null; echo $?) $(remote rm "$name" >/dev/null; echo $?)"
	kill $api
	wait $api
}
if type -P curl >/dev/null; then each "service" service; else skip "service" "no curl here"; fi

# a unit that systemd takes for started when the container says so
unit() {
	local who=$1 runtime=$RT user=--user
	[ "$who" = rt ] || runtime=$REF
	[ "$UID_NOW" != 0 ] || user=--system
	timeout 120 systemd-run $user -q --unit "$PREFIX-$who" -p Type=notify -p NotifyAccess=all -p Delegate=yes -p KillMode=mixed -p TimeoutStopSec=60 \
		"$(type -P podman)" --runtime "$runtime" run --rm --cgroups=split --sdnotify=conmon -d --log-driver k8s-file --network none --name "$PREFIX-$who" $IMAGE \
		sh -c 'trap "exit 0" TERM; echo started; while :; do sleep 0.1; done'
	echo "started: $? $(systemctl $user is-active "$PREFIX-$who")"
	echo "its main process: $(cat "/proc/$(systemctl $user show -P MainPID "$PREFIX-$who")/comm")"
	until_says started with "$who" logs "$PREFIX-$who"
	timeout 120 systemctl $user stop "$PREFIX-$who"
	echo "stopped: $? $(systemctl $user is-active "$PREFIX-$who")"
	echo "removed: $(quiet with "$who" rm -f -i -t 0 "$PREFIX-$who")"
}
each "unit" unit

done_testing
