/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - what coracle-vmm is told: the machine, in a memory file named by descriptor number; then what
 * its devices serve, as a message, since the machine is made while the monitor still mounts.
 *
 * The only thing that runtime/ may know about vmm/. Everything is a number or a descriptor; no path
 * crosses into the VMM. Each record is read once and checked: vm_config_check(), vm_devices_check().
 */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

#define VM_CONFIG_MAGIC 0x4d435643u /* "CVCM" */
#define VM_CONFIG_VERSION 2

#define VM_MAX_VCPUS 32
#define VM_MAX_SHARES 128
#define VM_MAX_STREAMS 8
#define VM_MAX_NETS 16
#define VM_MAX_CMDLINE 1536
#define VM_MIN_MEMORY (32ull << 20)
#define VM_MAX_MEMORY (1ull << 40)

/* A host end of a vsock port: the guest connects to CID 2, @port, once. */
struct vm_stream {
	uint32_t port;
	int32_t in_fd;	/* read here, sent to the guest; -1: none */
	int32_t out_fd; /* what the guest sends is written here; -1: dropped. May equal in_fd */
	uint32_t reserved;
};

#define VM_SHARE_READONLY 1u
#define VM_SHARE_FIFOS 2u /* its FIFOs join processes of guest and host */

struct vm_share {
	int32_t fd; /* directory or single file, a detached mount of its own */
	uint32_t flags;
};

#define VM_NET_OFFER_MTU 1u /* the driver shall begin with this MTU, and can't go beyond it */
#define VM_NET_USO 2u	    /* the tap knows TUN_F_USO4 and TUN_F_USO6 */

/* One network interface, or an empty slot for one that comes while the machine runs. */
struct vm_net {
	int32_t fd;   /* non-blocking tap with a virtio header of 12 bytes; -1: empty */
	uint32_t mtu; /* longer frames of the guest's are dropped */
	uint8_t mac[6];
	uint16_t flags; /* VM_NET_* */
};

enum vm_net_op {
	VM_NET_PLUG = 1,   /* the tap comes with the message (SCM_RIGHTS) */
	VM_NET_UNPLUG = 2,
	VM_NET_MTU = 3,
};

/* A message on net_fd (SOCK_SEQPACKET); the answer is an int32_t: 0 or -errno. */
struct vm_net_request {
	uint32_t op;   /* enum vm_net_op */
	uint32_t slot; /* index in nets[] */
	struct vm_net net; /* its fd does not count */
};

#define VM_SINGLE_ID 1u /* only one id is mapped in our user namespace */
#define VM_NESTED 2u	/* show VMX/SVM to the guest */
#define VM_DEBUG 4u	/* the guest kernel's log and our warnings go to descriptor 2 */
#define VM_ALL_FLAGS (VM_SINGLE_ID | VM_NESTED | VM_DEBUG)

struct vm_config {
	uint32_t magic;
	uint32_t version;
	uint64_t memory_bytes;
	uint32_t vcpus;
	uint32_t flags;
	int32_t kvm_fd;	    /* /dev/kvm */
	int32_t kernel_fd;  /* vmlinux with a PVH note, or bzImage */
	int32_t initrd_fd;  /* uncompressed cpio */
	int32_t control_fd; /* SOCK_SEQPACKET to the monitor */
	int32_t lock_fd;    /* held open until we are gone; -1: none */
	uint32_t fs_max_fds; /* descriptor budget of the file server */
	uint32_t fs_attr_ms; /* validity of attributes and entries in the guest's cache */
	uint32_t reserved;
	char cmdline[VM_MAX_CMDLINE]; /* kernel parameters before ours */
};

/*
 * The first message on control_fd. Its descriptors follow, IO_MAX_FDS and then the rest of them beside
 * messages of one byte; in the message a field of a descriptor is its position among them, or -1.
 */
struct vm_devices {
	uint32_t n_fds;
	uint32_t n_shares;
	uint32_t n_streams;
	uint32_t n_nets;
	int32_t net_fd; /* struct vm_net_request arrive here; -1: the interfaces stay as they are */
	struct vm_share shares[VM_MAX_SHARES];
	struct vm_stream streams[VM_MAX_STREAMS];
	struct vm_net nets[VM_MAX_NETS];
};

