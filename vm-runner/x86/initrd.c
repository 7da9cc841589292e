/* SPDX-License-Identifier: BSD-3-Clause */
#include "x86/initrd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 4096

static uint64_t padded(uint64_t bytes)
{
	return (bytes + 3) & ~UINT64_C(3);
}

static int file_size(const char *path, uint64_t *bytes, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(err, errno, "initrd %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "initrd %s: not a regular file", path);
	*bytes = (uint64_t)st.st_size;
	return 0;
}

/* Straight into guest memory; at most @room bytes, should the file have grown. */
static int file_read(const char *path, uint8_t *host, uint64_t room, struct err *err)
{
	uint64_t done = 0;
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, errno, "initrd %s: %s", path, strerror(errno));
	while (done < room) {
		ssize_t n = read(fd, host + done, room - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_set(err, errno, "initrd %s: %s", path, strerror(errno));
		else if (n == 0)
			rc = err_set(err, EIO, "initrd %s: became shorter while it was read", path);
		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	close(fd);
	return rc;
}

int initrd_load(struct initrd *initrd, const char *const *paths, unsigned int n_paths,
		uint64_t lowest, uint64_t max, const struct guest_mem *mem, struct err *err)
{
	uint64_t total = 0, bytes, start, end = mem->regions[0].bytes;
	uint8_t *host;
	int rc;

	initrd->gpa = 0;
	initrd->bytes = 0;
	if (n_paths == 0)
		return 0;
	for (unsigned int i = 0; i < n_paths; i++) {
		rc = file_size(paths[i], &bytes, err);
		if (rc)
			return rc;
		if (bytes > MEM_LOW_END)
			total = MEM_LOW_END;
		else
			total += padded(bytes);
	}
	if (end > max)
		end = max + 1;
	start = total < end ? end - total : 0;
	start -= start % PAGE_BYTES;
	if (start < lowest)
		return err_set(err, ENOMEM,
			       "initrd of %llu MiB does not fit in guest memory behind the kernel, "
			       "which ends at %llu MiB of %llu; raise --memory",
			       (unsigned long long)(total >> 20),
			       (unsigned long long)(lowest >> 20), (unsigned long long)(end >> 20));
	if (total == 0)
		return 0;
	initrd->gpa = start;
	initrd->bytes = total;
	host = mem_at(mem, initrd->gpa, total);
	for (unsigned int i = 0; i < n_paths; i++) {
		rc = file_size(paths[i], &bytes, err);
		if (rc)
			return rc;
		if (bytes > total || padded(bytes) > total)
			return err_set(err, EIO, "initrd %s: grew while it was read", paths[i]);
		rc = file_read(paths[i], host, bytes, err);
		if (rc)
			return rc;
		host += padded(bytes);
		total -= padded(bytes);
	}
	return 0;
}
