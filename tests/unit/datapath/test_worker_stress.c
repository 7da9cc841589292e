/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Four workers under traffic while everything around them changes: queues and impaired directions change hands, ports go and come back, links get bad
 * and good, captures and mirrors begin and end, stations are forgotten, peers replace their descriptors.
 *
 *    switch 0: ports 0, 1, 2, 3 ==== patch link, impaired ==== switch 1: ports 6, 7     port 4 <==== wire ====> port 5
 *              0 impaired on the way in                                                              impaired at times
 *
 * No queue may be polled by two workers at a time, no frame of a flow may overtake another, no frame of the wire may go without being
 * counted, and every frame that waits must be found, however often its queue has moved. Bounded by counts: it runs as long as the machine takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "datapath.h"
#include "probe/probe.h"
#include "unit/datapath/stress_port.h"

#define WORKERS 4
#ifdef __SANITIZE_THREAD__
#define ROUNDS 120 /* twenty times slower */
#else
#define ROUNDS 800
#endif
#define FRAMES_ROUND 300 /* at least, between two changes */
#define WAITING_MAX  96	 /* frames of one queue */
#define WAIT_NS	     (100 * CLOCK_NS_PER_SECOND)
#define PATCH_A	     STRESS_PORTS
#define PATCH_B	     (STRESS_PORTS + 1)
#define N_PORTS	     (STRESS_PORTS + 2)
#define PROBE	     3
#define VID	     10
#define DELAY_NS     200000

static struct stress_port ports[STRESS_PORTS];
static struct port_drops patch_drops[2][PORT_WORKERS_MAX];
static struct port_queue_stats patch_stats[2][2 * PORT_WORKERS_MAX];
static _Atomic bool stop_peers;

/* What the next snapshot will say. */
static struct {
	uint16_t pollers[STRESS_PORTS][STRESS_QUEUES];
	uint16_t emptiers[N_PORTS][IMPAIR_DIRECTIONS];
	bool is_away[STRESS_PORTS], is_down[STRESS_PORTS];
	struct impair *in_0, *out_patch, *out_5;
	uint64_t delay_ns;
	struct probe *probe;
	struct mirror *mirror;
} want;

static uint64_t n_moves,
	n_forgotten; /* queues that changed hands; frames that waited in an impairment that went */

static uint32_t pick(uint32_t n)
{
	return (uint32_t)random() % n;
}

static void impair_fill(struct snapshot *s, struct port_impair *impair, uint16_t port,
			enum impair_direction direction, struct impair *state, uint64_t delay_ns,
			uint32_t loss_ppm)
{
	if (state == NULL)
		return;
	impair->state[direction] = state;
	impair->params[direction] =
		(struct impair_params){.delay_ns = delay_ns, .loss_ppm = loss_ppm};
	s->ports[port].impair = impair;
	snapshot_move(s, port, SNAPSHOT_DIRECTION(direction), want.emptiers[port][direction]);
}

static void patch_fill(struct snapshot *s, int end)
{
	struct port_config *config = &s->ports[PATCH_A + end];

	frames_access_port(config, NULL, (uint16_t)end, VID);
	config->is_patch = true;
	config->patch_drops = patch_drops[end];
	config->patch_stats = patch_stats[end];
	config->peer = (uint16_t)(end == 0 ? PATCH_B : PATCH_A);
}

static void eyes_fill(struct snapshot *s)
{
	s->is_watched = want.probe != NULL || want.mirror != NULL;
	if (want.probe != NULL) {
		s->probes[PROBE] = want.probe;
		s->watched_in = UINT64_C(1) << PROBE;
		for (uint16_t i = 0; i < N_PORTS; i++)
			for (int point = 0; point < PROBE_POINTS; point++)
				s->ports[i].watch[point] = UINT64_C(1) << PROBE;
	}
	if (want.mirror != NULL && !want.is_away[2]) {
		s->mirrors[0] = want.mirror;
		s->mirror_to[0] = 2;
		s->mirrored_in = s->ports[1].mirror_in = s->ports[6].mirror_out = 1;
	}
}

static void publish(void)
{
	struct snapshot *s = snapshot_new(datapath_fdb(), N_PORTS, 2, WORKERS);

	assert_non_null(s);
	s->impairs = calloc(3, sizeof(*s->impairs));
	for (int i = 0; i < 2; i++) {
		s->switches[i] = (struct switch_config){.used = true,
							.learning = true,
							.ageing_s = 300,
							.peer_port = SNAPSHOT_NONE};
		patch_fill(s, i);
	}
	for (uint16_t i = 0; i < STRESS_PORTS; i++) {
		if (want.is_away[i])
			continue;
		frames_access_port(&s->ports[i], &ports[i].port, i >= 6, VID);
		s->ports[i].admin_up = !want.is_down[i];
		for (uint16_t q = 0; q < STRESS_QUEUES; q++)
			snapshot_move(s, i, q, want.pollers[i][q]);
	}
	for (uint16_t i = 4; i < 6; i++) {
		s->ports[i].role = PORT_WIRE;
		s->ports[i].sw = SNAPSHOT_NONE;
		s->ports[i].peer = 9 - i;
	}
	impair_fill(s, &s->impairs[0], 0, IMPAIR_IN, want.in_0, DELAY_NS, 0);
	impair_fill(s, &s->impairs[1], PATCH_A, IMPAIR_OUT, want.out_patch, DELAY_NS, 0);
	impair_fill(s, &s->impairs[2], 5, IMPAIR_OUT, want.out_5, want.delay_ns, 100000);
	eyes_fill(s);
	assert_int_equal(snapshot_finish(s), 0);
	datapath_publish(s);
}

