#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""in-bed.py - in the bed: measure coracle and its peers in turns.

    in-bed.py prepare FOLDER                   # root file system and bundles; as the user who measures
    in-bed.py user FOLDER OUT [ROUNDS]         # what is seen from outside and from inside; as that user
    in-bed.py root FOLDER OUT [ROUNDS]         # what only root may see: memory and exits; programs run as uid 1000
    in-bed.py network FOLDER OUT [ROUNDS]      # containers on a network that is made here; as root
    in-bed.py podman FOLDER OUT [ROUNDS]       # containers that podman starts; as that user
    in-bed.py merge OUT IN...                  # several results as one

Results are arrays of {metric, unit, program, p50, p90, samples}. Within a round each program runs once, in an order
that changes from round to round, so what disturbs one disturbs all. A program that isn't there or fails is left out and
named on stderr; without coracle's figures the exit status is 1.

Environment: CORACLE (/opt/coracle/coracle), BENCH_ONLY (programs, separated by blanks).
"""
import json, mmap, os, pwd, random, select, shutil, signal, subprocess, sys, time

CORACLE = os.environ.get("CORACLE", "/opt/coracle/coracle")
KERNEL = "/opt/bed/vmlinux"
QVM = "/opt/bed/qvm.sh"
KVM_STATS = "/sys/kernel/debug/kvm"
UID = 1000
WARM_UPS = 2
LIMIT = 120             # seconds that one run may take
DIRS, FILES = 20, 100   # inside.c looks at as many
FILE_MIB = 64
TOUCH_MIB = 768         # what all that runs here at once may use
GUEST_RAM_KIB = 32 << 10  # no mapping of a VMM's own is as large
here = os.path.dirname(os.path.abspath(__file__))


def say(*words):
    print("bench:", *words, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- bundles

def prepare(folder):
    """A root file system that all share, and a bundle for each command; all namespaces are new, the network's too."""
    root = f"{folder}/rootfs"
    os.makedirs(f"{root}/bench")
    subprocess.run(["tar", "-C", root, "-xf", "/opt/bed/busybox.tar", "--exclude=./dev/*"], check=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", f"{root}/bench/inside", f"{here}/inside.c"], check=True)
    take_program("/usr/bin/iperf3", root, "libgcc_s.so.1")
    with open(f"{root}/etc/protocols", "w") as f:
        f.write("tcp 6 TCP\nudp 17 UDP\n")  # iperf3 looks them up, and crashes without
    with open(f"{root}/bench/network", "w") as f:
        f.write(NETWORK_SCRIPT)
    os.chmod(f"{root}/bench/network", 0o755)
    for d in range(DIRS):
        os.makedirs(f"{root}/bench/tree/d{d:02}")
        for f in range(FILES):
            open(f"{root}/bench/tree/d{d:02}/f{f:02}", "w").close()
    for name in "whole", "parts":
        with open(f"{root}/bench/{name}", "wb") as f:
            for _ in range(FILE_MIB):
                f.write(random.randbytes(1 << 20))
    os.sync()
    for kind in "plain", "gvisor":
        for name, args in COMMANDS.items():
            bundle(folder, kind, name, args)


def take_program(path, root, *more):
    """A program of the host's, the libraries it is linked to, and more that it loads later."""
    said = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
    libraries = [word for line in said.splitlines() for word in line.split() if word.startswith("/")]
    libraries += [os.path.join(os.path.dirname(libraries[0]), name) for name in more]
    for name in [path, *libraries]:
        os.makedirs(root + os.path.dirname(name), exist_ok=True)
        shutil.copy(name, root + name)


COMMANDS = {
    "true": ["true"],
    "stay": ["sleep", "100000"],
    "first": ["/bench/inside", "first"],
    "stat": ["/bench/inside", "stat", "/bench/tree"],
    "read": ["/bench/inside", "read", "/bench/whole", "/bench/parts"],
}


def bundle(folder, kind, name, args):
    where = f"{folder}/{kind}-{name}"
    os.makedirs(where)
    os.symlink("../rootfs", f"{where}/rootfs")
    subprocess.run(["crun", "spec", "--rootless"], cwd=where, check=True)
    with open(f"{where}/config.json") as f:
        spec = json.load(f)
    spec["process"]["terminal"] = False
    spec["process"]["args"] = args
    spec["root"] = {"path": f"{folder}/rootfs", "readonly": False}
    spec["linux"].pop("resources", None)
    for ids, own in ("uidMappings", os.getuid()), ("gidMappings", os.getgid()):
        spec["linux"][ids] = [{"containerID": 0, "hostID": own, "size": 1}]
    if kind == "gvisor":  # runsc --rootless makes a user namespace of its own
        spec["linux"].pop("uidMappings", None)
        spec["linux"].pop("gidMappings", None)
        spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] != "user"]
    with open(f"{where}/config.json", "w") as f:
        json.dump(spec, f, indent=1)


