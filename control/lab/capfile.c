/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/capfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SECTION	 0x0a0d0d0a
#define BLOCK_INTERFACE	 1
#define BLOCK_STATISTICS 5
#define BLOCK_PACKET	 6
#define ISB_IFDROP	 5

static const char *file_name(const struct capfile *file, char *text, size_t size)
{
	if (file->fd == STDOUT_FILENO)
		return "to standard output";
	if (file->rotate_bytes == 0)
		return file->path;
	snprintf(text, size, "%s.%u", file->path, file->number);
	return text;
}

/* @n bytes that belong together: what of them is in a file that takes no more is taken back. */
static int write_all(struct capfile *file, const uint8_t *bytes, size_t n, struct err *err)
{
	char name[4096];
	size_t done = 0;
	int code;

	while (done < n) {
		ssize_t put = write(file->fd, bytes + done, n - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			break;
		done += (size_t)put;
	}
	if (done == n) {
		file->bytes += n;
		return 0;
	}
	code = errno;
	if (code == EPIPE)
		return -EPIPE;
	if (done > 0 && file->fd != STDOUT_FILENO && ftruncate(file->fd, (off_t)file->bytes) < 0)
		code = errno; /* a device: its reader sees half of a block */
	return err_set(err, code, "cannot write %s: %s; %" PRIu64 " frames are in it%s",
		       file_name(file, name, sizeof(name)), strerror(code), file->n_packets,
		       code == ENOSPC ? "; make room, or let the latest overwrite the oldest: "
					"-w FILE --rotate 100MB:10"
				      : "");
}

int capfile_open(struct capfile *file, struct err *err)
{
	char name[4096];

	file->bytes = 0;
	if (strcmp(file->path, "-") == 0) {
		file->fd = STDOUT_FILENO;
		return 0;
	}
	file_name(file, name, sizeof(name));
	file->fd = open(file->rotate_bytes == 0 ? file->path : name,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (file->fd < 0)
		return err_set(err, errno, "cannot write %s: %m",
			       file->rotate_bytes == 0 ? file->path : name);
	return 0;
}

static int file_end(struct capfile *file, struct err *err)
{
	int fd = file->fd;

	file->fd = -1;
	if (fd < 0 || fd == STDOUT_FILENO || close(fd) == 0)
		return 0;
	return err_set(err, errno, "cannot write %s: %m", file->path);
}

static int file_next(struct capfile *file, struct err *err)
{
	int rc = file_end(file, err);

	file->number = (file->number + 1) % file->rotate_files;
	if (rc == 0)
		rc = capfile_open(file, err);
	return rc == 0 ? write_all(file, file->front, file->front_len, err) : rc;
}

static int append(uint8_t **to, size_t *len, size_t *room, const uint8_t *bytes, size_t n,
		  struct err *err)
{
	if (*len + n > *room) {
		size_t more = (*len + n) * 2;
		uint8_t *grown = realloc(*to, more);

		if (grown == NULL)
			return err_set(err, ENOMEM, "out of memory");
		*to = grown;
		*room = more;
	}
	memcpy(*to + *len, bytes, n);
	*len += n;
	return 0;
}

static uint32_t word(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* isb_ifdrop of a statistics block. */
static uint64_t block_lost(const uint8_t *block, uint32_t length)
{
	uint32_t at = 20;

	while (at + 8 <= length - 4) {
		uint16_t code, n;
		uint64_t value;

		memcpy(&code, block + at, sizeof(code));
		memcpy(&n, block + at + 2, sizeof(n));
		if (code == ISB_IFDROP && n == sizeof(value) && at + 4 + n <= length - 4) {
			memcpy(&value, block + at + 4, sizeof(value));
			return value;
		}
		if (code == 0)
			break;
		at += 4 + (uint32_t)(n + 3) / 4 * 4;
	}
	return 0;
}

static int block_take(struct capfile *file, const uint8_t *block, uint32_t length, struct err *err)
{
	uint32_t type = word(block);
	int rc = 0;

	if (type == BLOCK_SECTION)
		file->front_len = 0; /* netloomd was started anew: other interfaces */
	if (type == BLOCK_SECTION || type == BLOCK_INTERFACE)
		rc = append(&file->front, &file->front_len, &file->front_room, block, length, err);
	else if (type == BLOCK_STATISTICS)
		file->n_lost += block_lost(block, length);
	if (type == BLOCK_PACKET) {
		if (file->is_full)
			return 0;
		if (file->rotate_bytes != 0 && file->bytes + length > file->rotate_bytes &&
		    file->bytes > file->front_len)
			rc = file_next(file, err);
	}
	if (rc == 0)
		rc = write_all(file, block, length, err);
	if (rc == 0 && type == BLOCK_PACKET) {
		file->n_packets++;
		file->is_full = file->max_packets != 0 && file->n_packets >= file->max_packets;
	}
	return rc;
}

/* Whole blocks at the front of @bytes. Return: bytes taken, or -errno. */
static ssize_t blocks_take(struct capfile *file, const uint8_t *bytes, size_t n, struct err *err)
{
	size_t at = 0;

	while (n - at >= 8) {
		uint32_t length = word(bytes + at + 4);
		int rc;

		if (length < 12 || length % 4 != 0 || length > CAPFILE_BLOCK_MAX)
			return err_set(err, EPROTO, "netloomd sent what is no pcapng");
		if (n - at < length)
			break;
		rc = block_take(file, bytes + at, length, err);
		if (rc != 0)
			return rc;
		at += length;
	}
	return (ssize_t)at;
}

int capfile_feed(struct capfile *file, const uint8_t *bytes, size_t n, struct err *err)
{
	ssize_t taken;
	int rc;

	if (file->part_len == 0) {
		taken = blocks_take(file, bytes, n, err);
		if (taken < 0)
			return (int)taken;
		bytes += taken;
		n -= (size_t)taken;
	}
	if (n == 0)
		return 0;
	rc = append(&file->part, &file->part_len, &file->part_room, bytes, n, err);
	if (rc != 0)
		return rc;
	taken = blocks_take(file, file->part, file->part_len, err);
	if (taken < 0)
		return (int)taken;
	memmove(file->part, file->part + taken, file->part_len - (size_t)taken);
	file->part_len -= (size_t)taken;
	return 0;
}

int capfile_close(struct capfile *file, struct err *err)
{
	int rc = file_end(file, err);

	free(file->front);
	free(file->part);
	file->front = file->part = NULL;
	file->front_len = file->front_room = file->part_len = file->part_room = 0;
	return rc;
}
