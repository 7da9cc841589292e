/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings of probes, mirrors' cuts, and what a dry run leaves behind. Ports are in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cycles.h"
#include "pipeline.h"
#include "probe/probe.h"
#include "unit/datapath/frames.h"
#include "unit/datapath/packets.h"

#define N_PORTS 4

static struct memory_port {
	struct port port; /* first */
	enum drop_reason refuse;
	uint32_t n;
	uint32_t len;
	uint8_t bytes[FRAME_LEN_MAX]; /* of the last frame */
} ports[N_PORTS];

static struct snapshot *cfg;
static struct pipeline *pl;
static struct learn_queue *learn;
static struct packet packet;
static struct probe *probe;

static void memory_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	struct memory_port *p = (struct memory_port *)port;

	(void)queue;
	for (uint16_t i = 0; i < n; i++) {
		out[i].drop = (uint8_t)p->refuse;
		if (p->refuse != DROP_NONE)
			continue;
		p->n++;
		p->len = frame_out_len(&out[i]);
		packet_flatten(&out[i], p->bytes);
	}
}

static const struct port_ops memory_ops = {.type = "memory", .tx = memory_tx};

/* 0 and 1: access 10; 2: access 20; 3: on no switch. Station 2 is behind port 1. */
static int set_up(void **state)
{
	(void)state;
	learn = learn_queue_new(-1);
	pl = pipeline_new(0, 1, learn);
	cfg = snapshot_new(fdb_new(64), N_PORTS, 1, 1);
	cfg->switches[0] =
		(struct switch_config){.used = true, .learning = true, .peer_port = SNAPSHOT_NONE};
	for (uint16_t i = 0; i < N_PORTS; i++) {
		const struct port_spec spec = {.n_queues = 1};

		memset(&ports[i], 0, sizeof(ports[i]));
		port_init(&ports[i].port, &memory_ops, &spec);
		frames_access_port(&cfg->ports[i], &ports[i].port, 0, i == 2 ? 20 : 10);
	}
	cfg->ports[3].role = PORT_DETACHED;
	cfg->ports[3].sw = SNAPSHOT_NONE;
	fdb_learn(cfg->fdb, FDB_FID(0, 10), frames_mac(2), 1, 0, 0, 100);
	probe = probe_new(1, 1 << 16);
	cfg->probes[5] = probe;
	return snapshot_finish(cfg);
}

static int tear_down(void **state)
{
	(void)state;
	probe_free(probe);
	fdb_free(cfg->fdb);
	snapshot_free(cfg);
	pipeline_free(pl);
	learn_queue_free(learn);
	return 0;
}

static void inject(uint8_t from, uint8_t to, uint32_t len, uint16_t in_port)
{
	struct frame f;

	memset(&packet.f, 0, offsetof(struct frame, buf));
	frames_make(packet.bytes, from, to, len, 0);
	packet_split(&packet, len, 333);
	packet.f.in_port = in_port;
	f = packet.f;
	f.hdr = f.buf + (packet.f.hdr - packet.f.buf);
	pipeline_run(pl, cfg, &f, 1);
}

static void watch(uint16_t port, enum probe_point point)
{
	cfg->is_watched = true;
	cfg->ports[port].watch[point] |= UINT64_C(1) << 5;
	if (point == PROBE_IN)
		cfg->watched_in |= UINT64_C(1) << 5;
}

static const struct probe_record *next(struct probe_ring **ring)
{
	return probe_next(probe, ring);
}

static void a_frame_is_seen_where_it_is_and_nowhere_else(void **state)
{
	static const enum probe_point points[] = {PROBE_IN, PROBE_OUT, PROBE_DROP};
	const struct probe_record *record;
	struct probe_ring *ring;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (uint16_t port = 0; port < N_PORTS; port++)
			watch(port, points[i]);
	inject(1, 2, 700, 0);
	record = next(&ring);
	assert_non_null(record);
	assert_int_equal(record->point, PROBE_IN);
	assert_int_equal(record->port, 0);
	assert_true(record->inbound);
	assert_int_equal(record->cap_len, 700);
	assert_memory_equal(record + 1, packet.bytes, 700);
	probe_ring_pop(ring, record);
	record = next(&ring);
	assert_int_equal(record->point, PROBE_OUT);
	assert_int_equal(record->port, 1);
	assert_int_equal(record->vid, 10);
	assert_false(record->inbound);
	probe_ring_pop(ring, record);
	assert_null(next(&ring));

	ports[1].refuse = DROP_NO_ROOM;
	inject(1, 2, 60, 0);
	record = next(&ring);
	probe_ring_pop(ring, record); /* in */
	record = next(&ring);
	assert_int_equal(record->point, PROBE_DROP);
	assert_int_equal(record->port, 1);
	assert_int_equal(record->reason, DROP_NO_ROOM);
	assert_false(record->inbound);
	probe_ring_pop(ring, record);
	assert_null(next(&ring));

	inject(1, 1, 10, 0); /* a runt */
	record = next(&ring);
	probe_ring_pop(ring, record);
	record = next(&ring);
	assert_int_equal(record->reason, DROP_RUNT);
	assert_true(record->inbound);
	assert_int_equal(record->wire_len, 10);
}