# ---------------------------------------------------------------- programs

class Failed(Exception):
    pass


class Oci:
    """An OCI runtime: run a bundle, output on its stdout."""

    def __init__(self, name, command, kind="plain"):
        self.name, self.command, self.kind = name, command, kind
        self.runs = 0

    def there(self):
        return shutil.which(self.command[0]) is not None

    def argv(self, folder, what, *options):
        self.runs += 1
        return [*self.command, "run", *options, "--bundle", f"{folder}/{self.kind}-{what}",
                f"bench-{os.getpid()}-{self.runs}"]

    def output(self, folder, log):
        return log


class Qemu:
    """QEMU's microvm: no OCI, so qvm.sh runs a shell command; output by way of the root file system."""
    name = "QEMU microvm"

    def there(self):
        return os.path.exists(KERNEL) and shutil.which("qemu-system-x86_64") is not None

    def argv(self, folder, what):
        args = COMMANDS[what]
        if what != "true":
            args = [*args, ">/bench/out"]
            open(f"{folder}/rootfs/bench/out", "w").close()
        return [QVM, KERNEL, f"{folder}/rootfs", *args]

    def output(self, folder, log):
        path = f"{folder}/rootfs/bench/out"
        return path if os.path.exists(path) else log


PROGRAMS = [
    Oci("coracle", [CORACLE]),
    Oci("crun", ["crun"]),
    Oci("runc", ["runc"]),
    Oci("gVisor", ["runsc", "--rootless", "--network=none", "--ignore-cgroups", "--platform=ptrace"], "gvisor"),
    Qemu(),
]


def run(program, folder, what, argv=None):
    """Run to the end. Return: (milliseconds, output)."""
    argv = argv or program.argv(folder, what)
    log = f"{folder}/log.{os.getuid()}"
    with open(log, "wb") as out:
        begin = time.monotonic_ns()
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        ended = select.poll()   # Popen.wait() with a limit looks every 50 ms
        pidfd = os.pidfd_open(child.pid)
        ended.register(pidfd, select.POLLIN)
        in_time = ended.poll(LIMIT * 1000)
        os.close(pidfd)
        took = (time.monotonic_ns() - begin) / 1e6
        if not in_time:
            end_all(child)
            raise Failed(f"{what}: out of time")
        status = child.wait()
    if status:
        raise Failed(f"{what}: status {status}: {text(log)[-300:].strip()}")
    return took, text(program.output(folder, log))


def text(path):
    with open(path, errors="replace") as f:
        return f.read()


# ---------------------------------------------------------------- results

class Results:
    def __init__(self):
        self.samples, self.units = {}, {}

    def add(self, metric, unit, program, value):
        self.units[metric] = unit
        self.samples.setdefault((metric, program), []).append(round(value, 3))

    def write(self, path):
        rows = [{"metric": m, "unit": self.units[m], "program": p, "p50": percentile(v, 50),
                 "p90": percentile(v, 90), "samples": v} for (m, p), v in self.samples.items()]
        with open(path, "w") as f:
            json.dump(rows, f, indent=1)
        return any(r["program"] == "coracle" for r in rows)


def percentile(values, p):
    """Between the two nearest samples."""
    v = sorted(values)
    at = (len(v) - 1) * p / 100
    low = int(at)
    high = min(low + 1, len(v) - 1)
    return round(v[low] + (v[high] - v[low]) * (at - low), 3)


def in_turns(title, programs, rounds, once, warm_ups=WARM_UPS):
    """Call once(program) for each, ROUNDS times and some times before to warm up; who fails twice is out."""
    strikes = {}
    for i in range(-warm_ups, rounds):
        say(f"{title}: " + (f"round {i + 1} of {rounds}" if i >= 0 else "warming up"))
        order = programs[i % len(programs):] + programs[:i % len(programs)] if i >= 0 else programs
        for p in order:
            if strikes.get(p, 0) >= 2:
                continue
            try:
                once(p, i >= 0)
            except (Failed, OSError, ValueError) as e:
                strikes[p] = strikes.get(p, 0) + 1
                say(f"{p.name} FAILED: {e}")


