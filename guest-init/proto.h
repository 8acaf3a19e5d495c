/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto - the one contract between the host and coracle-init.
 *
 * Both sides include this header; it needs <stdint.h> and <stddef.h> only.
 *
 * DOC: the channel
 *
 * The init opens one vsock stream to CID 2, port PROTO_PORT_CONTROL. On it travel frames of
 * {type, length, payload}, little-endian, every payload a struct of this file.
 *
 *   guest -> host   every frame is one struct proto_event, of fixed size: the host decodes nothing
 *                   that varies. Texts in it are NUL-terminated by the host before use.
 *   host -> guest   PROTO_PROGRAM carries the container's program (see below), the rest are small
 *                   fixed structs.
 *
 *   HELLO            ->
 *                    <- PROGRAM     the container, once
 *   READY or FAILED  ->             everything up to just before execve has been done
 *                    <- START       let it go; may come any time after PROGRAM
 *   STARTED or FAILED ->            execve has succeeded
 *                    <- SIGNAL, RESIZE, STOP, NET    at any time
 *                    <- ASK         at any time after PROGRAM; each is answered by
 *   ANSWER           ->             code and text, or a struct proto_stats in place of the text
 *   NOTIFY           ->             what a process said to its service manager, at any time after START
 *   EXITED           ->             the process has ended, its streams are drained, files synced
 *
 * stdio: for each stream the init connects to PROTO_PORT_STDIO + 0, 1, 2. A terminal uses port +0 for
 * both directions. The end of a stream is the vsock half-close of its direction.
 *
 * DOC: further processes in the container
 *
 * EXEC on the control channel names four ports that the host has just opened for one more process, and the
 * port of its own from which each of them must be called: random numbers, as the container's processes can make
 * vsock sockets too, and must not be there before the init. One that it has bound nobody else can take.
 * The init connects to the first, the process's own channel, and to those of its streams. On that channel
 *
 *                    <- PROGRAM     its `process` alone counts; nothing is mounted or made
 *   STARTED or FAILED ->            execve has succeeded
 *                    <- SIGNAL, RESIZE      at any time
 *   EXITED           ->             the process has ended, what it had written is on its way
 *
 * and the init closes it. The host delivers nothing of the channel before what was sent on the streams
 * earlier. When the host's end goes away first the process is killed: its proxy is dead. Streams outlive
 * the channel as long as a child of the process holds them.
 *
 * DOC: sockets of the host
 *
 * Where a UNIX socket is mounted whose server is on the host, the init listens in its place.
 *
 *   SOCKET           ->             somebody has connected to socket number `code`; `signal` is a token
 *                    <- EXEC        with SOCKET and the token: ports as above, the first of them only
 *                                   says how long the connection lives, the second carries its bytes
 *                                   both ways, with half-closes. Port 0: the server takes nobody.
 *
 * Where the socket is one for datagrams (PROTO_MOUNT_DATAGRAMS) SOCKET says that there are some. They go one
 * way, on the second port: PROTO_DATAGRAM_HEAD bytes of length, little-endian, then as many bytes, and so on.
 *
 * DOC: descriptors besides 0 to 2
 *
 * The caller's are streams of the host. The process gets a pipe, or one end of a pair of sockets, which the init
 * relays as above: an EXEC with SOCKET and PROTO_FD_TOKEN() names the ports, unasked. A socket that listens on
 * the host listens in the guest as well; each EXEC with SOCKET and LISTEN is somebody who has connected on the
 * host, the token being the index of the descriptor. A byte from the init on a connection's first port says
 * that it has sent all: the host closes the port once it has delivered that.
 *
 * DOC: the program
 *
 * A PROGRAM payload is struct proto_program followed by `pool`. Strings are offsets into the pool of
 * NUL-terminated text; string lists are offsets of a run of consecutive NUL-terminated strings, counted;
 * arrays are offsets of packed structs, counted. Offset 0 of the pool is the empty string and means
 * "none". The guest checks every offset, although the host is trusted, because a bug must not become a
 * mystery.
 */
