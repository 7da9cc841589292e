/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The subject of bench/overlay: netloom's datapath with one worker that never sleeps, between ports in memory.
 *
 *	vtep plain|encap|decap CPU VNIS MACS PCAP...
 *
 * Every line on standard input is answered by one line of JSON with counters, the end of input ends it. What the arguments mean is in
 * world.h. The worker is netloomd's own, with its stages, tables and counters; see memory_port.h for what is not there.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath.h"
#include "world.h"

static int kind_of(const char *text)
{
	static const char *const names[] = {"plain", "encap", "decap"};

	for (int i = 0; i < 3; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return -1;
}

static long resident_kib(void)
{
	long pages = 0, size;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld %ld", &size, &pages) != 2)
		pages = -1;
	fclose(file);
	return pages * 4;
}

static void answer(void)
{
	struct datapath_worker_stats stats;

	datapath_worker_stats(0, &stats);
	printf("{\"frames\": %" PRIu64 ", \"sent\": %" PRIu64 ", \"cpu_ns\": %" PRIu64
	       ", \"rss_kib\": %ld}\n",
	       stats.frames, world_sent(), stats.cpu_ns, resident_kib());
	fflush(stdout);
}

/* As netloomd's control thread: stations are learned while frames go by. */
static void serve(void)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			       {.fd = datapath_event_fd(), .events = POLLIN}};
	char line[64];

	while (poll(fds, 2, -1) >= 0) {
		if (fds[1].revents != 0)
			datapath_poll();
		if (fds[0].revents == 0)
			continue;
		if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
			return;
		answer();
	}
}

int main(int argc, char **argv)
{
	struct datapath_options options = {.n_workers = 1,
					   .fdb_capacity = 1 << 17,
					   .poll_mode = DATAPATH_BUSY,
					   .idle_us = 100};
	struct world_options what = {0};
	struct err err = {0};
	int kind = argc >= 6 ? kind_of(argv[1]) : -1;

	if (kind < 0) {
		fprintf(stderr, "usage: vtep plain|encap|decap CPU VNIS MACS PCAP...\n");
		return 2;
	}
	options.cpus = argv[2];
	what.kind = (enum world_kind)kind;
	what.n_vnis = (uint32_t)strtoul(argv[3], NULL, 10);
	what.n_macs = (uint32_t)strtoul(argv[4], NULL, 10);
	what.n_pcaps = (uint32_t)argc - 5;
	what.pcaps = (const char *const *)argv + 5;
	if (datapath_start(&options, &err) != 0 || world_start(&what, &err) != 0) {
		fprintf(stderr, "vtep: %s\n", err.text);
		return 1;
	}
	serve();
	return 0;
}
