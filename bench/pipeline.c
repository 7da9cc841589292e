/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the stages cost: cycles per frame of the pipeline between ports in memory, and what the FDB
 * costs in memory.
 *
 * A port in memory "receives" by writing a frame's snapshot and "sends" by reading it, so that the
 * figures hold the whole way of a frame but for the rings. One thread; TSC cycles; all scenes in
 * turn, several rounds of each: of a round's chunks of 1024 frames the limit of the best quarter, of the rounds the
 * best. So a machine that does other things as well is no great harm.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "pipeline.h"

#define N_PORTS	     18
#define N_CHUNKS     512
#define CHUNK_FRAMES 1024
#define N_RUNS	     5
#define FRAME_LEN    60

struct memory_port {
	struct port port;
	uint64_t sum; /* so that sending has an effect */
};

static struct memory_port ports[N_PORTS];
static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void memory_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	struct memory_port *p = (struct memory_port *)port;

	(void)queue;
	for (uint16_t i = 0; i < n; i++) {
		p->sum += out[i].f->hdr[out[i].skip] + out[i].prefix_len;
		out[i].drop = DROP_NONE;
	}
}

static const struct port_ops memory_ops = {.type = "memory", .tx = memory_tx};

static void put_mac(uint8_t *to, uint64_t mac)
{
	for (int i = 0; i < 6; i++)
		to[i] = (uint8_t)(mac >> (40 - 8 * i));
}

static uint64_t station(uint64_t i)
{
	return UINT64_C(0x020000000000) + i;
}

static void receive(struct frame *f, const uint8_t *bytes, uint16_t in_port)
{
	memset(f, 0, offsetof(struct frame, buf));
	f->hdr = f->buf + FRAME_HDR_ROOM;
	f->hdr_len = FRAME_LEN;
	f->len = FRAME_LEN;
	f->in_port = in_port;
	memcpy(f->hdr, bytes, FRAME_LEN);
}

struct scene {
	const char *name;
	uint64_t first, n_stations; /* destinations; 0: broadcast */
	uint16_t in_port;
	uint16_t burst;
};

#define N_BEHIND 500 /* stations behind each of two ports, in a table that has no others */

/* Bursts from port 0 and from port 1 in turn; sources and destinations are counted up, so that no two frames are alike. */
static const struct scene none_alike[] = {
	{"1,000 stations, none alike, bursts of 64", 0, 0, 0, 64},
	{"1,000 stations, none alike, bursts of 8", 0, 0, 0, 8},
};

static uint8_t (*frame_bytes(const struct scene *scene, size_t n))[64]
{
	uint8_t(*bytes)[64] = calloc(n, sizeof(*bytes));

	if (bytes == NULL)
		exit(1);
	for (size_t i = 0; i < n; i++) {
		put_mac(bytes[i],
			scene->n_stations == 0
				? UINT64_C(0xffffffffffff)
				: station(scene->first + random_next() % scene->n_stations));
		put_mac(bytes[i] + 6, station(0));
		bytes[i][12] = 0x08;
		bytes[i][14] = 0x45;
	}
	return bytes;
}

