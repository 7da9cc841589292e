/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded into switches that are not ours: notes when a thread that polls vhost ports by DPDK was away, by the rule by which netloomd
 * notes it of its workers (datapath/absence.h): how long it takes from one look at a queue to the next. A pause of the switch's own is one,
 * too, as with netloomd. They end up in the file that NETLOOM_BENCH_ABSENCES names, which the bench has made: struct absences.
 *
 * Threads: each that polls. The subjects have one; testpmd's first thread polls, too, before it starts that one.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#include "absence.h"

struct rte_mbuf;
struct rte_mempool;

typedef uint16_t (*dequeue)(int vid, uint16_t queue, struct rte_mempool *pool,
			    struct rte_mbuf **frames, uint16_t n);

static _Atomic(dequeue) next;
static struct absences *absences; /* NULL: there is no file for them */
static _Thread_local uint64_t since;
static _Thread_local uint16_t n_found;

uint16_t rte_vhost_dequeue_burst(int vid, uint16_t queue, struct rte_mempool *pool,
				 struct rte_mbuf **frames, uint16_t n);

static void __attribute__((constructor)) witness_open(void)
{
	const char *path = getenv("NETLOOM_BENCH_ABSENCES");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *file;

	if (fd < 0)
		return;
	file = mmap(NULL, sizeof(*absences), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (file != MAP_FAILED)
		absences = file;
}

/* The library may be that of a plugin, which RTLD_NEXT does not look into. */
static int is_vhost(struct dl_phdr_info *info, size_t size, void *found)
{
	(void)size;
	if (!strstr(info->dlpi_name, "/librte_vhost.so"))
		return 0;
	*(void **)found = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
	return 1;
}

static dequeue dequeue_find(void)
{
	void *vhost = NULL, *found = NULL;

	dl_iterate_phdr(is_vhost, &vhost);
	if (vhost)
		found = dlsym(vhost, "rte_vhost_dequeue_burst");
	if (!found)
		abort();
	atomic_store(&next, (dequeue)(uintptr_t)found);
	return (dequeue)(uintptr_t)found;
}

uint16_t rte_vhost_dequeue_burst(int vid, uint16_t queue, struct rte_mempool *pool,
				 struct rte_mbuf **frames, uint16_t n)
{
	dequeue real = atomic_load_explicit(&next, memory_order_relaxed);
	uint64_t now = __rdtsc();

	if (!real)
		real = dequeue_find();
	if (absences && since)
		absences_round(absences, since, now, n_found);
	since = now;
	n_found = real(vid, queue, pool, frames, n);
	return n_found;
}
