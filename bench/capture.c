/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What looking costs: the pipeline between ports in memory, with captures, filters, mirrors and samplers on and off.
 *
 * Every way of looking is measured in turn with nobody looking, forwards and backwards, and compared within its
 * round: printed are the median ratio of the rounds, their quartiles, and that of "off" to itself, which is what a ratio
 * must differ by to say anything. Ports in memory take and give a frame with one copy of it, as vhost does. One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "eal.h"
#include "pipeline.h"
#include "probe/probe.h"

#define N_FRAMES     (1 << 15)
#define N_ROUNDS     41
#define N_PORTS	     4
#define CHUNK_BURSTS 4
#define N_CHUNKS     (N_FRAMES / FRAME_BURST / CHUNK_BURSTS)

enum { IN = 1, OUT = 2, OTHER = 4, NEVER_READ = 8, MIRROR = 16, SAMPLE = 32 };

static const struct way {
	const char *name;
	int how;
	const char *filter;
} ways[] = {
	{"off", 0, NULL},
	{"off, once more (A/A)", 0, NULL},
	{"a capture of another port", OTHER | IN | OUT, NULL},
	{"in, a filter that refuses", IN, "tcp port 9999"},
	{"in, a filter that accepts", IN, "udp port 9"},
	{"in", IN, NULL},
	{"in and out", IN | OUT, NULL},
	{"in and out, nobody reads: all are lost", IN | OUT | NEVER_READ, NULL},
	{"a mirror of what comes in", MIRROR, NULL},
	{"one sample of 1000", IN | SAMPLE, NULL},
};
enum { N_WAYS = sizeof(ways) / sizeof(ways[0]) };

struct memory_port {
	struct port port;
	uint8_t bytes[2048];
};

static struct memory_port ports[N_PORTS];
static struct snapshot *cfg;
static struct pipeline *pl;
static struct probe *probe;
static struct mirror mirror;
static uint8_t payload[2048];

static void memory_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	struct memory_port *p = (struct memory_port *)port;

	(void)queue;
	for (uint16_t i = 0; i < n; i++) {
		frame_out_copy(&out[i], p->bytes, sizeof(p->bytes));
		out[i].drop = DROP_NONE;
	}
}

static const struct port_ops memory_ops = {.type = "memory", .tx = memory_tx};

static void set_up(void)
{
	cfg = snapshot_new(fdb_new(64), N_PORTS, 1, 1);
	pl = pipeline_new(0, 1, NULL);
	probe = probe_new(1, 1 << 22);
	if (cfg == NULL || pl == NULL || probe == NULL)
		exit(1);
	cfg->switches[0] =
		(struct switch_config){.used = true, .peer_port = SNAPSHOT_NONE, .learning = true};
	for (uint16_t i = 0; i < N_PORTS; i++) {
		const struct port_spec spec = {.n_queues = 1};

		port_init(&ports[i].port, &memory_ops, &spec);
		cfg->ports[i] = (struct port_config){
			.port = &ports[i].port,
			.role = i == 3 ? PORT_DETACHED : PORT_SWITCHED,
			.admin_up = true,
			.peer = SNAPSHOT_NONE,
			.mtu = 1500,
			.vlan = {.mode = VLAN_ACCESS, .tpid = VLAN_TPID_C, .pvid = 10}};
		vlan_port_allow(&cfg->ports[i].vlan, 10);
		fdb_learn(cfg->fdb, FDB_FID(0, 10), UINT64_C(0x020000000000) + i, i, 0, 0, 0);
	}
	cfg->probes[0] = probe;
	cfg->mirrors[0] = &mirror;
	cfg->mirror_to[0] = 3;
	if (snapshot_finish(cfg) != 0)
		exit(1);
	/* UDP to port 9, from station 0 to 1 */
	payload[0] = payload[6] = 2;
	payload[5] = 1;
	payload[12] = 8;
	payload[14] = 0x45;
	payload[23] = 17;
	payload[37] = 9;
}