static uint8_t (*frames_both_ways(void))[64]
{
	uint8_t(*bytes)[64] = calloc(2 * N_BEHIND, sizeof(*bytes));

	if (bytes == NULL)
		exit(1);
	for (size_t i = 0; i < 2 * N_BEHIND; i++) {
		put_mac(bytes[i], station((i + N_BEHIND) % (2 * N_BEHIND)));
		put_mac(bytes[i] + 6, station(i));
		bytes[i][12] = 0x08;
		bytes[i][14] = 0x45;
	}
	return bytes;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* What a quarter of the chunks stays below: those in which somebody else had the CPU do not count. */
static uint64_t quartile(uint64_t cycles[N_CHUNKS])
{
	qsort(cycles, N_CHUNKS, sizeof(cycles[0]), compare);
	return cycles[N_CHUNKS / 4];
}

/* @pl: NULL: only receive */
static double measure(struct pipeline *pl, const struct snapshot *cfg, const struct scene *scene,
		      uint8_t (*bytes)[64], size_t n_kinds)
{
	static struct frame frames[FRAME_BURST];
	static uint64_t cycles[N_CHUNKS];
	size_t at = 0;

	for (size_t chunk = 0; chunk < N_CHUNKS; chunk++) {
		uint64_t start = rte_rdtsc();

		for (size_t i = 0; i < CHUNK_FRAMES; i += scene->burst, at += scene->burst) {
			for (uint16_t k = 0; k < scene->burst; k++)
				receive(&frames[k], bytes[(at + k) % n_kinds], scene->in_port);
			if (pl != NULL)
				pipeline_run(pl, cfg, frames, scene->burst);
		}
		cycles[chunk] = rte_rdtsc() - start;
	}
	return (double)quartile(cycles) / CHUNK_FRAMES;
}

static double measure_both_ways(struct pipeline *pl, const struct snapshot *cfg,
				const struct scene *scene, uint8_t (*bytes)[64])
{
	static struct frame frames[FRAME_BURST];
	static uint64_t cycles[N_CHUNKS];
	size_t at[2] = {0, 0};

	for (size_t chunk = 0; chunk < N_CHUNKS; chunk++) {
		uint64_t start = rte_rdtsc();

		for (size_t i = 0; i < CHUNK_FRAMES; i += scene->burst) {
			uint16_t port = i / scene->burst % 2;

			for (uint16_t k = 0; k < scene->burst; k++) {
				receive(&frames[k], bytes[port * N_BEHIND + at[port]], port);
				at[port] = at[port] + 1 == N_BEHIND ? 0 : at[port] + 1;
			}
			if (pl != NULL)
				pipeline_run(pl, cfg, frames, scene->burst);
		}
		cycles[chunk] = rte_rdtsc() - start;
	}
	return (double)quartile(cycles) / CHUNK_FRAMES;
}

static double measure_stages(struct pipeline *pl, const struct snapshot *cfg,
			     const struct scene *scene)
{
	const size_t n_kinds = scene->n_stations > 4096 ? 1 << 18 : 4096;
	uint8_t(*bytes)[64] = frame_bytes(scene, n_kinds);
	double receiving = measure(NULL, cfg, scene, bytes, n_kinds);
	double cycles = measure(pl, cfg, scene, bytes, n_kinds) - receiving;

	free(bytes);
	return cycles;
}

static long resident_kib(void)
{
	long pages = 0, size;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL || fscanf(file, "%ld %ld", &size, &pages) != 2)
		exit(1);
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void access_port(struct snapshot *cfg, uint16_t i)
{
	cfg->ports[i] = (struct port_config){
		.port = &ports[i].port,
		.role = PORT_SWITCHED,
		.admin_up = true,
		.peer = SNAPSHOT_NONE,
		.mtu = 1500,
		.vlan = {.mode = VLAN_ACCESS, .tpid = VLAN_TPID_C, .pvid = 10}};
	vlan_port_allow(&cfg->ports[i].vlan, 10);
}

static void none_alike_measure(struct pipeline *pl, struct snapshot *cfg)
{
	uint8_t(*bytes)[64] = frames_both_ways();
	struct fdb *fdb = fdb_new(131072), *former = cfg->fdb;

	if (fdb == NULL)
		exit(1);
	for (uint16_t i = 0; i < 2 * N_BEHIND; i++)
		fdb_learn(fdb, FDB_FID(0, 10), station(i), i / N_BEHIND, 0, 0, 0);
	cfg->fdb = fdb;
	for (size_t i = 0; i < sizeof(none_alike) / sizeof(none_alike[0]); i++) {
		double best = 0;

		for (int run = 0; run < N_RUNS; run++) {
			double receiving = measure_both_ways(NULL, cfg, &none_alike[i], bytes);
			double cycles =
				measure_both_ways(pl, cfg, &none_alike[i], bytes) - receiving;

			if (run == 0 || cycles < best)
				best = cycles;
		}
		printf("%-48s %7.1f cycles/frame\n", none_alike[i].name, best);
	}
	cfg->fdb = former;
	fdb_free(fdb);
	free(bytes);
}

int main(void)
{
	static const struct scene scenes[] = {
		{"wire, bursts of 32", 2, 1, 16, 32},
		{"unicast to 2 stations, bursts of 32", 2, 2, 0, 32},
		{"unicast to 2 stations, bursts of 4", 2, 2, 0, 4},
		{"unicast to 2 stations, single frames", 2, 2, 0, 1},
		{"unicast to 1M stations at random, bursts of 32", 20, (1 << 20) - 20, 0, 32},
		{"unicast to 15 stations on 15 ports, bursts of 32", 2, 15, 0, 32},
		{"flood to 15 ports, bursts of 32", 0, 0, 0, 32},
		{"unicast to 1 station, bursts of 64", 2, 1, 0, 64},
	};
	enum { N_SCENES = sizeof(scenes) / sizeof(scenes[0]) };
	const uint32_t n_entries = 1 << 20;
	double best[N_SCENES];
	long before_kib = resident_kib();
	struct fdb *fdb = fdb_new(n_entries);
	struct pipeline *pl = pipeline_new(0, 1, NULL);
	struct snapshot *cfg = snapshot_new(fdb, N_PORTS, 1, 1);
	uint64_t start;

	if (fdb == NULL || pl == NULL || cfg == NULL)
		return 1;
	printf("FDB, empty: %ld KiB resident, %zu KiB mapped\n", resident_kib() - before_kib,
	       fdb_bytes(fdb) / 1024);
	before_kib = resident_kib();
	for (uint16_t i = 0; i < 20; i++)
		fdb_learn(fdb, FDB_FID(0, 10), station(i), i < 4 ? i / 2 : i % 15 + 1, 0, 0, 0);
	printf("FDB, 20 entries: %ld KiB more\n", resident_kib() - before_kib);
	start = rte_rdtsc();
	for (uint32_t i = 20; i < n_entries; i++)
		fdb_learn(fdb, FDB_FID(0, 10), station(i), 1, 0, 0, 0);
	printf("FDB, %u entries: %ld KiB more, %.0f cycles to learn one\n", fdb_count(fdb),
	       resident_kib() - before_kib, (double)(rte_rdtsc() - start) / n_entries);

	cfg->switches[0] =
		(struct switch_config){.used = true, .peer_port = SNAPSHOT_NONE, .learning = true};
	for (uint16_t i = 0; i < N_PORTS; i++) {
		struct port_spec spec = {.n_queues = 1};

		port_init(&ports[i].port, &memory_ops, &spec);
		access_port(cfg, i);
	}
	for (uint16_t i = 16; i < 18; i++) {
		cfg->ports[i].role = PORT_WIRE;
		cfg->ports[i].peer = i ^ 1;
	}
	if (snapshot_finish(cfg) != 0)
		return 1;
	for (int run = 0; run < N_RUNS; run++) {
		for (size_t i = 0; i < N_SCENES; i++) {
			double cycles = measure_stages(pl, cfg, &scenes[i]);

			if (run == 0 || cycles < best[i])
				best[i] = cycles;
		}
	}
	for (size_t i = 0; i < N_SCENES; i++)
		printf("%-48s %7.1f cycles/frame\n", scenes[i].name, best[i]);
	none_alike_measure(pl, cfg);
	return 0;
}
