/* SPDX-License-Identifier: Apache-2.0 */
/* fs_proto - the FUSE protocol: the kernel's header plus what the build machine's may lack. */
#ifndef VMM_FS_PROTO_H
#define VMM_FS_PROTO_H

#include <assert.h>
#include <linux/fuse.h>
#include <stdint.h>

#if FUSE_KERNEL_MINOR_VERSION < 38
#error "linux/fuse.h is older than protocol 7.38"
#endif

/* What we speak, whatever the header knows: later structures may grow, these don't. */
#define FS_PROTO_MINOR 38
/* Oldest guest we serve: 7.31 is Linux 5.4, the first with virtiofs. */
#define FS_PROTO_MIN_MINOR 31

#if FUSE_KERNEL_MINOR_VERSION < 39
#define FUSE_STATX 52

struct fuse_sx_time {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t reserved;
};

struct fuse_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t spare0[1];
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct fuse_sx_time atime;
	struct fuse_sx_time btime;
	struct fuse_sx_time ctime;
	struct fuse_sx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t spare2[14];
};

struct fuse_statx_in {
	uint32_t getattr_flags;
	uint32_t reserved;
	uint64_t fh;
	uint32_t sx_flags;
	uint32_t sx_mask;
};

struct fuse_statx_out {
	uint64_t attr_valid; /* seconds */
	uint32_t attr_valid_nsec;
	uint32_t flags;
	uint64_t spare[2];
	struct fuse_statx stat;
};
#endif

/* Of our kernel (kernel-config/patches/host-fifos.patch), in bits that Linux doesn't use. */
#define FUSE_HOST_FIFOS_FLAGS2 (1u << 30) /* INIT, flags2: it knows the next two */
#define FUSE_ATTR_HOST_FIFO (1u << 31)	  /* attributes: OPEN, READ, WRITE and POLL of this FIFO come to us */
#define FUSE_POLL_WAIT (1u << 31)	  /* POLL: answered when there is something to tell */

static_assert(sizeof(struct fuse_in_header) == 40, "wire size");
static_assert(sizeof(struct fuse_out_header) == 16, "wire size");
static_assert(sizeof(struct fuse_entry_out) == 128, "wire size");
static_assert(sizeof(struct fuse_attr_out) == 104, "wire size");
static_assert(sizeof(struct fuse_init_out) == 64, "wire size");
static_assert(sizeof(struct fuse_statx) == 256, "wire size");
static_assert(sizeof(struct fuse_statx_out) == 288, "wire size");

#endif