#ifndef GUEST_INIT_PROTO_H
#define GUEST_INIT_PROTO_H

#include <stddef.h>
#include <stdint.h>

#define PROTO_VERSION 4
#define PROTO_MAGIC 0x43524331u /* "1CRC" */
#define PROTO_CID_HOST 2
#define PROTO_PORT_CONTROL 1024
#define PROTO_PORT_STDIO 1025	 /* +0 stdin or terminal, +1 stdout, +2 stderr */
#define PROTO_PORT_MIRROR 1100	 /* the stream of mirror.h */
#define PROTO_PORT_EXEC 4096	 /* further processes: four ports each, from here on */
#define PROTO_EXEC_PORTS 4	 /* +0 the process's own channel, +1 to +3 as PROTO_PORT_STDIO */
#define PROTO_MAX_SOCKETS 16	 /* mounted sockets */
#define PROTO_MAX_SOCKET_CONNS 64 /* connections to all of them at once */
#define PROTO_DATAGRAM_HEAD 2
#define PROTO_MAX_DATAGRAM 65535 /* bytes; what is longer is lost */
#define PROTO_MAX_FDS 12	 /* descriptors of the caller's that a process is given, besides 0 to 2 */
#define PROTO_MAX_EXECS 256	 /* at once, their streams included */
#define PROTO_FS_TAG "coracle"	 /* virtio-fs tag; its root holds one entry per share */
#define PROTO_MAX_PROGRAM (1u << 20) /* bytes of a PROGRAM payload */
#define PROTO_TEXT 448		 /* bytes of an event's text, NUL included */

/* X(NAME, value, direction) */
#define PROTO_MESSAGES(X)              \
	X(HELLO, 1, GUEST_TO_HOST)     \
	X(READY, 2, GUEST_TO_HOST)     \
	X(STARTED, 3, GUEST_TO_HOST)   \
	X(FAILED, 4, GUEST_TO_HOST)    \
	X(EXITED, 5, GUEST_TO_HOST)    \
	X(NOTIFY, 6, GUEST_TO_HOST)    \
	X(ANSWER, 8, GUEST_TO_HOST)    \
	X(SOCKET, 9, GUEST_TO_HOST)    \
	X(PROGRAM, 16, HOST_TO_GUEST)  \
	X(START, 17, HOST_TO_GUEST)    \
	X(SIGNAL, 18, HOST_TO_GUEST)   \
	X(RESIZE, 19, HOST_TO_GUEST)   \
	X(STOP, 20, HOST_TO_GUEST)     \
	X(EXEC, 24, HOST_TO_GUEST)     \
	X(NET, 32, HOST_TO_GUEST)      \
	X(ASK, 40, HOST_TO_GUEST)

#define PROTO_ENUM(name, value, direction) PROTO_##name = value,
enum proto_type { PROTO_MESSAGES(PROTO_ENUM) };
#undef PROTO_ENUM

/* Every frame begins with this. */
struct proto_head {
	uint32_t type;	 /* enum proto_type */
	uint32_t length; /* bytes of payload that follow */
};

/* Payload of every guest -> host frame. */
struct proto_event {
	uint32_t type;	  /* repeats the head's */
	uint32_t version; /* HELLO: PROTO_VERSION of the init */
	int32_t code;	  /* FAILED: positive errno; EXITED: exit code 0..255, or 128 + signal */
	uint32_t signal;  /* EXITED: the signal it died of, else 0; ANSWER: seq of the question */
	uint64_t boot_ns; /* HELLO: guest CLOCK_MONOTONIC; EXITED: ns that the process ran */
	uint32_t exec_failed; /* FAILED: 1 when the program could not be found or executed */
	uint32_t oom_kills; /* EXITED: processes of the container killed for want of memory */
	char text[PROTO_TEXT]; /* FAILED: one line, outermost context first; NOTIFY: lines of sd_notify(3) */
};

struct proto_signal {
	uint32_t signal; /* Linux number 1..64, as on the host */
	uint32_t all;	 /* 1: every process of the container */
};