#define VM_MAX_DEVICE_FDS (1 + VM_MAX_SHARES + 2 * VM_MAX_STREAMS + VM_MAX_NETS)

/*
 * Monitor -> VMM, one SOCK_SEQPACKET message each, descriptors beside it: open VM_EXEC_PORTS ports for one
 * more process. Answered by VM_EVENT_EXEC. The kinds say what each descriptor is, since the VMM may not
 * ask the kernel any more; those that are present come in the order in, out of every port.
 */
#define VM_COMMAND_EXEC 1u
#define VM_EXEC_PORTS 4u /* the process's channel and three streams */
#define VM_MAX_EXECS 256u
#define VM_EXEC_FDS (2 * VM_EXEC_PORTS)

#define VM_FD_PRESENT 1u
#define VM_FD_SOCKET 2u
#define VM_FD_BLOCKING 4u /* not O_NONBLOCK, and not ours to make so */
#define VM_FD_POLLABLE 8u /* epoll knows it */
#define VM_FD_DUPLEX 16u  /* of out: a socket, each of whose directions ends by itself */
#define VM_FD_DATAGRAMS 32u /* of out: a socket for datagrams; the guest sends frames (guest-init/proto.h) */
#define VM_FD_KINDS 63u

struct vm_ends {
	uint32_t in;  /* VM_FD_*: read here, sent to the guest */
	uint32_t out; /* VM_FD_*: what the guest sends is written here */
};

struct vm_command {
	uint32_t type; /* VM_COMMAND_* */
	uint32_t port; /* the first of the ports */
	uint32_t flags; /* given back in the answer */
	uint32_t from[VM_EXEC_PORTS]; /* the guest's own port, from which alone each may be called; given back */
	struct vm_ends ends[VM_EXEC_PORTS]; /* the channel first; it has both */
};

/* Pure validation of a command that came with @n_fds descriptors. Return: 0 or -EINVAL. */
int vm_command_check(const struct vm_command *c, size_t n_fds) MUST_CHECK;

/* Pure validation. No descriptor is one of stdio's or named twice. Return: 0 or -EINVAL with the field's name. */
int vm_config_check(const struct vm_config *c, struct err *e) MUST_CHECK;

/*
 * Pure validation of a record as it comes. Each of its n_fds descriptors belongs to one field, or to both
 * directions of one stream. Return: 0 or -EINVAL with the field's name.
 */
int vm_devices_check(const struct vm_devices *d, struct err *e) MUST_CHECK;

/*
 * Wait for the record, check it, and put its descriptors in the place of their positions.
 * Return: 0, -EPIPE when the monitor has gone, or another -errno; with @e.
 */
int vm_devices_receive(int control_fd, struct vm_devices *out, struct err *e) MUST_CHECK;

/* Monitor -> VMM, one SOCK_SEQPACKET message: stop all vCPUs, or let them go on. */
struct vm_pause {
	uint32_t on; /* 1: answered by VM_EVENT_PAUSED; 0: by VM_EVENT_RESUMED */
	uint32_t reserved;
};

/* VMM -> monitor, one SOCK_SEQPACKET message each. */
enum vm_event_type {
	VM_EVENT_RUNNING = 1, /* sealed in, about to run the first instruction */
	VM_EVENT_ENDED = 2,   /* the machine stopped by itself; text says how, console its last words */
	VM_EVENT_FAILED = 3,  /* set-up failed; code and text */
	VM_EVENT_EXEC = 4,    /* the ports of a VM_COMMAND_EXEC are open; port, flags and from are its own */
	VM_EVENT_PAUSED = 8,  /* no vCPU runs */
	VM_EVENT_RESUMED = 9,
};

#define VM_EVENT_CONSOLE 2048

struct vm_event {
	uint32_t type; /* enum vm_event_type */
	uint32_t code; /* errno, or 0 */
	uint32_t port;
	uint32_t flags;
	uint32_t from[VM_EXEC_PORTS];
	char text[512];
	char console[VM_EVENT_CONSOLE]; /* end of the kernel's log, NUL-terminated */
};

#endif
