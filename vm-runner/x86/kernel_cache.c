/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unpacked kernels on disk: <cache>/netloom/vmlinux-<SHA-256 of the packed file>, the ELF file with a trailer
 * behind it, which finds damage. Nothing is ever removed: it is a cache, anybody may empty it.
 *
 * The directory is $XDG_CACHE_HOME, else /var/cache for root and ~/.cache for others. It must belong to us
 * and be writable by nobody else, for what lies in it is run as a guest's kernel.
 */
/*
 * The low-level functions of libcrypto.a, not EVP: they bring 30 KiB into the process of each VM, EVP and its providers
 * 3 MiB.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "x86/kernel_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define TRAILER_MAGIC  "NLVMLNX1"
#define CACHE_PATH_MAX 4096
#define NAME_BYTES     80 /* vmlinux- and 64 digits */

struct trailer {
	char magic[8];
	uint64_t bytes; /* of the ELF file before the trailer */
	uint64_t hash;
};

static uint64_t rotate(uint64_t n, unsigned int by)
{
	return n << by | n >> (64 - by);
}

uint64_t kernel_cache_hash(const void *data, size_t bytes)
{
	static const uint64_t prime = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t lanes[4] = {1, 2, 3, 4}, words[4], hash = bytes * prime;
	const uint8_t *at = data;

	/* Four independent lanes keep the multiplier busy. */
	for (; bytes >= sizeof(words); bytes -= sizeof(words), at += sizeof(words)) {
		memcpy(words, at, sizeof(words));
		for (int i = 0; i < 4; i++)
			lanes[i] = rotate((lanes[i] ^ words[i]) * prime, 29);
	}
	memset(words, 0, sizeof(words));
	memcpy(words, at, bytes);
	for (int i = 0; i < 4; i++) {
		lanes[i] = rotate((lanes[i] ^ words[i]) * prime, 29);
		hash = rotate((hash ^ lanes[i]) * prime, 31);
	}
	return hash ^ hash >> 32;
}

bool kernel_cache_key(struct kernel_cache_key *key, const void *packed, size_t bytes)
{
	SHA256_CTX context;

	return SHA256_Init(&context) == 1 && SHA256_Update(&context, packed, bytes) == 1 &&
	       SHA256_Final(key->sha256, &context) == 1;
}

/* Opened with mkdir if need be. Return: -1 when there is no place that only we write to. */
static int cache_dir_open(bool create)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[CACHE_PATH_MAX];
	struct stat st;
	int fd, n;

	if (base && base[0] == '/')
		n = snprintf(path, sizeof(path), "%s", base);
	else if (geteuid() == 0)
		n = snprintf(path, sizeof(path), "/var/cache");
	else if (home && home[0] == '/')
		n = snprintf(path, sizeof(path), "%s/.cache", home);
	else
		return -1;
	if (n < 0 || (size_t)n + sizeof("/netloom") > sizeof(path))
		return -1;
	if (create)
		(void)mkdir(path, 0700);
	strcat(path, "/netloom");
	if (create)
		(void)mkdir(path, 0755);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_mode & 022) {
		close(fd);
		return -1;
	}
	return fd;
}

static void cache_name(const struct kernel_cache_key *key, char *name, size_t room)
{
	int n = snprintf(name, room, "vmlinux-");

	for (size_t i = 0; i < sizeof(key->sha256); i++)
		n += snprintf(name + n, room - (size_t)n, "%02x", key->sha256[i]);
}

bool kernel_cache_open(const struct kernel_cache_key *key, void **map, size_t *map_bytes,
		       size_t *bytes)
{
	struct trailer trailer;
	char name[NAME_BYTES];
	struct stat st;
	bool good = false;
	int dir, fd;

	dir = cache_dir_open(false);
	if (dir < 0)
		return false;
	cache_name(key, name, sizeof(name));
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	close(dir);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_size <= (off_t)sizeof(trailer))
		goto out;
	*map_bytes = (size_t)st.st_size;
	*map = mmap(NULL, *map_bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (*map == MAP_FAILED)
		goto out;
	*bytes = *map_bytes - sizeof(trailer);
	memcpy(&trailer, (const uint8_t *)*map + *bytes, sizeof(trailer));
	good = !memcmp(trailer.magic, TRAILER_MAGIC, sizeof(trailer.magic)) &&
	       trailer.bytes == *bytes && trailer.hash == kernel_cache_hash(*map, *bytes);
	if (!good) {
		log_warning("the cached kernel %s is damaged; unpacking it again", name);
		munmap(*map, *map_bytes);
	}
out:
	close(fd);
	return good;
}

static bool write_all(int fd, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	while (bytes) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

void kernel_cache_store(const struct kernel_cache_key *key, const void *data, size_t bytes)
{
	struct trailer trailer = {
		.bytes = bytes,
		.hash = kernel_cache_hash(data, bytes),
	};
	char name[NAME_BYTES], aside[NAME_BYTES + 32];
	int dir, fd;

	dir = cache_dir_open(true);
	if (dir < 0)
		return;
	memcpy(trailer.magic, TRAILER_MAGIC, sizeof(trailer.magic));
	cache_name(key, name, sizeof(name));
	snprintf(aside, sizeof(aside), ".%s.%ld", name, (long)getpid());
	fd = openat(dir, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		goto out;
	if (!write_all(fd, data, bytes) || !write_all(fd, &trailer, sizeof(trailer)) ||
	    renameat(dir, aside, dir, name) < 0)
		(void)unlinkat(dir, aside, 0);
	close(fd);
out:
	close(dir);
}