struct proto_resize {
	uint32_t rows;
	uint32_t cols;
};

#define PROTO_EXEC_TERMINAL 1u
#define PROTO_EXEC_STDIN_NULL 2u /* stdin is the guest's /dev/null; its stream is not opened */
#define PROTO_EXEC_SOCKET 8u	 /* no process: the answer to SOCKET, whose token is in the upper bits */
#define PROTO_EXEC_TOKEN_SHIFT 8 /* above it 24 bits of token */
#define PROTO_EXEC_LISTEN 16u	 /* with SOCKET */
#define PROTO_EXEC_FD_SHIFT 8	 /* of a process: above it enum proto_fd_kind of each of its fds, 2 bits each */
#define PROTO_TOKENS 0x800000u	 /* of the guest's SOCKET: below it */
/* @port: of the process, 0 for the first; @i: index of the descriptor in the program. */
#define PROTO_FD_TOKEN(port, i) (PROTO_TOKENS | ((port) / PROTO_EXEC_PORTS & 0x7ffffu) << 4 | (i))
#define PROTO_EXEC_PS 4u	 /* no program: print the container's processes to stdout */

/* What the init must know before the program has come; the program's own flags say the same. */
struct proto_exec {
	uint32_t port;	/* PROTO_PORT_EXEC + a multiple of PROTO_EXEC_PORTS */
	uint32_t flags; /* PROTO_EXEC_* */
	uint32_t from[PROTO_EXEC_PORTS]; /* the guest's own port of each connection */
};

/*
 * The network is a list of records; a device is named by its slot, the last byte of the MAC it was
 * made with (PROTO_NET_MAC). The list comes with the program; a later one replaces it as a whole:
 * NET frames BEGIN, then a record each, then END, at which the guest changes what differs. One that
 * comes before START must be carried out in full, or FAILED follows; after START it is done as far
 * as possible.
 */
#define PROTO_MAX_NET 512 /* records */
#define PROTO_MAX_SLOTS 16
/*
 * Several containers may share an interface. The first has what no other is known to wait for; the others, at
 * places from 1 on, have a block of ports each, beyond those that Linux chooses by itself (32768 to 60999),
 * and their connections must come from there.
 */
#define PROTO_NET_PLACES 8
#define PROTO_NET_PORTS 512u
#define PROTO_NET_FIRST_PORT(place) (61440u + ((place) - 1u) * PROTO_NET_PORTS)

#define PROTO_NET_MAC { 0x02, 0x63, 0x6f, 0x72, 0x00 } /* and the slot */

enum proto_net_kind {
	PROTO_NET_BEGIN = 1,
	PROTO_NET_LINK = 2,  /* name, mac, mtu, UP, first_port */
	PROTO_NET_ADDR = 3,  /* dst/prefix, via: peer, src: broadcast, scope */
	PROTO_NET_NEIGH = 4, /* dst, mac: a permanent one */
	PROTO_NET_ROUTE = 5, /* dst/prefix, via: gateway, src: preferred source, metric, type, ... */
	PROTO_NET_END = 6,
};

#define PROTO_NET_UP 1u
#define PROTO_NET_HAS_VIA 2u
#define PROTO_NET_HAS_SRC 4u
#define PROTO_NET_ONLINK 8u	     /* ROUTE: the gateway is on the link whatever the addresses say */
#define PROTO_NET_NO_PREFIX_ROUTE 16u /* ADDR: brings no route */

struct proto_net {
	uint32_t kind; /* enum proto_net_kind */
	uint32_t slot; /* below PROTO_MAX_SLOTS */
	uint32_t flags; /* PROTO_NET_* */
	uint32_t mtu;  /* LINK; ROUTE: 0 = the link's */
	char name[16]; /* LINK: NUL-terminated */
	uint8_t mac[8]; /* LINK, NEIGH: 6 bytes */
	uint8_t dst[16]; /* addresses in network order; IPv4: the first 4 bytes */
	uint8_t via[16];
	uint8_t src[16];
	uint32_t metric;
	uint8_t family; /* 2: IPv4, 10: IPv6 */
	uint8_t prefix; /* bits */
	uint8_t scope;	/* RT_SCOPE_* */
	uint8_t protocol; /* ROUTE: RTPROT_* */
	uint8_t type;	/* ROUTE: RTN_* */
	uint8_t reserved;
	uint16_t first_port; /* LINK: of the PROTO_NET_PORTS that connections come from; 0: any */
	uint32_t reserved2;
};