static bool everything(const struct fdb_entry *entry, void *arg)
{
	(void)entry;
	(void)arg;
	return true;
}

static void probe_read(void)
{
	const struct probe_record *record;
	struct probe_ring *ring;

	while (want.probe != NULL && (record = probe_next(want.probe, &ring)) != NULL) {
		assert_true(record->port < N_PORTS && record->cap_len <= FRAME_HDR_MAX);
		probe_ring_pop(ring, record);
	}
}

static void some_queues_move(void)
{
	uint16_t *const emptiers[] = {&want.emptiers[0][IMPAIR_IN],
				      &want.emptiers[PATCH_A][IMPAIR_OUT],
				      &want.emptiers[5][IMPAIR_OUT]};

	*emptiers[pick(3)] = (uint16_t)pick(WORKERS);
	for (uint32_t n = 1 + pick(6); n > 0; n--) {
		uint16_t to = (uint16_t)pick(WORKERS);
		uint16_t *poller = &want.pollers[pick(STRESS_PORTS)][pick(STRESS_QUEUES)];

		n_moves += *poller != to;
		*poller = to;
	}
}

/* One change, published; what it took out is freed then. */
static void change(void)
{
	struct impair *impair = NULL;
	struct probe *probe = NULL;
	struct mirror *mirror = NULL;

	switch (pick(9)) {
	case 0:
		want.is_away[3] = !want.is_away[3];
		break;
	case 1:
		want.is_away[7] = !want.is_away[7];
		break;
	case 2:
		want.is_down[1] = !want.is_down[1];
		break;
	case 3:
		impair = want.out_5;
		want.out_5 = impair == NULL ? impair_new(3) : NULL;
		break;
	case 4:
		want.delay_ns = pick(400) * UINT64_C(1000);
		break;
	case 5:
		probe_read();
		probe = want.probe;
		want.probe = probe == NULL ? probe_new(WORKERS, 1 << 14) : NULL;
		if (want.probe != NULL)
			want.probe->snaplen = 64;
		break;
	case 6:
		mirror = want.mirror;
		want.mirror = mirror == NULL ? calloc(1, sizeof(*mirror)) : NULL;
		break;
	default:
		some_queues_move();
	}
	if (pick(3) == 0)
		some_queues_move();
	publish();
	n_forgotten += impair_free(impair);
	probe_free(probe);
	free(mirror);
}

static uint64_t n_received(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < STRESS_FLOWS; i++)
		sum += stats_read(&ports[i / STRESS_QUEUES].port.rxq[i % STRESS_QUEUES].pkts);
	return sum;
}

static uint64_t n_made(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < STRESS_FLOWS; i++)
		sum += atomic_load(&ports[i / STRESS_QUEUES].queues[i % STRESS_QUEUES].available);
	return sum;
}

static bool wait_for(uint64_t (*count)(void), uint64_t least)
{
	const struct timespec pause = {.tv_nsec = 50000};
	uint64_t end_ns = clock_now_ns() + WAIT_NS;

	while (count() < least && clock_now_ns() < end_ns) {
		datapath_poll();
		probe_read();
		nanosleep(&pause, NULL);
	}
	return count() >= least;
}

