/* SPDX-License-Identifier: Apache-2.0 */
/* net_frame - may a frame with this header go on? The virtio network header, checked and made anew. Pure. */
#ifndef VMM_NET_FRAME_H
#define VMM_NET_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

/* virtio 1.2 5.1.3 */
#define NET_F_CSUM (1ull << 0)
#define NET_F_GUEST_CSUM (1ull << 1)
#define NET_F_MTU (1ull << 3)
#define NET_F_MAC (1ull << 5)
#define NET_F_GUEST_TSO4 (1ull << 7)
#define NET_F_GUEST_TSO6 (1ull << 8)
#define NET_F_GUEST_ECN (1ull << 9)
#define NET_F_HOST_TSO4 (1ull << 11)
#define NET_F_HOST_TSO6 (1ull << 12)
#define NET_F_HOST_ECN (1ull << 13)
#define NET_F_MRG_RXBUF (1ull << 15)
#define NET_F_STATUS (1ull << 16)
#define NET_F_GUEST_USO4 (1ull << 54) /* virtio 1.3 */
#define NET_F_GUEST_USO6 (1ull << 55)
#define NET_F_HOST_USO (1ull << 56)

#define NET_HDR_NEEDS_CSUM 1u
#define NET_HDR_DATA_VALID 2u
#define NET_GSO_NONE 0u
#define NET_GSO_TCPV4 1u
#define NET_GSO_TCPV6 4u
#define NET_GSO_UDP_L4 5u
#define NET_GSO_ECN 0x80u

/* virtio 1.2 5.1.6: with VERSION_1 num_buffers is always there. A tap calls it a header of 12 bytes. */
struct net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};
#define NET_HDR_BYTES 12u

#define NET_MIN_FRAME 14u    /* an Ethernet header */
#define NET_MAX_FRAME 65554u /* cap: the longest IP packet in an Ethernet frame with a VLAN tag, rounded up */
#define NET_HEAD_BYTES 192u  /* of a frame, copied: every header that is checked lies in them */

/*
 * Check what the guest wants to send and make the header that the tap gets.
 * @features: negotiated. @mtu: of the interface, 0: not known. @head: the first
 * min(NET_HEAD_BYTES, @frame_bytes) bytes of the frame.
 * Return: 0, or -EINVAL: drop the frame.
 */
int net_frame_check_tx(uint64_t features, uint32_t mtu, const struct net_hdr *h,
		       const uint8_t *head, size_t frame_bytes, struct net_hdr *out) MUST_CHECK;

/*
 * The same for a header of the host's on its way to the guest; num_buffers is left 0.
 * Return: 0, or -EINVAL: the driver has not negotiated what this frame needs.
 */
int net_frame_check_rx(uint64_t features, const struct net_hdr *h, struct net_hdr *out) MUST_CHECK;

#endif
