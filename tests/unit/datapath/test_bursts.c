/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stages decide once for all frames of a burst that are alike, and have loops of their own for plain bursts. So whatever comes
 * in must have the same fate in a burst of 64 as alone: two pipelines with ports in memory get the same frames, one by one and in bursts
 * of any size, and must send the same bytes in the same order on each port, count the same drops, tell the writer of the same stations, and
 * leave the same ages in the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pipeline.h"
#include "unit/datapath/frames.h"
#include "unit/datapath/packets.h"

#define N_PORTS	   14
#define N_ROUNDS   2000
#define SENT_BYTES (1 << 20)

#define N_MANY 64 /* stations of plain bursts, a quarter behind each of ports 0 to 3 */

struct memory_port {
	struct port port; /* first */
	uint32_t n_bytes;
	uint8_t bytes[SENT_BYTES]; /* of all frames in a row, each behind its length */
};

struct side {
	struct snapshot *cfg;
	struct pipeline *pl;
	struct learn_queue *learn;
	bool learned[256][N_PORTS]; /* stations, and where they were seen */
	struct fdb_entry entries[256];
	size_t n_entries;
	struct memory_port *ports;
};

static struct side alone, together;
static uint64_t state_of_random = 88172645463325252u;

static uint32_t random_below(uint32_t n)
{
	state_of_random ^= state_of_random << 13;
	state_of_random ^= state_of_random >> 7;
	state_of_random ^= state_of_random << 17;
	return (uint32_t)(state_of_random >> 32) % n;
}

/* Ages are shown by the clock: the rounds' seconds lie before now. */
static uint32_t begin_s(void)
{
	static uint32_t at_s;

	if (at_s == 0)
		at_s = (uint32_t)(clock_now_ns() / 1000000000) - N_ROUNDS;
	return at_s;
}

static uint64_t many(uint32_t i)
{
	return frames_mac((uint8_t)(32 + i));
}

static void memory_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	struct memory_port *p = (struct memory_port *)port;

	(void)queue;
	for (uint16_t i = 0; i < n; i++) {
		uint32_t len = frame_out_len(&out[i]);

		assert_true(p->n_bytes + sizeof(len) + len <= SENT_BYTES);
		memcpy(p->bytes + p->n_bytes, &len, sizeof(len));
		frame_out_copy(&out[i], p->bytes + p->n_bytes + sizeof(len), len);
		p->n_bytes += (uint32_t)sizeof(len) + len;
		out[i].drop = DROP_NONE;
	}
}

static const struct port_ops memory_ops = {.type = "memory", .tx = memory_tx};

/*
 * 0, 1: access 10. 2: trunk 10, 20, native 10. 3: trunk 10, 20, none native, takes checksums and TSO. 4: 802.1ad tunnel 20.
 * 5: access 10 with an MTU of 500. 6 and 7: a wire. 8 and 11: links to two more switches, with an access port each, 10 and 13: a flood of 64
 * frames is 128 that cross, which makes the pipeline send in the middle of a burst. Station n is behind port n % 5, 6 behind 5; 4 is sticky, 5 static on a port of another VLAN.
 */