enum proto_question {
	PROTO_ASK_SYNC = 1,  /* have files written to the host */
	PROTO_ASK_CLOCK = 2, /* set CLOCK_REALTIME to `number` ns when it is off */
	PROTO_ASK_LIMIT = 3, /* write `value` to `file` of the container's cgroup */
	PROTO_ASK_STATS = 4,
};

struct proto_ask {
	uint32_t question; /* enum proto_question */
	uint32_t seq;	   /* repeated in ANSWER's `signal` */
	uint64_t number;
	char file[64];	 /* NUL-terminated, without slashes */
	char value[184]; /* NUL-terminated */
};

/* What the container uses, from its cgroup in the guest; ~0: there is no such number, or no limit. */
struct proto_stats {
	uint64_t memory_current, memory_peak, memory_max; /* bytes */
	uint64_t swap_current, swap_max;
	uint64_t anon, file, kernel, shmem, mapped, dirty, inactive_file, active_file;
	uint64_t pgfault, pgmajfault;
	uint64_t oom, oom_kill; /* of memory.events */
	uint64_t cpu_us, user_us, system_us; /* of cpu.stat */
	uint64_t periods, throttled, throttled_us;
	uint64_t cpu_quota, cpu_period; /* of cpu.max, microseconds */
	uint64_t pids_current, pids_max;
};

/* Where a mount's file system comes from. */
enum proto_mount_kind {
	PROTO_MOUNT_SHARE = 1, /* bind of share number `share` */
	PROTO_MOUNT_FS = 2,    /* mount(2) of type `fstype` with `source` and `data` */
	PROTO_MOUNT_BIND = 3,  /* bind of `source`, a path inside the guest (device nodes) */
	PROTO_MOUNT_MASK = 4,  /* hide the path: /dev/null over a file, empty ro tmpfs over a directory */
	PROTO_MOUNT_READONLY = 5, /* bind the path onto itself, read-only; absent: ignored */
	PROTO_MOUNT_NODE = 6, /* bind of a device node of the guest: mode, major, minor, uid, gid */
	PROTO_MOUNT_LINK = 7, /* no mount: a symbolic link to `source` */
	PROTO_MOUNT_SOCKET = 8, /* bind of a socket that the init listens on: mode, uid, gid; number in `share` */
};

#define PROTO_MOUNT_DIR 1u	    /* create a missing destination as a directory, else as a file */
#define PROTO_MOUNT_TMPCOPYUP 2u    /* copy what the destination held into the new tmpfs */
#define PROTO_MOUNT_RO_LAST 4u	    /* remount read-only after all mounts are done (the root, tmpfs) */
#define PROTO_MOUNT_OPTIONAL 8u	    /* failure is not an error */
#define PROTO_MOUNT_RECURSIVE 16u   /* MS_REC for bind */
#define PROTO_MOUNT_DATAGRAMS 32u   /* SOCKET: of type SOCK_DGRAM */

struct proto_mount {
	uint32_t kind;	    /* enum proto_mount_kind */
	uint32_t flags;	    /* PROTO_MOUNT_* */
	uint32_t dest;	    /* string: absolute path in the container, resolved inside its root */
	uint32_t source;    /* string */
	uint32_t fstype;    /* string */
	uint32_t data;	    /* string: comma separated options for the file system */
	uint64_t ms_flags;  /* MS_NOSUID ... as mount(2) takes them */
	uint64_t propagation; /* MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE (| MS_REC), or 0 */
	uint32_t share;	    /* SHARE: number; its name under the virtio-fs root is the decimal number */
	uint32_t mode;	    /* NODE: S_IFCHR or S_IFBLK with the permissions; SOCKET: permissions */
	uint32_t major;	    /* NODE */
	uint32_t minor;
	uint32_t uid; /* NODE */
	uint32_t gid;
};

