/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's memory.
 *
 * One memfd per region, because a vhost-user back-end is told of each region by a file descriptor of its
 * own. The files are sealed against shrinking: whoever receives a descriptor cannot cut the memory away
 * under us. Written by mem_open() and mem_close() on the main thread, read-only for everybody in between.
 */
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define MIB	       UINT64_C(0x100000)
#define HUGEPAGE_BYTES (2 * MIB)

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif

static int region_open(struct mem_region *region, uint64_t gpa, uint64_t bytes, bool hugepages,
		       struct err *err)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	void *host;
	int code;

	if (hugepages)
		flags |= MFD_HUGETLB | MFD_HUGE_2MB;
	region->fd = memfd_create("netloom-guest", flags);
	if (region->fd < 0)
		return err_set(err, errno, "cannot create guest memory%s: %s",
			       hugepages ? " in 2 MiB hugepages" : "", strerror(errno));
	if (ftruncate(region->fd, (off_t)bytes) < 0) {
		code = errno;
		err_set(err, code, "cannot make guest memory %" PRIu64 " MiB large: %s",
			bytes / MIB, strerror(code));
		goto undo_fd;
	}
	/* A shared hugetlb mapping reserves its pages now; a shortage is told here and is not SIGBUS later. */
	host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);
	if (host == MAP_FAILED) {
		code = errno;
		if (hugepages)
			err_set(err, code,
				"not enough free 2 MiB hugepages for guest memory: %" PRIu64
				" are needed; raise /proc/sys/vm/nr_hugepages or leave out "
				"--hugepages",
				bytes / HUGEPAGE_BYTES);
		else
			err_set(err, code, "cannot map %" PRIu64 " MiB of guest memory: %s",
				bytes / MIB, strerror(code));
		goto undo_fd;
	}
	/* Neither is fatal: an old kernel gives memory that is merely less well protected. */
	(void)madvise(host, bytes, MADV_DONTDUMP);
	(void)fcntl(region->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	region->gpa = gpa;
	region->bytes = bytes;
	region->host = host;
	return 0;

undo_fd:
	close(region->fd);
	return -code;
}

/* Sparse files promise anything: ask whether the machine could ever keep the promise. */
static int memory_fits(uint64_t bytes, struct err *err)
{
	struct sysinfo info;
	uint64_t have;

	if (sysinfo(&info) < 0)
		return 0;
	have = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
	if (bytes <= have)
		return 0;
	return err_set(err, ENOMEM,
		       "guest memory of %" PRIu64 " MiB does not fit: this machine has %" PRIu64
		       " MiB, swap included",
		       bytes / MIB, have / MIB);
}

int mem_open(struct guest_mem *mem, uint64_t bytes, bool hugepages, struct err *err)
{
	uint64_t low = bytes < MEM_LOW_END ? bytes : MEM_LOW_END;
	int rc;

	memset(mem, 0, sizeof(*mem));
	if (bytes == 0 || bytes % HUGEPAGE_BYTES)
		return err_set(err, EINVAL, "guest memory must be a multiple of 2 MiB");
	rc = memory_fits(bytes, err);
	if (rc)
		return rc;
	rc = region_open(&mem->regions[0], 0, low, hugepages, err);
	if (rc)
		return rc;
	mem->n_regions = 1;
	if (bytes > low) {
		rc = region_open(&mem->regions[1], MEM_HIGH_START, bytes - low, hugepages, err);
		if (rc) {
			mem_close(mem);
			return rc;
		}
		mem->n_regions = 2;
	}
	return 0;
}

void mem_close(struct guest_mem *mem)
{
	for (unsigned int i = 0; i < mem->n_regions; i++) {
		munmap(mem->regions[i].host, mem->regions[i].bytes);
		close(mem->regions[i].fd);
	}
	mem->n_regions = 0;
}

void *mem_at(const struct guest_mem *mem, uint64_t gpa, uint64_t bytes)
{
	for (unsigned int i = 0; i < mem->n_regions; i++) {
		const struct mem_region *region = &mem->regions[i];
		uint64_t offset = gpa - region->gpa;

		if (gpa >= region->gpa && offset < region->bytes && bytes <= region->bytes - offset)
			return region->host + offset;
	}
	return NULL;
}

int mem_put(const struct guest_mem *mem, uint64_t gpa, const void *data, uint64_t bytes)
{
	void *host = mem_at(mem, gpa, bytes);

	if (!host)
		return -EFAULT;
	memcpy(host, data, bytes);
	return 0;
}

static const struct mem_region *region_at(const struct guest_mem *mem, uint64_t gpa)
{
	return &mem->regions[mem->n_regions > 1 && gpa >= mem->regions[1].gpa];
}

int mem_load(const struct guest_mem *mem, uint64_t gpa, const void *data, uint64_t bytes)
{
	const struct mem_region *region = region_at(mem, gpa);
	uint8_t *host = mem_at(mem, gpa, bytes);
	uint64_t done = 0;

	if (!host)
		return -EFAULT;
	while (done < bytes) {
		ssize_t n = pwrite(region->fd, (const uint8_t *)data + done, bytes - done,
				   (off_t)(gpa - region->gpa + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* hugetlbfs has no write */
			break;
		done += (uint64_t)n;
	}
	memcpy(host + done, (const uint8_t *)data + done, bytes - done);
	return 0;
}

int mem_load_file(const struct guest_mem *mem, uint64_t gpa, int fd, uint64_t bytes)
{
	const struct mem_region *region = region_at(mem, gpa);
	uint8_t *host = mem_at(mem, gpa, bytes);
	bool by_file = true;
	uint64_t done = 0;

	if (!host)
		return -EFAULT;
	if (lseek(region->fd, (off_t)(gpa - region->gpa), SEEK_SET) < 0)
		return -errno;
	while (done < bytes) {
		ssize_t n = by_file ? sendfile(region->fd, fd, NULL, bytes - done)
				    : read(fd, host + done, bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && by_file) { /* hugetlbfs, or a file that cannot be spliced */
			by_file = false;
			continue;
		}
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		done += (uint64_t)n;
	}
	return 0;
}
