#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman, with the runtime under test and with the reference: the same commands, the same answers.
. "$(dirname "$0")/podman.sh"

both "run" run --rm --network none localhost/busybox sh -c 'id; pwd; exit 7'
both "no such program" run --rm --network none localhost/busybox nonesuch
both "user, directory, names, variables" run --rm --network none --user 1000:1000 --workdir /tmp --hostname box --env A=b \
	localhost/busybox sh -c 'id -u; id -g; pwd; hostname; echo "$A"'
both "read-only, tmpfs, volume" run --rm --network none --read-only --tmpfs /run -v /usr/share:/mnt:ro localhost/busybox \
	sh -c 'touch /x 2>/dev/null || echo read-only; touch /run/x && echo tmpfs; touch /mnt/x 2>/dev/null || echo read-only; ls /mnt | wc -l'
both "capabilities" run --rm --network none --cap-drop all --cap-add chown localhost/busybox grep Cap /proc/self/status
both "limits" run --rm --network none --memory 64m --cpus 1.5 --pids-limit 50 --ulimit nofile=100:200 localhost/busybox \
	sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max; ulimit -n'
both "init" run --rm --network none --init localhost/busybox sh -c 'cat /proc/1/comm'
both "network" run --rm localhost/busybox sh -c 'ip -o link | wc -l; ip route | grep -c ^default'

done_testing