static void look(const struct way *way, const struct filter *filter)
{
	uint16_t in = way->how & OTHER ? 2 : 0, out = way->how & OTHER ? 2 : 1;

	for (uint16_t i = 0; i < N_PORTS; i++) {
		memset(cfg->ports[i].watch, 0, sizeof(cfg->ports[i].watch));
		cfg->ports[i].mirror_in = 0;
	}
	cfg->ports[in].watch[PROBE_IN] = (way->how & IN) != 0;
	cfg->ports[out].watch[PROBE_OUT] = (way->how & OUT) != 0;
	cfg->is_watched = way->how != 0;
	cfg->watched_in = (way->how & IN) != 0;
	cfg->ports[0].mirror_in = cfg->mirrored_in = (way->how & MIRROR) != 0;
	probe->filter = filter;
	probe->sample = way->how & SAMPLE ? 1000 : 1;
}

static void drain(void)
{
	struct probe_ring *ring;
	const struct probe_record *record;

	while ((record = probe_next(probe, &ring)) != NULL)
		probe_ring_pop(ring, record);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/*
 * Cycles per frame, of the quarter of the chunks that went best: others' use of the CPU is in the rest. Reading the ring is
 * control's work and is not counted.
 */
static double measure(const struct way *way, uint32_t len)
{
	static struct frame frames[FRAME_BURST];
	const struct frame_seg rest = {.base = payload + FRAME_HDR_MAX, .len = len - FRAME_HDR_MAX};
	static double chunks[N_CHUNKS];
	uint64_t cycles = 0, start;
	size_t n = 0;

	for (uint32_t i = 0; i < N_FRAMES; i += FRAME_BURST) {
		start = rte_rdtsc();
		for (uint16_t k = 0; k < FRAME_BURST; k++) {
			struct frame *f = &frames[k];

			memset(f, 0, offsetof(struct frame, buf));
			f->hdr = f->buf + FRAME_HDR_ROOM;
			f->hdr_len = (uint16_t)(len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX);
			f->len = len;
			memcpy(f->hdr, payload, f->hdr_len);
			f->segs = &rest;
			f->n_segs = len > FRAME_HDR_MAX;
		}
		pipeline_run(pl, cfg, frames, FRAME_BURST);
		cycles += rte_rdtsc() - start;
		if ((i / FRAME_BURST + 1) % CHUNK_BURSTS == 0) {
			chunks[n++] = (double)cycles / (CHUNK_BURSTS * FRAME_BURST);
			cycles = 0;
		}
		if ((way->how & NEVER_READ) == 0)
			drain();
	}
	drain();
	qsort(chunks, n, sizeof(double), compare);
	return chunks[n / 4];
}

static void bench(uint32_t len, struct filter *const filters[N_WAYS])
{
	static double cycles[N_WAYS][N_ROUNDS], ratios[N_ROUNDS];

	for (int round = -1; round < N_ROUNDS; round++) {
		for (int i = 0; i < N_WAYS; i++) {
			int way = round % 2 == 0 ? i : N_WAYS - 1 - i;

			look(&ways[way], filters[way]);
			if (ways[way].how & NEVER_READ)
				measure(&ways[way], len); /* fills the ring */
			if (round < 0)
				measure(&ways[way], len);
			else
				cycles[way][round] = measure(&ways[way], len);
		}
	}
	printf("frames of %u bytes%30s cycles/frame   ratio to off (quartiles)\n", len, "");
	for (int way = 0; way < N_WAYS; way++) {
		double sorted[N_ROUNDS];

		for (int round = 0; round < N_ROUNDS; round++)
			ratios[round] = cycles[way][round] / cycles[0][round];
		memcpy(sorted, cycles[way], sizeof(sorted));
		qsort(sorted, N_ROUNDS, sizeof(double), compare);
		qsort(ratios, N_ROUNDS, sizeof(double), compare);
		printf("  %-44s %10.1f     %6.3f  (%.3f .. %.3f)\n", ways[way].name,
		       sorted[N_ROUNDS / 2], ratios[N_ROUNDS / 2], ratios[N_ROUNDS / 4],
		       ratios[3 * N_ROUNDS / 4]);
	}
}

int main(void)
{
	struct filter *filters[N_WAYS] = {NULL};
	struct err err = {.text = ""};

	if (eal_start(false, NULL, &err) != 0) {
		fprintf(stderr, "capture: %s\n", err.text);
		return 1;
	}
	set_up();
	for (int way = 0; way < N_WAYS; way++) {
		if (ways[way].filter != NULL &&
		    filter_compile(ways[way].filter, &filters[way], &err) != 0) {
			fprintf(stderr, "capture: %s\n", err.text);
			return 1;
		}
	}
	bench(60, filters);
	bench(1514, filters);
	return 0;
}
