/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of the forwarding database.
 *
 * A table of the default size is small: it is touched page by page as stations come. A larger one was asked for by
 * somebody who expects many stations, perhaps all at once, and the first touch of a page costs more than learning a hundred stations. So
 * a thread of its own touches all of it, in large pages if there are any, from the start on and once: by the time stations come the
 * writer finds memory, and the learn ring does not overflow. It changes no byte, so readers and writer need not know of it.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "fdb_table.h"

#define HUGE_BYTES  (UINT64_C(2) << 20)
#define SMALL_BYTES (UINT64_C(4) << 20) /* the table of 131,072 stations */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

bool fdb_memory_map(struct fdb *fdb)
{
	bool is_large = fdb->bytes > SMALL_BYTES;
	uintptr_t start;

	fdb->mapping_bytes = fdb->bytes + (is_large ? HUGE_BYTES : 0);
	fdb->mapping = mmap(NULL, fdb->mapping_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fdb->mapping == MAP_FAILED) {
		fdb->mapping = NULL;
		return false;
	}
	madvise(fdb->mapping, fdb->mapping_bytes, is_large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	start = (uintptr_t)fdb->mapping;
	if (is_large)
		start = (start + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
	fdb->buckets = (struct bucket *)start;
	return true;
}

static void *touch(void *arg)
{
	struct fdb *fdb = arg;
	char *bytes = (char *)fdb->buckets;

	pthread_setname_np(pthread_self(), "fdb-memory");
	for (size_t at = 0; at < fdb->bytes && !atomic_load(&fdb->stop_touching); at += HUGE_BYTES)
		if (madvise(bytes + at, HUGE_BYTES, MADV_POPULATE_WRITE) != 0)
			break; /* an old kernel, or memory is short: then it is touched as it is used */
	return NULL;
}

void fdb_touch_start(struct fdb *fdb)
{
	if (fdb->bytes > SMALL_BYTES && !fdb->is_touched)
		fdb->is_touched = pthread_create(&fdb->toucher, NULL, touch, fdb) == 0;
}

void fdb_touch_wait(struct fdb *fdb)
{
	if (fdb->is_touched)
		pthread_join(fdb->toucher, NULL);
	fdb->is_touched = false;
}

void fdb_memory_unmap(struct fdb *fdb)
{
	atomic_store(&fdb->stop_touching, true);
	fdb_touch_wait(fdb);
	if (fdb->mapping != NULL)
		munmap(fdb->mapping, fdb->mapping_bytes);
}