/* The pipeline has functions for when nobody looks and others for when somebody does: which ones is decided anew for each burst. */
static void looking_begins_and_ends_with_the_next_burst(void **state)
{
	static struct cycles cycles;
	static struct trace trace;
	uint64_t seen, frames, lost;

	(void)state;
	inject(1, 2, 60, 0);
	watch(0, PROBE_IN);
	watch(1, PROBE_OUT);
	inject(1, 2, 60, 0);
	cfg->is_watched = false; /* as in a snapshot without probes */
	inject(1, 2, 60, 0);
	probe_count(probe, &seen, &frames, &lost);
	assert_int_equal(seen, 2);
	pl->trace = &trace;
	inject(1, 2, 60, 0);
	assert_int_equal(trace.events[trace.n - 1].kind, TRACE_SENT);
	pl->trace = NULL;
	trace.n = 0;
	inject(1, 2, 60, 0);
	assert_int_equal(trace.n, 0);
	assert_int_equal(ports[1].n, 5);

	cycles_begin(&cycles);
	cycles.cost = 0;
	cycles.away_min = UINT64_MAX;
	inject(1, 2, 60, 0);
	cycles_end();
	for (int stage = CYCLES_PARSE; stage <= CYCLES_SEND; stage++)
		assert_true(cycles.spent[stage] > 0);
	seen = cycles.spent[CYCLES_SEND];
	inject(1, 2, 60, 0);
	assert_int_equal(cycles.spent[CYCLES_SEND], seen);
}

static void a_full_ring_loses_counts_and_goes_on(void **state)
{
	const struct probe_record *record;
	struct probe_ring *ring = NULL;
	uint64_t seen, frames, lost, read = 0, told = 0;

	(void)state;
	watch(0, PROBE_IN);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 30; i++)
			inject(1, 2, (uint32_t)(60 + (round * 131 + i * 977) % 1400), 0);
		for (int i = 0; i < round && (record = next(&ring)) != NULL; i++) {
			assert_int_equal(record->cap_len, record->wire_len);
			for (uint32_t k = 14; k < record->cap_len; k++)
				assert_int_equal(((const uint8_t *)(record + 1))[k], (uint8_t)k);
			read++;
			told += record->lost;
			probe_ring_pop(ring, record);
		}
	}
	while ((record = next(&ring)) != NULL) {
		read++;
		told += record->lost;
		probe_ring_pop(ring, record);
	}
	probe_count(probe, &seen, &frames, &lost);
	assert_int_equal(seen, 1500);
	assert_int_equal(frames, 1500);
	assert_true(lost > 100);
	assert_int_equal(read + lost, 1500);
	assert_int_equal(told + probe->rings[0]->lost, lost);
	assert_int_equal(probe->rings[0]->port_lost[0], lost);
	assert_int_equal(ports[1].n, 1500); /* and all were forwarded */
}

/* Of more than half of the ring, wherever it begins: one may be lost, the next finds room. */
static void a_record_of_more_than_half_a_ring_fits_some_time(void **state)
{
	const uint32_t lens[] = {40000, 60, 40000, 63000, 60, 33000, 63000};
	const struct probe_record *record;
	struct probe_ring *ring;
	uint32_t n_lost = 0;

	(void)state;
	watch(0, PROBE_IN);
	cfg->ports[0].mtu = UINT16_MAX;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		memset(&packet.f, 0, offsetof(struct frame, buf));
		frames_make(packet.bytes, 1, 2, lens[i], 0);
		for (int times = 0;; times++) {
			struct frame f;

			packet_split(&packet, lens[i], 2000);
			f = packet.f;
			f.hdr = f.buf + (packet.f.hdr - packet.f.buf);
			pipeline_run(pl, cfg, &f, 1);
			record = next(&ring);
			if (record != NULL)
				break;
			assert_int_equal(times, 0);
			n_lost++;
		}
		assert_int_equal(record->cap_len, lens[i]);
		assert_memory_equal(record + 1, packet.bytes, lens[i]);
		probe_ring_pop(ring, record);
		assert_null(next(&ring));
	}
	assert_int_equal(probe->rings[0]->n_lost, n_lost);
	assert_true(n_lost > 0);
}

static void samples_are_one_of_so_many(void **state)
{
	const struct probe_record *record;
	struct probe_ring *ring;
	uint32_t n = 0;

	(void)state;
	watch(0, PROBE_IN);
	probe->sample = 20;
	probe->snaplen = 14;
	for (int i = 0; i < 40000; i++) {
		inject(1, 2, 60, 0);
		while ((record = next(&ring)) != NULL) {
			assert_int_equal(record->cap_len, 14);
			probe_ring_pop(ring, record);
			n++;
		}
	}
	assert_in_range(n, 1700, 2300); /* 2000, and ten standard deviations */
	assert_int_equal(probe->rings[0]->port_seen[0], 40000);
}

