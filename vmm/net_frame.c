/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_frame - may a frame with this header go on? The virtio network header, checked and made anew.
 *
 * A guest's header steers the host kernel's segmentation, so nothing of it is passed on as it came: for
 * a frame to be cut the headers themselves are looked at and must agree with what is claimed.
 */
#include "vmm/net_frame.h"

#include <errno.h>
#include <stdbool.h>

#define ETH_IPV4 0x0800u
#define ETH_IPV6 0x86ddu
#define ETH_VLAN 0x8100u
#define ETH_QINQ 0x88a8u
#define VLAN_BYTES 4u
#define IP_TCP 6u
#define IP_UDP 17u
#define TCP_CSUM_OFFSET 16u
#define UDP_CSUM_OFFSET 6u
#define UDP_BYTES 8u
#define LEAST_TCP_SEGMENT 8u /* Linux: TCP_MIN_SND_MSS less the longest options */
#define MOST_UDP_SEGMENTS 128u /* Linux: UDP_MAX_SEGMENTS */

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Where the transport header of the frame begins, and which it is. */
struct transport {
	size_t at;
	unsigned protocol;
	bool v6;
};

/* Extension headers of IPv6 are taken on trust: @csum_start says where they end. */
static int find_transport(const uint8_t *head, size_t n, size_t csum_start, struct transport *out)
{
	size_t ip = NET_MIN_FRAME;
	unsigned type = be16(head + 12);

	if ((type == ETH_VLAN || type == ETH_QINQ) && n >= NET_MIN_FRAME + VLAN_BYTES) {
		type = be16(head + 16);
		ip += VLAN_BYTES;
	}
	if (type == ETH_IPV4 && n >= ip + 20 && head[ip] >> 4 == 4 && (head[ip] & 15) >= 5) {
		*out = (struct transport){ .at = ip + (head[ip] & 15u) * 4u, .protocol = head[ip + 9] };
		return 0;
	}
	if (type != ETH_IPV6 || n < ip + 40 || head[ip] >> 4 != 6 || csum_start < ip + 40)
		return -EINVAL;
	*out = (struct transport){ .at = csum_start, .protocol = head[ip + 6], .v6 = true };
	if ((out->protocol == IP_TCP || out->protocol == IP_UDP) && csum_start != ip + 40)
		return -EINVAL;
	return 0;
}

static int check_tcp(const struct net_hdr *h, const uint8_t *head, size_t n,
		     const struct transport *t, size_t *out_hdr_len)
{
	size_t options;

	if (h->csum_offset != TCP_CSUM_OFFSET || h->gso_size < LEAST_TCP_SEGMENT || n < t->at + 20)
		return -EINVAL;
	if (!t->v6 && t->protocol != IP_TCP)
		return -EINVAL;
	options = (head[t->at + 12] >> 4) * 4u;
	if (options < 20)
		return -EINVAL;
	*out_hdr_len = t->at + options;
	return 0;
}

static int check_udp(const struct net_hdr *h, size_t frame, const struct transport *t,
		     size_t *out_hdr_len)
{
	if (h->csum_offset != UDP_CSUM_OFFSET || h->gso_size == 0 || frame < t->at + UDP_BYTES)
		return -EINVAL;
	if (!t->v6 && t->protocol != IP_UDP)
		return -EINVAL;
	if (frame - t->at - UDP_BYTES > (size_t)h->gso_size * MOST_UDP_SEGMENTS)
		return -EINVAL;
	*out_hdr_len = t->at + UDP_BYTES;
	return 0;
}

/* A frame that the host is to cut into segments. */
static int check_gso(uint64_t features, const struct net_hdr *h, const uint8_t *head, size_t frame,
		     struct net_hdr *out)
{
	size_t n = frame < NET_HEAD_BYTES ? frame : NET_HEAD_BYTES;
	unsigned type = h->gso_type & ~NET_GSO_ECN;
	size_t hdr_len = 0;
	struct transport t;
	uint64_t need;
	int r;

	if (!(h->flags & NET_HDR_NEEDS_CSUM) || find_transport(head, n, h->csum_start, &t) < 0 ||
	    t.at != h->csum_start)
		return -EINVAL;
	need = type == NET_GSO_UDP_L4 ? NET_F_HOST_USO : t.v6 ? NET_F_HOST_TSO6 : NET_F_HOST_TSO4;
	if (h->gso_type & NET_GSO_ECN)
		need |= NET_F_HOST_ECN;
	if ((features & need) != need)
		return -EINVAL;
	if (type == NET_GSO_UDP_L4 && !(h->gso_type & NET_GSO_ECN))
		r = check_udp(h, frame, &t, &hdr_len);
	else if (type == (t.v6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4))
		r = check_tcp(h, head, n, &t, &hdr_len);
	else
		r = -EINVAL;
	if (r < 0 || hdr_len > frame)
		return -EINVAL;
	out->gso_type = h->gso_type;
	out->gso_size = h->gso_size;
	out->hdr_len = (uint16_t)hdr_len;
	return 0;
}

int net_frame_check_tx(uint64_t features, uint32_t mtu, const struct net_hdr *h,
		       const uint8_t *head, size_t frame_bytes, struct net_hdr *out)
{
	struct net_hdr made = { 0 };

	if (frame_bytes < NET_MIN_FRAME || frame_bytes > NET_MAX_FRAME)
		return -EINVAL;
	if (h->flags & ~(NET_HDR_NEEDS_CSUM | NET_HDR_DATA_VALID))
		return -EINVAL;
	if (h->flags & NET_HDR_NEEDS_CSUM) {
		if (!(features & NET_F_CSUM) || h->csum_start < NET_MIN_FRAME ||
		    (size_t)h->csum_start + h->csum_offset + 2 > frame_bytes)
			return -EINVAL;
		made.flags = NET_HDR_NEEDS_CSUM;
		made.csum_start = h->csum_start;
		made.csum_offset = h->csum_offset;
	}
	if (h->gso_type != NET_GSO_NONE) {
		if (check_gso(features, h, head, frame_bytes, &made) < 0)
			return -EINVAL;
	} else if (mtu > 0 && frame_bytes > (size_t)mtu + NET_MIN_FRAME + VLAN_BYTES) {
		return -EINVAL;
	}
	*out = made;
	return 0;
}

int net_frame_check_rx(uint64_t features, const struct net_hdr *h, struct net_hdr *out)
{
	static const struct {
		uint8_t type;
		uint64_t need;
	} kinds[] = {
		{ NET_GSO_NONE, 0 },
		{ NET_GSO_TCPV4, NET_F_GUEST_TSO4 },
		{ NET_GSO_TCPV6, NET_F_GUEST_TSO6 },
		{ NET_GSO_TCPV4 | NET_GSO_ECN, NET_F_GUEST_TSO4 | NET_F_GUEST_ECN },
		{ NET_GSO_TCPV6 | NET_GSO_ECN, NET_F_GUEST_TSO6 | NET_F_GUEST_ECN },
		{ NET_GSO_UDP_L4, NET_F_GUEST_USO4 | NET_F_GUEST_USO6 },
	};
	bool csum = features & NET_F_GUEST_CSUM;

	if ((h->flags & NET_HDR_NEEDS_CSUM) && !csum)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].type != h->gso_type)
			continue;
		if ((features & kinds[i].need) != kinds[i].need)
			return -EINVAL;
		*out = *h;
		out->num_buffers = 0;
		out->flags &= csum ? NET_HDR_NEEDS_CSUM | NET_HDR_DATA_VALID : 0;
		return 0;
	}
	return -EINVAL;
}