/* As a front-end does that is connected anew: another descriptor, while its workers may sleep on the old one. */
static void fd_replace(struct stress_port *p, uint16_t queue)
{
	int old = atomic_load(&p->queues[queue].fd);

	atomic_store(&p->queues[queue].fd, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	atomic_fetch_add(&p->port.rx_generation, 1);
	port_peer_changed(&p->port);
	port_quiesce();
	close(old);
}

/* All peers in one thread: bursts here and there, with pauses in which workers fall asleep. */
static void *peers(void *arg)
{
	uint32_t random = 1;

	(void)arg;
	while (!atomic_load(&stop_peers)) {
		const struct timespec pause = {.tv_nsec = 30000};
		struct stress_port *p;
		uint16_t queue;
		uint64_t waiting;

		random = random * 1664525 + 1013904223;
		p = &ports[(random >> 8) % STRESS_PORTS];
		queue = (random >> 16) % STRESS_QUEUES;
		waiting = atomic_load(&p->queues[queue].available) -
			  stats_read(&p->port.rxq[queue].pkts);
		if (waiting < WAITING_MAX)
			stress_put(p, queue, 1 + (random >> 20) % 32);
		if (random >> 23 == 7)
			fd_replace(p, queue);
		if (random >> 26 == 9)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static uint64_t drops_of(const struct port *port)
{
	uint64_t sum = 0;

	for (int w = 0; w < WORKERS; w++)
		for (int reason = 1; reason < DROP_N; reason++)
			sum += stats_read(&port->drops[w].by_reason[reason]);
	return sum;
}

static uint64_t wire_arrived(void)
{
	return __atomic_load_n(&ports[5].n_sent, __ATOMIC_RELAXED) + drops_of(&ports[4].port) +
	       drops_of(&ports[5].port) + n_forgotten;
}

static uint64_t n_of_port(const struct stress_port *p)
{
	return stats_read(&p->port.rxq[0].pkts) + stats_read(&p->port.rxq[1].pkts);
}

/* Of the directions that lose none: what entered has to come out. */
static uint64_t n_passed(void)
{
	struct impair_stats stats;
	uint64_t sum = 0;

	impair_stats_get(want.in_0, &stats);
	sum += stats.left_frames;
	impair_stats_get(want.out_patch, &stats);
	return sum + stats.left_frames;
}

static uint64_t n_entered(void)
{
	struct impair_stats stats;
	uint64_t sum = 0;

	impair_stats_get(want.in_0, &stats);
	sum += stats.frames - stats.memory_full;
	impair_stats_get(want.out_patch, &stats);
	return sum + stats.frames - stats.memory_full;
}

static uint64_t other_way_arrived(void)
{
	return __atomic_load_n(&ports[4].n_sent, __ATOMIC_RELAXED);
}

static void nothing_is_lost_doubled_or_overtaken(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, peers, NULL), 0);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t before = n_received();

		change();
		if (pick(16) == 0)
			fdb_flush(datapath_fdb(), everything, NULL);
		if (pick(16) == 0)
			datapath_count_cycles(5);
		assert_true(wait_for(n_received, before + FRAMES_ROUND));
	}
	atomic_store(&stop_peers, true);
	pthread_join(thread, NULL);
	want.is_away[3] = want.is_away[7] = false;
	publish();
	assert_true(wait_for(n_received, n_made())); /* no queue was forgotten */
	assert_true(wait_for(wire_arrived, n_of_port(&ports[4])));
	assert_true(wait_for(other_way_arrived, n_of_port(&ports[5])));
	/* What leaves one of them may enter the other meanwhile. */
	while (n_passed() < n_entered())
		assert_true(wait_for(n_passed, n_entered()));
	port_quiesce();

	assert_int_equal(n_received(), n_made());
	assert_int_equal(wire_arrived(), n_of_port(&ports[4]));
	assert_int_equal(other_way_arrived(), n_of_port(&ports[5]));
	assert_int_equal(atomic_load(&stress_double_polls), 0);
	assert_int_equal(atomic_load(&stress_overtaken), 0);
	assert_int_equal(atomic_load(&stress_strays), 0);
	assert_true(n_moves > ROUNDS / 2);
	for (uint16_t w = 0; w < WORKERS; w++) {
		struct datapath_worker_stats stats;

		datapath_worker_stats(w, &stats);
		assert_true(stats.frames > 0 && stats.sleeps > 0);
	}
}

static int start(void **state)
{
	const struct datapath_options options = {
		.n_workers = WORKERS, .fdb_capacity = 1024, .idle_us = 20};
	struct err err = {""};

	(void)state;
	srandom(20);
	if (datapath_start(&options, &err) != 0)
		return -1;
	for (uint16_t i = 0; i < STRESS_PORTS; i++) {
		stress_port_init(&ports[i], i);
		for (uint16_t to = 0; to < STRESS_PORTS; to++)
			if (i == 4 || i == 5 ? to == 9 - i : to != i && to != 4 && to != 5)
				ports[i].group[ports[i].n_group++] = to;
		for (uint16_t q = 0; q < STRESS_QUEUES; q++)
			want.pollers[i][q] = (uint16_t)((i + q) % WORKERS);
	}
	ports[2].may_reorder = true; /* mirrored to, besides */
	ports[5].may_reorder = true; /* a link that gets better lets frames overtake */
	want.in_0 = impair_new(1);
	want.out_patch = impair_new(2);
	publish();
	return want.in_0 == NULL || want.out_patch == NULL;
}

static int stop(void **state)
{
	(void)state;
	datapath_stop();
	datapath_fini();
	impair_free(want.in_0);
	impair_free(want.out_patch);
	impair_free(want.out_5);
	probe_free(want.probe);
	free(want.mirror);
	for (int i = 0; i < STRESS_FLOWS; i++)
		close(atomic_load(&ports[i / STRESS_QUEUES].queues[i % STRESS_QUEUES].fd));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_doubled_or_overtaken),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
