#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Volumes, mounts and user namespaces of podman run, with the runtime under test and with the reference.
. "$(dirname "$0")/podman.sh"

mkdir "$T/vol-ref" "$T/vol-rt"
echo kept | tee "$T/vol-ref/old" >"$T/vol-rt/old"
chmod 755 "$T"; chmod 777 "$T"/vol-*

printf 'one\ntwo\n' >"$T/in"

# ---- user namespaces

IDS='id -u; id -g; echo x >/mnt/@; stat -c %u:%g /mnt/@ /etc/hosts; cat /etc/hosts | wc -l'
ids() { chmod 777 "$T"/vol-*; both_run "$1" -v "$T/vol-@:/mnt" "${@:2}" $IMAGE sh -c "$IDS"; is "$(stat -c %u:%g "$T/vol-rt/rt")" "$(stat -c %u:%g "$T/vol-ref/ref")" "$1: on the host"; rm -f "$T"/vol-*/r[et]*; }
ids "mapped ids" --uidmap 0:1:500 --gidmap 0:1:500
if [ "$UID_NOW" != 0 ]; then
	ids "keep-id" --userns keep-id
	ids "keep-id with another number" --userns keep-id:uid=200,gid=210
	ids "nomap" --userns nomap
	both_run "auto" --userns auto $IMAGE sh -c 'id -u; cat /etc/hosts | wc -l'
fi

# ---- files

both_run "volumes" -v "$T/vol-@:/mnt" -v "$T/in:/etc/in:ro" --mount type=tmpfs,destination=/run/t,tmpfs-size=64k --tmpfs /run/u:size=32k,mode=700 $IMAGE \
	sh -c 'cat /mnt/old /etc/in; echo new >/mnt/new; echo x 2>/dev/null >/etc/in || echo read-only; stat -f -c "%b %S" /run/t /run/u; ls -ld /run/u | cut -c1-10'
is "$(cat "$T/vol-rt/new")" new "volumes: what was written is on the host"
is "$(stat -c %u:%g "$T/vol-rt/new")" "$(stat -c %u:%g "$T/vol-ref/new")" "volumes: whose it is"
both_run "a volume's overlay" -v "$T/vol-@:/mnt:O" $IMAGE sh -c 'echo over >/mnt/over; rm /mnt/old; ls /mnt'
is "$(ls "$T/vol-rt")" "$(ls "$T/vol-ref")" "a volume's overlay: nothing on the host"
both_run "a volume given away" -v "$T/vol-@:/mnt:U" -u 7:8 $IMAGE sh -c 'ls -ldn /mnt /mnt/old | tr -s " " | cut -d " " -f 1,3,4,9; echo x >/mnt/mine && echo written'
is "$(stat -c %u:%g "$T/vol-rt/old")" "$(stat -c %u:%g "$T/vol-ref/old")" "a volume given away: on the host"
both_run "named volumes" -v "$PREFIX-@:/etc" -v /anonymous --mount type=volume,destination=/srv/v,ro $IMAGE \
	sh -c 'grep -c root /etc/passwd; touch /anonymous/x && echo written; touch /srv/v/x 2>/dev/null || echo read-only'
both_run "named volumes: what was there" -v "$PREFIX-@:/mnt:ro" $IMAGE sh -c 'grep -c root /mnt/passwd; touch /mnt/x 2>/dev/null || echo read-only'
podman volume rm "$PREFIX-ref" "$PREFIX-rt" >/dev/null
both_run "an image as a mount" --mount type=image,source=$IMAGE,destination=/mnt $IMAGE sh -c 'ls /mnt; touch /mnt/x 2>/dev/null || echo read-only'
both_run "read-only with places to write" --read-only $IMAGE sh -c 'touch /x 2>/dev/null || echo no; for d in /tmp /run /var/tmp /dev/shm; do touch $d/x && echo $d; done'
both_run "read-only without" --read-only --read-only-tmpfs=false $IMAGE sh -c 'for d in / /tmp /run /var/tmp; do touch $d/x 2>/dev/null || echo not $d; done'
for who in ref rt; do printf 'word' | podman secret create "$PREFIX-$who" - >/dev/null; done
both_run "secrets" --secret "$PREFIX-@,mode=0400,uid=5,target=word" -u 5 $IMAGE sh -c 'cat /run/secrets/word; ls -ln /run/secrets/word | tr -s " " | cut -d " " -f 1,3,4'
podman secret rm "$PREFIX-ref" "$PREFIX-rt" >/dev/null

done_testing