/* Whatever is cut, what arrives are the first bytes of the frame. */
static void mirrors_copy_and_cut(void **state)
{
	static struct mirror mirror;

	(void)state;
	cfg->mirrors[0] = &mirror;
	cfg->mirror_to[0] = 3;
	cfg->is_watched = true;
	cfg->mirrored_in = 1;
	for (uint16_t port = 0; port < 2; port++)
		cfg->ports[port].mirror_in = 1;
	mirror = (struct mirror){.vid = 0};
	inject(1, 2, 1400, 0);
	assert_int_equal(ports[3].len, 1400);
	assert_memory_equal(ports[3].bytes, packet.bytes, 1400);
	for (uint32_t len = 14; len < 1400; len += 7) {
		mirror.snaplen = len;
		inject(1, 2, 1400, 0);
		assert_int_equal(ports[3].len, len);
		assert_memory_equal(ports[3].bytes, packet.bytes, len);
		assert_int_equal(ports[1].len, 1400);
	}
	mirror = (struct mirror){.vid = 20};
	ports[3].n = 0;
	inject(1, 2, 60, 0);
	assert_int_equal(ports[3].n, 0);
	/* On the way out, with the tag of that port; and once only, though both ports are mirrored */
	mirror = (struct mirror){.vid = 0};
	cfg->ports[0].mirror_in = cfg->ports[1].mirror_in = 0;
	cfg->ports[1].mirror_out = 1;
	cfg->ports[1].vlan.mode = VLAN_TRUNK;
	cfg->ports[1].vlan.pvid = VLAN_NONE;
	inject(1, 2, 60, 0);
	assert_int_equal(ports[3].n, 1);
	assert_int_equal(ports[3].len, 64);
	assert_int_equal(ports[3].bytes[15], 10);
	assert_int_equal(mirror.n_copies[0], 1);
}

static void no_event(const struct learn_event *event, void *arg)
{
	(void)event;
	(*(unsigned int *)arg)++;
}

static uint32_t ageing(uint32_t fid, void *arg)
{
	(void)fid;
	(void)arg;
	return 300;
}

static uint64_t drops_of_all(void)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < N_PORTS; i++)
		for (int reason = 0; reason < DROP_N; reason++)
			sum += ports[i].port.drops[0].by_reason[reason];
	return sum;
}

static void a_dry_run_leaves_nothing_behind(void **state)
{
	static struct trace trace;
	struct probe_ring *ring;
	unsigned int learned = 0;
	uint8_t kinds = 0;

	(void)state;
	for (uint16_t port = 0; port < N_PORTS; port++) {
		watch(port, PROBE_IN);
		watch(port, PROBE_OUT);
		watch(port, PROBE_DROP);
	}
	trace = (struct trace){.dry = true};
	pl->trace = &trace;
	pl->now_s = 5000;
	inject(1, 2, 700, 0); /* a station nobody knows, to one that is known */
	inject(2, 1, 60, 1);  /* a known one, whose age would be refreshed; a flood */
	inject(1, 2, 60, 2);  /* to nobody */
	inject(1, 1, 60, 3);  /* not attached */
	pl->trace = NULL;
	for (uint16_t i = 0; i < trace.n; i++)
		kinds |= (uint8_t)(1 << trace.events[i].kind);
	assert_true((kinds & (1 << TRACE_STAGE)) != 0);
	assert_true((kinds & (1 << TRACE_OUT)) != 0);
	assert_true((kinds & (1 << TRACE_DROP)) != 0);
	assert_true((kinds & (1 << TRACE_SKIP)) != 0);
	assert_true((kinds & (1 << TRACE_SENT)) == 0);
	for (uint16_t i = 0; i < N_PORTS; i++) {
		assert_int_equal(ports[i].n, 0);
		assert_int_equal(ports[i].port.txq[0].pkts, 0);
	}
	assert_int_equal(drops_of_all(), 0);
	assert_null(next(&ring));
	learn_drain(learn, UINT32_MAX, no_event, &learned);
	assert_int_equal(learned, 0);
	/* Had it been refreshed, it would not be old enough at 5000 s */
	assert_int_equal(fdb_count(cfg->fdb), 1);
	fdb_age(cfg->fdb, 5000, ageing, NULL, SIZE_MAX);
	assert_int_equal(fdb_count(cfg->fdb), 0);
}

static void a_trace_that_is_too_long_says_how_much_is_missing(void **state)
{
	static struct trace trace;

	(void)state;
	trace = (struct trace){.dry = true};
	pl->trace = &trace;
	for (int i = 0; i < 100; i++)
		inject(1, 2, 60, 0);
	pl->trace = NULL;
	assert_int_equal(trace.n, TRACE_EVENTS_MAX);
	assert_true(trace.n_more > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_frame_is_seen_where_it_is_and_nowhere_else,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(looking_begins_and_ends_with_the_next_burst, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_full_ring_loses_counts_and_goes_on, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_record_of_more_than_half_a_ring_fits_some_time,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(samples_are_one_of_so_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mirrors_copy_and_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dry_run_leaves_nothing_behind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_trace_that_is_too_long_says_how_much_is_missing,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