struct proto_device {
	uint32_t path; /* string: absolute path in the container */
	uint32_t type; /* 'c', 'b' or 'p' */
	uint32_t major;
	uint32_t minor;
	uint32_t mode; /* permission bits */
	uint32_t uid;
	uint32_t gid;
	uint32_t optional; /* 1: skip silently when the guest kernel has no such device */
};

struct proto_rlimit {
	uint32_t resource; /* RLIMIT_* number of x86-64 */
	uint32_t reserved;
	uint64_t soft;
	uint64_t hard;
};

struct proto_sysctl {
	uint32_t path;	/* string: below /proc/sys, with slashes */
	uint32_t value; /* string */
};

/* One file of the container's cgroup, written before the container runs. */
struct proto_cgroup {
	uint32_t file;	   /* string: a name, without slashes */
	uint32_t value;	   /* string: lines, each written by itself */
	uint32_t optional; /* 1: no error when the guest's kernel refuses */
	uint32_t reserved;
};

#define PROTO_PROC_TERMINAL 1u
#define PROTO_PROC_NO_NEW_PRIVS 2u
#define PROTO_PROC_HAS_UMASK 4u
#define PROTO_PROC_HAS_CAPS 8u
#define PROTO_PROC_HAS_OOM 16u
#define PROTO_PROC_STDIN_NULL 32u /* stdin is the guest's /dev/null; its stream is not opened */
#define PROTO_PROC_HAS_PERSONALITY 64u
#define PROTO_PROC_HAS_IOPRIO 128u
#define PROTO_PROC_HAS_SCHED 256u

struct proto_process {
	uint32_t flags; /* PROTO_PROC_* */
	uint32_t uid;
	uint32_t gid;
	uint32_t umask;
	int32_t oom_score_adj;
	uint32_t rows; /* terminal: initial size, 0 = unset */
	uint32_t cols;
	uint32_t n_gids;
	uint32_t gids; /* array of uint32_t */
	uint32_t n_args;
	uint32_t args; /* string list */
	uint32_t n_env;
	uint32_t env; /* string list */
	uint32_t cwd; /* string */
	uint32_t n_rlimits;
	uint32_t rlimits;     /* array of struct proto_rlimit */
	uint64_t cap_bounding; /* masks: bit N = capability N */
	uint64_t cap_effective;
	uint64_t cap_inheritable;
	uint64_t cap_permitted;
	uint64_t cap_ambient;
	uint32_t n_seccomp; /* BPF instructions of struct sock_filter, 8 bytes each; 0 = none */
	uint32_t seccomp;   /* array */
	uint32_t seccomp_flags; /* SECCOMP_FILTER_FLAG_* */
	uint32_t personality;	/* HAS_PERSONALITY: PER_* */
	uint32_t ioprio;	/* HAS_IOPRIO: as ioprio_set(2) takes it */
	uint32_t sched_policy;	/* HAS_SCHED: the fields of sched_setattr(2) */
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_flags;
	uint64_t sched_runtime; /* ns */
	uint64_t sched_deadline;
	uint64_t sched_period;
	uint64_t cpus; /* bit N = CPU N, of the first 64; 0 = all that there are */
};

enum proto_fd_kind {
	PROTO_FD_IN = 1, /* a pipe to read from */
	PROTO_FD_OUT = 2, /* a pipe to write to */
	PROTO_FD_BOTH = 3, /* a connected stream socket */
	PROTO_FD_UNIX = 4, /* a stream socket that listens; not for further processes */
	PROTO_FD_INET = 5, /* the same, at 127.0.0.1 and `port` */
	PROTO_FD_INET6 = 6, /* ::1 */
};

struct proto_fd {
	uint32_t number; /* that the process knows it by: 3 or more */
	uint32_t kind;	 /* enum proto_fd_kind */
	uint32_t port;	 /* INET, INET6 */
	uint32_t reserved;
};

