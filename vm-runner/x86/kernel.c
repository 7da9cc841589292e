/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loading of kernels. The main thread does it before the guest runs.
 *
 * PVH is preferred: the host unpacks once what every guest would unpack at every boot, and the entry needs
 * neither page tables nor a zero page.
 */
#include "x86/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "x86/bzimage.h"
#include "x86/elf.h"
#include "x86/kernel_cache.h"
#include "x86/layout.h"
#include "x86/unpack.h"

#define ENTRY64_OFFSET 0x200
#define BZIMAGE_AT     0x1000000 /* where a relocatable kernel that has no wish is put */

static int vmlinux_load(struct kernel *kernel, const uint8_t *file, size_t bytes,
			const struct guest_mem *mem, struct err *err)
{
	struct elf_image image;
	int rc;

	rc = elf_load(&image, file, bytes, LAYOUT_HIGH_RAM, mem, err);
	if (rc)
		return rc;
	if (!image.pvh_entry)
		return err_set(
			err, ENOEXEC,
			"an ELF file without a PVH entry point (CONFIG_PVH); use its bzImage");
	kernel->entry = KERNEL_PVH;
	kernel->rip = image.pvh_entry;
	kernel->end = image.end;
	kernel->initrd_max = MEM_LOW_END - 1;
	return 0;
}

static int bzimage_load(struct kernel *kernel, const struct bzimage *image,
			const struct guest_mem *mem, struct err *err)
{
	const struct setup_header *header = &image->header;
	uint64_t at = header->pref_address ? header->pref_address : BZIMAGE_AT;
	uint64_t room = header->init_size;

	if (!(header->xloadflags & XLF_KERNEL_64))
		return err_set(err, ENOEXEC, "a 32-bit kernel; only 64-bit ones are supported");
	if (room < image->kernel_bytes)
		room = image->kernel_bytes;
	if (at < LAYOUT_HIGH_RAM || !mem_at(mem, at, room))
		return err_set(err, ENOMEM,
			       "the kernel needs %llu MiB at 0x%llx, which is not in guest memory",
			       (unsigned long long)room >> 20, (unsigned long long)at);
	(void)mem_load(mem, at, image->kernel, image->kernel_bytes);
	kernel->entry = KERNEL_LINUX64;
	kernel->rip = at + ENTRY64_OFFSET;
	kernel->end = at + room;
	kernel->initrd_max = header->initrd_addr_max;
	kernel->header = *header;
	kernel->header.code32_start = (uint32_t)at;
	return 0;
}

/* Return: 1 when the kernel inside has no PVH entry, or is packed in a way we do not know. */
static int payload_load(struct kernel *kernel, const struct bzimage *image,
			const struct kernel_cache_key *key, const struct guest_mem *mem,
			struct err *err)
{
	struct err inner = {0};
	size_t bytes, map_bytes;
	uint8_t *file;
	void *map;
	int rc;

	if (key && kernel_cache_open(key, &map, &map_bytes, &bytes)) {
		rc = vmlinux_load(kernel, map, bytes, mem, err);
		munmap(map, map_bytes);
		return rc;
	}
	rc = unpack_payload(image->payload, image->payload_bytes, &file, &bytes, &inner);
	if (rc == -ENOTSUP) {
		log_info("%s; the guest unpacks it", inner.text);
		return 1;
	}
	if (rc)
		return err_set(err, -rc, "%s", inner.text);
	rc = vmlinux_load(kernel, file, bytes, mem, &inner);
	if (rc == 0 && key)
		kernel_cache_store(key, file, bytes);
	free(file);
	if (rc == -ENOEXEC) {
		log_info(
			"the kernel inside cannot be entered by us; the bzImage itself is started");
		return 1;
	}
	return rc ? err_set(err, -rc, "%s", inner.text) : 0;
}

int kernel_load_bytes(struct kernel *kernel, const uint8_t *file, size_t bytes, bool cached,
		      const struct guest_mem *mem, struct err *err)
{
	struct kernel_cache_key key;
	struct bzimage image;
	int rc;

	memset(kernel, 0, sizeof(*kernel));
	if (elf_is(file, bytes))
		return vmlinux_load(kernel, file, bytes, mem, err);
	if (!bzimage_is(file, bytes))
		return err_set(
			err, ENOEXEC,
			"not a Linux kernel: neither a bzImage (vmlinuz) nor an ELF vmlinux");
	rc = bzimage_parse(&image, file, bytes, err);
	if (rc)
		return rc;
	cached = cached && kernel_cache_key(&key, file, bytes);
	rc = payload_load(kernel, &image, cached ? &key : NULL, mem, err);
	return rc == 1 ? bzimage_load(kernel, &image, mem, err) : rc;
}

int kernel_load(struct kernel *kernel, const char *path, const struct guest_mem *mem,
		struct err *err)
{
	struct err inner = {0};
	struct stat st;
	void *file;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "kernel %s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
		close(fd);
		return err_set(err, ENOEXEC, "kernel %s: not a regular file with something in it",
			       path);
	}
	/* A private copy is not taken: a file cut short while it is read ends us with SIGBUS before the
	 * guest exists, which harms nobody else. */
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return err_set(err, errno, "kernel %s: %s", path, strerror(errno));
	rc = kernel_load_bytes(kernel, file, (size_t)st.st_size, true, mem, &inner);
	munmap(file, (size_t)st.st_size);
	return rc ? err_set(err, -rc, "kernel %s: %s", path, inner.text) : 0;
}
