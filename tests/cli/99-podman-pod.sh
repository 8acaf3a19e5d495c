#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman's pods, with the runtime under test and with the reference: members meet at 127.0.0.1, all of them call out, ports are
# published.
. "$(dirname "$0")/podman.sh"
trap 'kill $server; podman pod rm -f -t 0 "$PREFIX-ref" "$PREFIX-rt" >/dev/null 2>&1; finish' EXIT

# a server of the host's
mkdir "$T/www"
echo outside >"$T/www/index.html"
python3 -m http.server 18092 --directory "$T/www" >/dev/null 2>&1 &
server=$!
disown # no job that is waited for

# member WHO NAME SCRIPT: one that stays
member() { with "$1" run -d --log-driver k8s-file --pod "$PREFIX-$1" --name "$PREFIX-$1-$2" $IMAGE sh -c "$3" >/dev/null; }
pod() {
	local who=$1 pod=$PREFIX-$1 port=18090
	[ "$who" = rt ] || port=18091
	with "$who" pod create --name "$pod" --hostname box -p "$port:80" >/dev/null
	echo "create: $?"
	member "$who" web 'mkdir /www; echo page >/www/index.html; httpd -p 80 -h /www; nc -ll -p 7000 -e echo mate & echo started; exec sleep 1000'
	until_says started with "$who" logs "$pod-web"
	member "$who" side 'mkdir /www; echo side >/www/index.html; httpd -p 127.0.0.1:7001 -h /www; echo started; exec sleep 1000'
	until_says started with "$who" logs "$pod-side"
	until_says page with "$who" exec "$pod-side" wget -q -O - http://127.0.0.1/
	until_says mate with "$who" exec "$pod-side" sh -c 'nc 127.0.0.1 7000 </dev/null'
	echo "the second calls the first: $(with "$who" exec "$pod-side" sh -c 'wget -q -O - http://127.0.0.1/; nc 127.0.0.1 7000 </dev/null' | xargs)"
	until_says side with "$who" exec "$pod-web" wget -q -O - http://127.0.0.1:7001/
	echo "the first calls the second: $(with "$who" exec "$pod-web" wget -q -O - http://127.0.0.1:7001/)"
	echo "hostname: $(with "$who" exec "$pod-side" hostname)"
	until_says page curl -s "http://127.0.0.1:$port/"
	echo "published: $(curl -s "http://127.0.0.1:$port/")"
	for member in web side web; do
		echo "$member calls out: $(with "$who" exec "$pod-$member" sh -c 'ip route | grep -c ^default; ip -o -4 addr | wc -l
			wget -q -O - "http://$(sed -n "s/[ \t].*host.containers.internal.*//p" /etc/hosts):18092/"' | xargs)"
	done
	echo "states: $(podman pod inspect "$pod" --format '{{range .Containers}}{{.State}} {{end}}')"
	echo "pause: $(quiet with "$who" pod pause "$pod") $(podman pod inspect "$pod" --format '{{.State}}') $(quiet with "$who" pod unpause "$pod")"
	echo "stop: $(quiet with "$who" pod stop -t 2 "$pod") $(podman pod inspect "$pod" --format '{{.State}}')"
	echo "rm: $(quiet with "$who" pod rm -f -t 0 "$pod")"
}
each "pod" pod

# the same from a file
play() {
	local who=$1
	cat >"$T/$who.yaml" <<-END
	apiVersion: v1
	kind: Pod
	metadata: {name: $PREFIX-$who}
	spec:
	  restartPolicy: Never
	  containers:
	  - {name: web, image: $IMAGE, command: [sh, -c, "mkdir /www; echo page >/www/index.html; httpd -f -p 127.0.0.1:80 -h /www"]}
	  - {name: side, image: $IMAGE, command: [sh, -c, "until wget -q -O - http://127.0.0.1/; do sleep 0.2; done; exec sleep 1000"], env: [{name: A, value: b}]}
	END
	with "$who" kube play --log-driver k8s-file "$T/$who.yaml" >/dev/null
	echo "play: $?"
	until_says page with "$who" logs "$PREFIX-$who-side" && echo "the members meet: yes"
	echo "exec: $(with "$who" exec "$PREFIX-$who-side" sh -c 'echo $A')"
	echo "generate: $(podman kube generate "$PREFIX-$who" | grep -c 'image: ')"
	echo "down: $(quiet with "$who" kube down "$T/$who.yaml")"
}
each "kube" play

done_testing