#define PROTO_HOOK_HAS_ENV 1u /* else the environment of the process */

/* A program that runs in the container before its process does (startContainer). */
struct proto_hook {
	uint32_t path; /* string */
	uint32_t n_args;
	uint32_t args; /* string list, args[0] included; none: the path alone */
	uint32_t n_env;
	uint32_t env;	    /* string list */
	uint32_t flags;	    /* PROTO_HOOK_* */
	uint32_t timeout_s; /* 0: none */
	uint32_t reserved;
};

#define PROTO_ROOT_READONLY 1u
#define PROTO_TIME_NS 2u /* the container's processes get a time namespace */
#define PROTO_MIRROR 4u	 /* the host has its side of mirror.h on PROTO_PORT_MIRROR */

/* What is added to a clock in the container's time namespace. */
struct proto_time_offset {
	int64_t secs;
	uint32_t nanosecs;
	uint32_t reserved;
};

struct proto_program {
	uint32_t magic;
	uint32_t version; /* PROTO_VERSION of the host */
	uint32_t flags;	  /* PROTO_ROOT_* */
	uint32_t root_share; /* share number of the root file system */
	uint64_t epoch_ns;   /* host's CLOCK_REALTIME, for the guest's clock */
	uint32_t hostname;   /* string */
	uint32_t domainname; /* string */
	uint32_t n_mounts;
	uint32_t mounts; /* array of struct proto_mount, in order */
	uint32_t n_devices;
	uint32_t devices; /* array of struct proto_device */
	uint32_t n_sysctls;
	uint32_t sysctls; /* array of struct proto_sysctl */
	uint32_t n_cgroup;
	uint32_t cgroup; /* array of struct proto_cgroup, in order */
	uint32_t pool_bytes;
	uint32_t root_propagation; /* of "/", MS_SHARED ... | MS_REC, or 0 */
	struct proto_time_offset monotonic; /* TIME_NS */
	struct proto_time_offset boottime;
	struct proto_process process;
	uint32_t n_net;
	uint32_t net; /* array of struct proto_net: LINK, ADDR, NEIGH, ROUTE, in this order */
	uint32_t n_hooks;
	uint32_t hooks;	     /* array of struct proto_hook, in order */
	uint32_t hook_state; /* string: what they read on stdin */
	uint32_t notify;     /* string: where the container has its socket for sd_notify(3) */
	uint32_t n_fds;
	uint32_t fds; /* array of struct proto_fd, at most PROTO_MAX_FDS, their numbers rising */
	uint32_t sub_cgroup; /* string: of further processes: below the container's cgroup */
	uint32_t reserved;
	/* followed by pool_bytes of pool */
};

_Static_assert(sizeof(struct proto_head) == 8, "wire");
_Static_assert(offsetof(struct proto_event, text) == 32, "wire");
_Static_assert(sizeof(struct proto_event) == 32 + PROTO_TEXT, "wire");
_Static_assert(sizeof(struct proto_mount) == 64, "wire");
_Static_assert(sizeof(struct proto_device) == 32, "wire");
_Static_assert(sizeof(struct proto_rlimit) == 24, "wire");
_Static_assert(sizeof(struct proto_net) == 104, "wire");
_Static_assert(sizeof(struct proto_cgroup) == 16, "wire");
_Static_assert(sizeof(struct proto_ask) == 264, "wire");
_Static_assert(sizeof(struct proto_stats) <= PROTO_TEXT, "fits an event");
_Static_assert(offsetof(struct proto_process, sched_flags) == 136, "wire");
_Static_assert(sizeof(struct proto_process) == 176, "wire");
_Static_assert(sizeof(struct proto_hook) == 32, "wire");
_Static_assert(sizeof(struct proto_fd) == 16, "wire");
_Static_assert(PROTO_EXEC_FD_SHIFT + 2 * PROTO_MAX_FDS <= 32, "the kinds fit the flags");
_Static_assert(sizeof(struct proto_program) == 96 + 176 + 48, "wire");

#endif