static void side_init(struct side *side)
{
	struct fdb *fdb = fdb_new(512);

	side->cfg = snapshot_new(fdb, N_PORTS, 3, 1);
	side->learn = learn_queue_new(-1);
	side->pl = pipeline_new(0, 1, side->learn);
	side->ports = calloc(N_PORTS, sizeof(*side->ports));
	assert_non_null(side->cfg);
	assert_non_null(side->pl);
	assert_non_null(side->ports);
	for (uint16_t i = 0; i < 3; i++)
		side->cfg->switches[i] = (struct switch_config){.used = true,
								.learning = true,
								.peer_port = 1,
								.reserved = {[3] = RESERVED_PEER}};
	for (uint16_t i = 0; i < N_PORTS; i++) {
		const struct port_spec spec = {.n_queues = i == 1 ? 3 : 1};
		struct port_config *port = &side->cfg->ports[i];

		port_init(&side->ports[i].port, &memory_ops, &spec);
		frames_access_port(port, &side->ports[i].port,
				   i < 9 || i == 11 ? 0
				   : i < 11	    ? 1
						    : 2,
				   i == 4 ? 20 : 10);
		if (i == 2 || i == 3) {
			port->vlan.mode = VLAN_TRUNK;
			port->vlan.pvid = i == 2 ? 10 : VLAN_NONE;
			vlan_port_allow(&port->vlan, 20);
		} else if (i == 4) {
			port->vlan.mode = VLAN_TUNNEL;
			port->vlan.tpid = VLAN_TPID_S;
		} else if (i == 5) {
			port->mtu = 500;
		} else if (i == 8 || i == 9 || i == 11 || i == 12) {
			port->is_patch = true;
			port->peer = i < 11 ? 17 - i : 23 - i;
			port->port = NULL;
		} else if (i == 6 || i == 7) {
			port->role = PORT_WIRE;
			port->peer = i ^ 1;
		}
	}
	side->ports[3].port.tx_offloads = PORT_TX_CSUM | PORT_TX_TSO4;
	for (uint8_t i = 1; i < 8; i++)
		for (uint16_t vid = 10; vid <= 20; vid += 10)
			fdb_learn(fdb, FDB_FID(0, vid), frames_mac(i), i == 6 ? 5 : i % 5,
				  i == 4 ? FDB_STICKY : 0, 0, begin_s());
	fdb_learn(fdb, FDB_FID(0, 10), frames_mac(5), 4, FDB_STATIC, 0, begin_s());
	for (uint16_t i = 0; i < N_MANY; i++)
		fdb_learn(fdb, FDB_FID(0, 10), many(i), i % 4, i % 16 == 9 ? FDB_STICKY : 0, 0,
			  100);
	assert_int_equal(snapshot_finish(side->cfg), 0);
}

static void side_fini(struct side *side)
{
	fdb_free(side->cfg->fdb);
	snapshot_free(side->cfg);
	pipeline_free(side->pl);
	learn_queue_free(side->learn);
	free(side->ports);
}

/* Untagged, between stations; of a hundred, about @percent_odd are not of one that is where it was, or not to one that is known. */
static void make_plain(struct packet *p, uint16_t in_port, uint32_t percent_odd)
{
	uint32_t len = random_below(8) == 0 ? 600 : 60 + random_below(4);
	uint64_t to = many(random_below(N_MANY));
	uint64_t from = many(random_below(N_MANY / 4) * 4 + in_port % 4);

	if (random_below(8) == 0)
		to = frames_mac(6); /* a port whose MTU is less */
	if (random_below(200) < percent_odd)
		to = random_below(8) == 0 ? UINT64_C(0x01005e000001)
					  : frames_mac((uint8_t)random_below(128));
	if (random_below(200) < percent_odd) {
		const uint64_t odd[] = {0, UINT64_C(0x010000000000), many(9) /* sticky */,
					frames_mac((uint8_t)random_below(128))};

		from = odd[random_below(8) < 6 ? 2 + random_below(2) : random_below(2)];
	}
	memset(&p->f, 0, offsetof(struct frame, buf));
	for (uint32_t i = 0; i < len; i++)
		p->bytes[i] = (uint8_t)random_below(256);
	frames_mac_put(p->bytes, to);
	frames_mac_put(p->bytes + 6, from);
	packet_put16(p->bytes + 12, random_below(2) == 0 ? 0x0800 : 0x88b5);
	packet_split(p, len, 700);
	p->f.in_port = in_port;
}