# ---------------------------------------------------------------- as a user: times and rates

def touch_memory():
    """A resumed host pays for each page at its first use, and the program that happens to get it would be blamed."""
    with mmap.mmap(-1, TOUCH_MIB << 20) as memory:
        for at in range(0, len(memory), 4096):
            memory[at] = 1


def as_user(folder, out, rounds):
    results = Results()
    programs = wanted()
    say("touching the host's memory")
    touch_memory()

    def cold_start(p, count):
        took, _ = run(p, folder, "true")
        if count:
            results.add("start_to_exit", "ms", p.name, took)

    def inside(what, units):
        def once(p, count):
            _, said = run(p, folder, what)
            values = dict(line.split() for line in said.splitlines())
            for metric, unit in units.items():
                value = float(values[metric]) if metric in values else fail(f"{what}: no {metric}: {said[:300]!r}")
                if count:
                    results.add(metric, unit, p.name, value)
        return once

    few = max(3, rounds // 3)
    in_turns("start to exit", programs, rounds, cold_start)
    exec_in_turns([p for p in programs if isinstance(p, Oci) and p.kind == "plain"], folder, rounds, results)
    in_turns("stat", programs, few, inside("stat", {"stat_uncached": "1/s", "stat_cached": "1/s"}))
    in_turns("read", programs, few, inside("read", {"read_sequential": "MB/s", "read_random": "1/s"}))
    return results.write(out)


def exec_in_turns(programs, folder, rounds, results):
    """exec of `true` in a container that stays."""
    held = {}
    try:
        for p in programs:
            argv = p.argv(folder, "stay", "--detach")
            run(p, folder, "stay", argv)
            held[p] = argv[-1]

        def once(p, count):
            took, _ = run(p, folder, "exec", [*p.command, "exec", held[p], "true"])
            if count:
                results.add("exec", "ms", p.name, took)

        in_turns("exec", programs, rounds, once)
    except Failed as e:
        say(f"exec: {e}")
    finally:
        for p, name in held.items():
            subprocess.run([*p.command, "delete", "--force", name], stderr=subprocess.DEVNULL)


def fail(why):
    raise Failed(why)


def wanted():
    only = os.environ.get("BENCH_ONLY", "").split()
    chosen = [p for p in PROGRAMS if not only or p.name.split()[0] in only]
    for p in chosen:
        if not p.there():
            say(f"{p.name} is not here")
    return [p for p in chosen if p.there()]


# ---------------------------------------------------------------- as root: memory and exits

def as_root(folder, out, rounds):
    """Only virtual machines are looked at: with crun and runc nothing stays beside the container's own processes."""
    results = Results()
    machines = [p for p in wanted() if p.name == "coracle" or isinstance(p, Qemu)]

    def once(p, count):
        run_machine(p, folder, results if count else None)

    in_turns("memory and exits", machines, max(3, rounds // 3), once)
    return results.write(out)


def spawn_as_user(argv, log):
    """Start argv as the user, output to the file log."""
    user = pwd.getpwuid(UID)
    with open(log, "ab") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, user=UID, group=UID,
                                extra_groups=os.getgrouplist(user.pw_name, UID),
                                env={**os.environ, "XDG_RUNTIME_DIR": f"/run/user/{UID}", "HOME": user.pw_dir})


class Machine:
    """A container that says one byte and stays, in a virtual machine."""

    def __init__(self, program, folder):
        self.log = f"{folder}/log.root"
        open(self.log, "w").close()
        self.argv = program.argv(folder, "first")
        self.seen = program.output(folder, self.log)
        self.engine = isinstance(program, Oci)
        self.child = None

    def start(self):
        """As an engine does it, so that coracle's command line is gone when memory is counted; or just run."""
        if not self.engine:
            self.child = spawn_as_user(self.argv, self.log)
            return
        for argv in [CORACLE, "create", *self.argv[2:]], [CORACLE, "start", self.argv[-1]]:
            if spawn_as_user(argv, self.log).wait(LIMIT):
                raise Failed(f"{argv[1]}: {text(self.log)[-300:].strip()}")

    def wait_first_byte(self):
        give_up = time.monotonic() + LIMIT
        while os.path.getsize(self.seen) == 0:
            if self.child and self.child.poll() is not None or time.monotonic() > give_up:
                raise Failed(f"no first byte: {text(self.log)[-300:].strip()}")
            time.sleep(0.001)

    def processes(self):
        """coracle: the VMM and its parent, the monitor. QEMU: with virtiofsd, without the shell that starts both."""
        vmm = int(self.stats().split("-")[0])
        return [parent(vmm), vmm] if self.engine else [p for p in family(self.child.pid) if p != self.child.pid]

    def stats(self):
        """Name of the machine's folder in KVM_STATS: PID-FD of the VMM that is ours."""
        ours = self.argv[-1] if self.engine else None
        found = [d for d in os.listdir(KVM_STATS) if d.split("-")[0].isdigit() and
                 (int(d.split("-")[0]) in family(self.child.pid) if self.child else
                  ours in text(f"/proc/{parent(int(d.split('-')[0]))}/cmdline").split("\0"))]
        if len(found) != 1:
            raise Failed(f"{len(found)} virtual machines: {text(self.log)[-300:].strip()}")
        return found[0]

    def end(self):
        if self.engine:
            spawn_as_user([CORACLE, "delete", "--force", self.argv[-1]], "/dev/null").wait(LIMIT)
        if self.child:
            end_all(self.child)


def run_machine(program, folder, results):
    machine = Machine(program, folder)
    try:
        machine.start()
        machine.wait_first_byte()
        stats = machine.stats()
        counts = {name: int(text(f"{KVM_STATS}/{stats}/{name}")) for name in EXITS}
        if text(machine.seen)[:1] != "+":
            raise Failed(f"said {text(machine.seen)[:300]!r}")
        time.sleep(1)
        memory = sum(pss_of(f"/proc/{p}/smaps") for p in machine.processes())
    finally:
        machine.end()
    if results:
        results.add("vmm_memory", "KiB", program.name, memory)
        for name, metric in EXITS.items():
            results.add(metric, "exits", program.name, counts[name])


# KVM's counters, by the names of the results. The first counts all, what the host's timer causes as well.
EXITS = {"exits": "exits_to_first_byte", "mmio_exits": "exits_mmio", "io_exits": "exits_port",
         "pf_taken": "exits_page_fault", "irq_exits": "exits_host_irq", "halt_exits": "exits_halt"}


def parent(pid):
    """The parent of pid, 0 if it is gone."""
    try:
        return int(text(f"/proc/{pid}/stat").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def family(pid):
    """pid and all that descend from it."""
    parents = {int(p): parent(p) for p in os.listdir("/proc") if p.isdigit()}
    found, more = [pid], [pid]
    while more:
        more = [p for p, pp in parents.items() if pp in more and p not in found]
        found += more
    return found


def end_all(child):
    """End what child started, then let it tidy up; after some seconds end it as well."""
    for sig, group in (signal.SIGTERM, lambda: family(child.pid)[1:]), (signal.SIGKILL, lambda: family(child.pid)):
        for p in group():
            try:
                os.kill(p, sig)
            except ProcessLookupError:
                pass
        try:
            child.wait(10)
            return
        except subprocess.TimeoutExpired:
            pass
    child.wait()


def pss_of(smaps):
    """Proportional memory in KiB of a process, less guest RAM: neighbouring writable mappings that are large together."""
    runs, total = [], 0     # [end, size, pss, may be guest RAM] of each unbroken row of mappings
    for line in text(smaps).splitlines():
        word = line.split()
        if "-" in word[0] and not word[0].endswith(":"):
            begin, end = (int(x, 16) for x in word[0].split("-"))
            guest = word[1].startswith("rw") and (len(word) < 6 or not word[5].startswith("["))
            if not (guest and runs and runs[-1][0] == begin and runs[-1][3]):
                runs.append([end, 0, 0, guest])
            runs[-1][0] = end
            runs[-1][1] += (end - begin) >> 10
        elif word[0] == "Pss:":
            runs[-1][2] += int(word[1])
    for _, size, pss, guest in runs:
        if not guest or size < GUEST_RAM_KIB:
            total += pss
    return total


# ---------------------------------------------------------------- as root: a network

INSIDE, PEER, TAP = "bench-inside", "bench-peer", "bench-tap0"
NET = "10.78"           # .0 over veth, .1 over QEMU's tap; the peer is .1, who is measured .2
UDP_LADDER = [10, 20, 40, 60, 90, 130, 200, 300, 450, 700, 1000]   # Mbit/s
TCP_SECONDS = 2

# Runs in the container. A line for each result: its name and what iperf3 or ping said. A server that has only just
# finished with the last client turns the next one away.
NETWORK_SCRIPT = """#!/bin/sh
peer=$1
perf() {
	name=$1
	shift
	for i in 1 2 3 4 5; do
		said=$(iperf3 -J -i 0 -c "$peer" "$@" 2>&1 | tr -d '\\n\\t')
		case $said in *'"error"'*) sleep 0.3 ;; *) break ;; esac
	done
	echo "$name $said"
}
perf tcp_out -t SECONDS
perf tcp_in -t SECONDS -R
echo "ping" $(ping -c 30 -i 0.05 "$peer" | grep -o 'time=[0-9.]*' | cut -d= -f2)
for rate in LADDER; do
	for again in 1 2; do
		perf udp -u -l 1400 -R -t 1 -b "${rate}M"
		case $said in *'"lost_packets":'[1-9]*) ;; *) continue 2 ;; esac
	done
	break
done
""".replace("SECONDS", str(TCP_SECONDS)).replace("LADDER", " ".join(map(str, UDP_LADDER)))


def network_results(said):
    """Return: {metric: value} of what NETWORK_SCRIPT has said."""
    found = {"udp_in": 0}
    for line in said.splitlines():
        name, _, words = line.partition(" ")
        if name == "ping":
            found[name] = percentile([float(w) for w in words.split()], 50)
        elif name in ("tcp_out", "tcp_in", "udp"):
            end = json.loads(words).get("end", {})
            if name != "udp":
                found[name] = end["sum_received"]["bits_per_second"] / 8e6
            elif end["sum_received"]["lost_packets"] == 0:
                found["udp_in"] = max(found["udp_in"], end["sum_received"]["bits_per_second"] / 8e6)
    return found


def sh(*commands):
    for c in commands:
        subprocess.run(c.split(), check=True, stdout=subprocess.DEVNULL)


def network_up():
    network_down()
    sh(f"ip netns add {PEER}", f"ip netns add {INSIDE}",
       f"ip link add veth0 netns {PEER} type veth peer name eth0 netns {INSIDE}",
       f"ip -n {PEER} addr add {NET}.0.1/24 dev veth0", f"ip -n {PEER} link set veth0 up",
       f"ip -n {INSIDE} addr add {NET}.0.2/24 dev eth0", f"ip -n {INSIDE} link set eth0 up",
       f"ip -n {INSIDE} link set lo up", f"ip -n {PEER} link set lo up",
       f"ip -n {PEER} tuntap add dev {TAP} mode tap vnet_hdr",
       f"ip -n {PEER} addr add {NET}.1.1/24 dev {TAP}", f"ip -n {PEER} link set {TAP} up")


def network_down():
    for name in INSIDE, PEER:
        if os.path.exists(f"/run/netns/{name}"):
            sh(f"ip netns del {name}")


def network_bundle(folder):
    """The plain bundle as root sees it: in the namespace INSIDE, without a user namespace."""
    os.makedirs(f"{folder}/plain-network", exist_ok=True)
    with open(f"{folder}/plain-true/config.json") as f:
        spec = json.load(f)
    for ids in "uidMappings", "gidMappings":
        spec["linux"].pop(ids, None)
    spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] not in ("user", "network")]
    spec["linux"]["namespaces"].append({"type": "network", "path": f"/run/netns/{INSIDE}"})
    spec["process"]["args"] = ["/bench/network", f"{NET}.0.1"]
    spec["process"]["env"].append("TMPDIR=/dev/shm")
    for names in spec["process"]["capabilities"].values():
        names.append("CAP_NET_RAW")
    with open(f"{folder}/plain-network/config.json", "w") as f:
        json.dump(spec, f, indent=1)


def network_argv(program, folder):
    if isinstance(program, Oci):
        return program.argv(folder, "network")
    open(f"{folder}/rootfs/bench/out", "w").close()
    return ["ip", "netns", "exec", PEER, "env",
            f"QEMU_MORE=-netdev tap,id=n,ifname={TAP},script=no,downscript=no,vhost=off "
            "-device virtio-net-device,netdev=n", QVM, KERNEL, f"{folder}/rootfs",
            f"ip addr add {NET}.1.2/24 dev eth0; ip link set eth0 up; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp; "
            f"/bench/network {NET}.1.1 >/bench/out 2>&1"]


def as_network(folder, out, rounds):
    """QEMU's tap lies in the peer's namespace; the others share one veth."""
    results = Results()
    programs = [p for p in wanted() if p.name in ("coracle", "crun") or isinstance(p, Qemu)]
    network_bundle(folder)
    network_up()
    server = subprocess.Popen(["ip", "netns", "exec", PEER, "iperf3", "-s"], stdout=subprocess.DEVNULL)

    def once(p, count):
        _, said = run(p, folder, "network", network_argv(p, folder))
        found = network_results(said)
        for metric, unit in NETWORK.items():
            value = found[metric] if metric in found else fail(f"no {metric}: {said[:300]!r}")
            if count:
                results.add(metric, unit, p.name, value)

    try:
        in_turns("network", programs, max(3, rounds // 5), once, warm_ups=1)
    finally:
        end_all(server)
        network_down()
    return results.write(out)


NETWORK = {"tcp_out": "MB/s", "tcp_in": "MB/s", "udp_in": "MB/s", "ping": "ms"}


# ---------------------------------------------------------------- as a user: podman

IMAGE = "localhost/busybox"
HTTP_PORT = 18080
HTTP_SECONDS = 3
HTTPD = "mkdir /www && echo hello >/www/index.html && exec httpd -f -p 80 -h /www"


def podman(program, *words):
    done = subprocess.run(["podman", "--runtime", shutil.which(program.command[0]), *words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=LIMIT)
    if done.returncode:
        raise Failed(f"podman {words[0]}: status {done.returncode}: {done.stderr[-300:].strip()}")


def http(folder, port, seconds):
    """Return: answers a second."""
    done = subprocess.run([f"{folder}/rootfs/bench/inside", "http", str(port), str(seconds)],
                          capture_output=True, text=True, errors="replace", timeout=LIMIT)
    if done.returncode:
        raise Failed(f"http: {done.stderr.strip()}")
    return float(done.stdout.split()[1])


class Server:
    """A web server in a container, its port published on 127.0.0.1."""

    def __init__(self, program, port):
        self.program, self.name, self.port = program, f"bench-{program.name}", port

    def start(self, folder):
        podman(self.program, "run", "-d", "--rm", "--network", "pasta", "--name", self.name,
               "-p", f"127.0.0.1:{self.port}:80", IMAGE, "sh", "-c", HTTPD)
        give_up = time.monotonic() + LIMIT
        while True:
            try:
                return http(folder, self.port, 0.1)
            except Failed:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)

    def end(self):
        podman(self.program, "rm", "--force", "--time", "0", "--ignore", self.name)


def as_podman(folder, out, rounds):
    results = Results()
    programs = [p for p in wanted() if p.name in ("coracle", "crun")]
    servers = {p.name: Server(p, HTTP_PORT + i) for i, p in enumerate(programs)}

    def run_true(p, count):
        begin = time.monotonic_ns()
        podman(p, "run", "--rm", IMAGE, "true")
        if count:
            results.add("podman_run", "ms", p.name, (time.monotonic_ns() - begin) / 1e6)

    def ask(p, count):
        rate = http(folder, servers[p.name].port, HTTP_SECONDS)
        if count:
            results.add("http", "1/s", p.name, rate)

    def serve(p, _):
        servers[p.name].start(folder)

    in_turns("podman run", programs, max(3, rounds // 3), run_true, warm_ups=1)
    try:
        in_turns("web servers", programs, 0, serve, warm_ups=1)
        in_turns("http", programs, max(3, rounds // 3), ask, warm_ups=1)
    finally:
        for s in servers.values():
            s.end()
    return results.write(out)


# ---------------------------------------------------------------- main

PARTS = {"user": as_user, "root": as_root, "network": as_network, "podman": as_podman}


def merge(out, paths):
    rows = []
    for path in paths:
        with open(path) as f:
            rows += json.load(f)
    with open(out, "w") as f:
        json.dump(rows, f, indent=1)
    return True


def main(argv):
    if len(argv) == 3 and argv[1] == "prepare":
        prepare(os.path.abspath(argv[2]))
        return 0
    if len(argv) in (4, 5) and argv[1] in PARTS:
        rounds = int(argv[4]) if len(argv) == 5 else 15
        return 0 if PARTS[argv[1]](os.path.abspath(argv[2]), argv[3], rounds) else 1
    if len(argv) >= 4 and argv[1] == "merge":
        return 0 if merge(argv[2], argv[3:]) else 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
