/* links: vxlan datapath base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the underlay may say to a session that watches over a cable: first a frame that came with the OAM flag, then a row of control packets
 * with time between them, as bytes or made so that they are for this session.
 *
 * Input: byte 0 chooses the family and whether checksums are made right, byte 1 the frame's length, the frame, then 26 bytes a packet: time,
 * repairs, the packet.
 */
#include <stdlib.h>
#include <string.h>

#include "bfd_session.h"
#include "checksum.h"
#include "wire.h"

#define MS    UINT64_C(1000000)
#define DISCR 0x01020304

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { V6 = 1, REPAIR = 2 };
enum { FOR_US = 1, VALID = 2, END = 4, CHANGE = 8 };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void frame_repair(uint8_t *bytes, uint32_t len, bool is_v6)
{
	uint8_t *ip = bytes + WIRE_ETH_LEN, *udp = ip + (is_v6 ? WIRE_IP6_LEN : WIRE_IP4_LEN);
	uint32_t addresses_len = is_v6 ? 32 : 8;
	uint16_t udp_len;

	if (len < (uint32_t)(udp - bytes) + WIRE_UDP_LEN)
		return;
	if (!is_v6) {
		memset(ip + 10, 0, 2);
		checksum_store(ip + 10, checksum_sum(ip, WIRE_IP4_LEN));
	}
	udp_len = wire_get16(udp + 4);
	if (udp_len < WIRE_UDP_LEN || udp_len > len - (uint32_t)(udp - bytes))
		return;
	memset(udp + 6, 0, 2);
	checksum_store_udp(udp + 6, checksum_pseudo(udp - addresses_len, addresses_len,
						    WIRE_PROTO_UDP, udp_len) +
					    checksum_sum(udp, udp_len));
}

/* Only its snapshot is read; so it is all there is, to the byte. */
static void frame_try(const uint8_t *data, uint32_t len, uint8_t how)
{
	struct vxlan_ip remote = {.is_v6 = (how & V6) != 0};
	struct bfd_packet packet;
	uint8_t *bytes = malloc(len + 1);
	struct frame f = {.len = len, .hdr_len = (uint16_t)len};

	check(bytes != NULL);
	memcpy(bytes, data, len);
	if ((how & REPAIR) != 0)
		frame_repair(bytes, len, remote.is_v6);
	f.hdr = bytes;
	if (len >= WIRE_ETH_LEN + WIRE_IP6_LEN)
		memcpy(remote.b, bytes + WIRE_ETH_LEN + (remote.is_v6 ? 8 : 12),
		       remote.is_v6 ? 16 : 4);
	if (bfd_frame_parse(&f, &remote, &packet))
		check(packet.my_discr != 0 && packet.detect_mult != 0 &&
		      len >= WIRE_ETH_LEN + WIRE_IP4_LEN + WIRE_UDP_LEN + BFD_LEN);
	free(bytes);
}

static void session_check(const struct bfd_session *session)
{
	check(session->state == BFD_DOWN || session->state == BFD_INIT || session->state == BFD_UP);
	check(session->discr == DISCR);
	check(session->state == BFD_DOWN || session->remote_discr != 0);
	check(session->state == BFD_DOWN || session->expires_ns != BFD_NEVER);
	check(!bfd_session_is_whole(session) || session->state == BFD_UP);
}

/* Everything that is due until then, as the control thread does it. */
static void run(struct bfd_session *session, uint64_t *now_ns, uint64_t until_ns)
{
	struct bfd_packet sent, read;
	uint8_t bytes[BFD_LEN], again[BFD_LEN];
	uint64_t last_ns = 0;

	for (int i = 0; i < 1000 && bfd_session_next_ns(session) <= until_ns; i++) {
		if (bfd_session_next_ns(session) > *now_ns)
			*now_ns = bfd_session_next_ns(session);
		bfd_session_expire(session, *now_ns);
		check(session->expires_ns > *now_ns);
		session_check(session);
		if (session->send_at_ns > *now_ns)
			continue;
		check(last_ns == 0 || *now_ns >= last_ns + 10 * MS);
		last_ns = *now_ns;
		bfd_session_send(session, &sent, *now_ns);
		check(session->send_at_ns > *now_ns);
		bfd_write(&sent, bytes);
		check(bfd_parse(bytes, sizeof(bytes), &read));
		bfd_write(&read, again);
		check(memcmp(bytes, again, sizeof(bytes)) == 0 && !(read.poll && read.final));
	}
	*now_ns = until_ns;
}

static void hear(struct bfd_session *session, const uint8_t *in, uint64_t now_ns)
{
	struct bfd_session before = *session;
	uint8_t bytes[BFD_LEN];
	struct bfd_packet packet;

	memcpy(bytes, in + 2, sizeof(bytes));
	if ((in[1] & VALID) != 0) {
		bytes[0] = (uint8_t)(1 << 5 | (bytes[0] & 0x1f));
		bytes[1] &= (uint8_t)~0x05;
		bytes[3] = BFD_LEN;
	}
	if ((in[1] & FOR_US) != 0)
		wire_put32(bytes + 8, DISCR);
	if (bfd_parse(bytes, sizeof(bytes), &packet) &&
	    !bfd_session_receive(session, &packet, now_ns))
		check(memcmp(&before, session, sizeof(before)) == 0);
	session_check(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t now_ns = 1000 * MS;
	struct bfd_session session;
	uint32_t len;

	if (size < 2)
		return 0;
	len = data[1] < size - 2 ? data[1] : (uint32_t)size - 2;
	if (len > FRAME_HDR_MAX)
		len = FRAME_HDR_MAX;
	frame_try(data + 2, len, data[0]);
	data += 2 + len;
	size -= 2 + len;

	bfd_session_init(&session, DISCR, 300000, 3, false, now_ns);
	for (; size >= 2 + BFD_LEN; data += 2 + BFD_LEN, size -= 2 + BFD_LEN) {
		run(&session, &now_ns, now_ns + (uint64_t)data[0] * data[0] * MS / 16);
		if ((data[1] & END) != 0)
			bfd_session_end(&session, !session.end_is_down, now_ns);
		if ((data[1] & CHANGE) != 0)
			bfd_session_change(&session, 50000 + (uint32_t)data[0] * 10000,
					   (uint8_t)(1 + data[0] % 50), now_ns);
		hear(&session, data, now_ns);
	}
	return 0;
}