/* Few stations on few ports, so that most frames have others like them; sometimes the odd one. */
static void make(struct packet *p, uint16_t in_port, uint32_t percent_unknown)
{
	static const uint32_t lengths[] = {60,	60,   64,   128,  514,	515, 518,
					   519, 1514, 1518, 1519, 1522, 1600};
	uint32_t len = lengths[random_below(sizeof(lengths) / sizeof(lengths[0]))];
	uint32_t tags[3] = {0}, n_tags = 0;
	uint16_t l3;

	memset(&p->f, 0, offsetof(struct frame, buf));
	if (random_below(3) == 0)
		tags[n_tags++] = (random_below(4) == 0 ? 0x88a80000u : 0x81000000u) |
				 random_below(2) << 13 | random_below(4) * 10;
	if (n_tags > 0 && random_below(4) == 0)
		tags[n_tags++] = 0x81000000u | random_below(3);
	if (random_below(16) == 0)
		len = random_below(26);
	for (uint32_t i = 0; i < len; i++)
		p->bytes[i] = (uint8_t)random_below(256);
	frames_mac_put(p->bytes, frames_mac((uint8_t)(1 + random_below(8))));
	frames_mac_put(
		p->bytes + 6,
		frames_mac((uint8_t)(in_port + (random_below(8) == 0 ? 1 + random_below(5) : 0))));
	switch (random_below(24)) {
	case 0:
		memset(p->bytes, 0xff, 6);
		break;
	case 1:
		frames_mac_put(p->bytes, UINT64_C(0x0180c2000000) + random_below(16));
		break;
	case 2:
		p->bytes[6] |= 1;
		break;
	default:
		break;
	}
	if (random_below(100) < percent_unknown)
		p->bytes[0] = 0x06;
	l3 = 12;
	for (uint32_t i = 0; i < n_tags; i++, l3 += 4) {
		packet_put16(p->bytes + l3, tags[i] >> 16);
		packet_put16(p->bytes + l3 + 2, tags[i]);
	}
	packet_put16(p->bytes + l3, 0x0800);
	l3 += 2;
	p->bytes[l3] = 0x45;
	p->bytes[l3 + 1] = 0; /* a run's key ends here, and with a length that is told below */
	packet_put16(p->bytes + l3 + 2, 0);
	packet_put16(p->bytes + l3 + 6, 0);
	p->bytes[l3 + 9] = 6;
	p->bytes[l3 + 32] = 0x50; /* TCP, no options */
	if (len >= 128 && random_below(3) == 0) {
		packet_put16(p->bytes + l3 + 2, len - l3);
		p->f.offload.flags = FRAME_NEEDS_CSUM;
		p->f.offload.csum_start = l3 + 20;
		p->f.offload.csum_offset = random_below(16) == 0 ? 2 : 16;
		if (random_below(2) == 0) {
			p->f.offload.gso = FRAME_GSO_TCP4;
			p->f.offload.gso_size = (uint16_t)(100 + random_below(1500));
		}
	}
	packet_split(p, len, 700);
	p->f.in_port = in_port;
}

static void copy_to(struct frame *to, const struct packet *from)
{
	*to = from->f;
	to->hdr = to->buf + (from->f.hdr - from->f.buf);
}

static uint64_t drops_compare(void)
{
	uint64_t n = 0;

	for (uint16_t i = 0; i < N_PORTS; i++) {
		const struct port *a = &alone.ports[i].port, *b = &together.ports[i].port;

		for (int reason = 0; reason < DROP_N; reason++) {
			if (a->drops[0].by_reason[reason] != b->drops[0].by_reason[reason])
				fail_msg("port %u: %s: %lu alone, %lu together", i,
					 drop_name(reason),
					 (unsigned long)a->drops[0].by_reason[reason],
					 (unsigned long)b->drops[0].by_reason[reason]);
			n += a->drops[0].by_reason[reason] != 0;
		}
	}
	return n;
}

static void note(const struct learn_event *event, void *arg)
{
	struct side *side = arg;

	side->learned[event->mac % 256][event->port] = true;
}

/* What was learned in the round. Some may be told the writer more often alone. */
static void learned_compare(void)
{
	learn_drain(alone.learn, UINT32_MAX, note, &alone);
	learn_drain(together.learn, UINT32_MAX, note, &together);
	assert_memory_equal(alone.learned, together.learned, sizeof(alone.learned));
	memset(alone.learned, 0, sizeof(alone.learned));
	memset(together.learned, 0, sizeof(together.learned));
	alone.pl->now_tsc = together.pl->now_tsc += UINT64_C(1) << 32;
}

