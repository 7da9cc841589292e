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

/* Exactly @bytes of it: what was there when its size was asked for. */
static int file_load(const char *path, const struct guest_mem *mem, uint64_t gpa, uint64_t bytes,
		     struct err *err)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, errno, "initrd %s: %s", path, strerror(errno));
	rc = mem_load_file(mem, gpa, fd, bytes);
	close(fd);
	if (rc == -ENODATA)
		return err_set(err, EIO, "initrd %s: became shorter while it was read", path);
	return rc ? err_set(err, -rc, "initrd %s: %s", path, strerror(-rc)) : 0;
}

int initrd_load(struct initrd *initrd, const char *const *paths, unsigned int n_paths,
		uint64_t lowest, uint64_t max, const struct guest_mem *mem, struct err *err)
{
	uint64_t total = 0, bytes, start, end = mem->regions[0].bytes;
	uint64_t gpa;
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
	gpa = start;
	for (unsigned int i = 0; i < n_paths; i++) {
		rc = file_size(paths[i], &bytes, err);
		if (rc)
			return rc;
		if (bytes > total || padded(bytes) > total)
			return err_set(err, EIO, "initrd %s: grew while it was read", paths[i]);
		rc = file_load(paths[i], mem, gpa, bytes, err);
		if (rc)
			return rc;
		gpa += padded(bytes);
		total -= padded(bytes);
	}
	return 0;
}