static bool entry_note(const struct fdb_entry *entry, void *arg)
{
	struct side *side = arg;

	side->entries[side->n_entries++] = *entry;
	return true;
}

static int entry_order(const void *a, const void *b)
{
	const struct fdb_entry *x = a, *y = b;

	if (x->fid != y->fid)
		return x->fid < y->fid ? -1 : 1;
	return x->mac < y->mac ? -1 : x->mac > y->mac;
}

static void entries_list(struct side *side)
{
	side->n_entries = 0;
	fdb_walk(side->cfg->fdb, entry_note, side);
	qsort(side->entries, side->n_entries, sizeof(side->entries[0]), entry_order);
}

/* Ports and ages: who sent was seen, now. */
static void tables_compare(void)
{
	entries_list(&alone);
	entries_list(&together);
	assert_int_equal(alone.n_entries, together.n_entries);
	for (size_t i = 0; i < alone.n_entries; i++) {
		const struct fdb_entry *a = &alone.entries[i], *b = &together.entries[i];

		assert_int_equal(a->mac, b->mac);
		assert_int_equal(a->port, b->port);
		/* of two looks at the clock */
		assert_in_range(b->age_s, a->age_s, a->age_s + 1);
	}
}

static void same_fate(bool is_watched)
{
	static struct packet packets[FRAME_BURST];
	static struct frame frames[FRAME_BURST];
	static const uint16_t hosts[] = {0, 1, 2, 3, 4, 5, 6, 7, 10, 13};
	uint64_t sent = 0;

	side_init(&alone);
	side_init(&together);
	together.cfg->is_watched = is_watched;
	for (int round = 0; round < N_ROUNDS; round++) {
		uint16_t n = (uint16_t)(1 + random_below(FRAME_BURST));
		uint16_t in_port = hosts[random_below(sizeof(hosts) / sizeof(hosts[0]))];
		/* As of a tunnel. Those behind other switches may then get their frames in another order. */
		uint32_t percent_unknown = random_below(2) == 0 ? 65 : 20;
		bool is_mixed = random_below(4) == 0, is_plain = random_below(2) == 0;
		uint32_t percent_odd = random_below(3) * 5; /* none, 5 or 10 */

		if (is_plain)
			in_port %= 4;
		alone.pl->now_s = together.pl->now_s = begin_s() + (uint32_t)round / 64;

		for (uint16_t i = 0; i < n; i++) {
			if (is_plain)
				make_plain(&packets[i], in_port, percent_odd);
			else
				make(&packets[i], is_mixed ? (uint16_t)random_below(8) : in_port,
				     percent_unknown);
			copy_to(&frames[i], &packets[i]);
			pipeline_run(alone.pl, alone.cfg, &frames[i], 1);
		}
		for (uint16_t i = 0; i < n; i++)
			copy_to(&frames[i], &packets[i]);
		pipeline_run(together.pl, together.cfg, frames, n);
		for (uint16_t i = 0; i < N_PORTS; i++) {
			struct memory_port *a = &alone.ports[i], *b = &together.ports[i];

			assert_int_equal(a->n_bytes, b->n_bytes);
			if (i != 1) /* three queues: the order between them is nobody's */
				assert_memory_equal(a->bytes, b->bytes, a->n_bytes);
			sent += a->n_bytes;
			a->n_bytes = b->n_bytes = 0;
		}
		drops_compare();
		learned_compare();
		if (round % 8 == 0)
			tables_compare();
	}
	assert_true(sent > 1000000);
	assert_true(drops_compare() >= 20); /* kinds of drops on ports */
	side_fini(&alone);
	side_fini(&together);
}

static void a_frame_has_the_same_fate_in_any_burst(void **state)
{
	(void)state;
	same_fate(false);
}

static void and_while_somebody_looks(void **state)
{
	(void)state;
	same_fate(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_has_the_same_fate_in_any_burst),
		cmocka_unit_test(and_while_somebody_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
