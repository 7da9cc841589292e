/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/capfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/jsonline.h"

#define BLOCK_SECTION	 0x0a0d0d0a
#define BLOCK_INTERFACE	 1
#define BLOCK_STATISTICS 5
#define BLOCK_PACKET	 6
#define ISB_IFDROP	 5
#define EPB_DROPCOUNT	 4
#define STUCK_MS	 3000 /* for a pipe's reader to go on, once the user wants to end */

static const char *file_name(const struct capfile *file, char *text, size_t size)
{
	if (file->fd == STDOUT_FILENO)
		return "to standard output";
	if (file->rotate_bytes == 0)
		return file->path;
	snprintf(text, size, "%s.%u", file->path, file->number);
	return text;
}

/*
 * A pipe whose reader is stopped would keep us for ever, Ctrl-C or not: so a write begins only when it can end, as one of
 * PIPE_BUF bytes does, and an interrupt sets a term. Return: as write(); ETIMEDOUT when the term is over.
 */
static ssize_t pipe_write(struct capfile *file, const uint8_t *bytes, size_t n)
{
	struct pollfd poller = {.fd = file->fd, .events = POLLOUT};

	while (poll(&poller, 1, 100) <= 0) {
		uint64_t now = clock_now_ns();

		if (!jsonline_interrupted)
			continue;
		if (file->give_up_ns == 0)
			file->give_up_ns = now + STUCK_MS * CLOCK_NS_PER_MS;
		if (now >= file->give_up_ns) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	return write(file->fd, bytes, n < PIPE_BUF ? n : PIPE_BUF);
}

/* @n bytes that belong together: what of them is in a file that takes no more is taken back. */
static int write_all(struct capfile *file, const uint8_t *bytes, size_t n, struct err *err)
{
	char name[4096];
	size_t done = 0;
	int code;

	while (done < n) {
		ssize_t put = file->is_pipe ? pipe_write(file, bytes + done, n - done)
					    : write(file->fd, bytes + done, n - done);

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
	if (code == ETIMEDOUT)
		return err_set(err, code, "the pipe's reader takes nothing: what waited is lost");
	if (done > 0 && file->fd != STDOUT_FILENO && ftruncate(file->fd, (off_t)file->bytes) < 0)
		code = errno; /* a device: its reader sees half of a block */
	return err_set(err, code, "cannot write %s: %s; %" PRIu64 " frames are in it%s",
		       file_name(file, name, sizeof(name)), strerror(code), file->n_packets,
		       code != ENOSPC		 ? ""
		       : file->rotate_bytes != 0 ? "; make room, or rotate fewer or smaller files"
						 : "; make room, or let the latest overwrite the "
						   "oldest: -w FILE --rotate 100MB:10");
}

static void pipe_find(struct capfile *file)
{
	struct stat status;

	file->is_pipe = fstat(file->fd, &status) == 0 &&
			(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

int capfile_open(struct capfile *file, struct err *err)
{
	char name[4096];

	file->bytes = 0;
	if (strcmp(file->path, "-") == 0) {
		file->fd = STDOUT_FILENO;
		pipe_find(file);
		return 0;
	}
	file_name(file, name, sizeof(name));
	file->fd = open(file->rotate_bytes == 0 ? file->path : name,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (file->fd < 0)
		return err_set(err, errno, "cannot write %s: %m",
			       file->rotate_bytes == 0 ? file->path : name);
	pipe_find(file);
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

/* The 64 bits of an option of a block, whose options begin at @at; 0 if it has none. */
static uint64_t option64(const uint8_t *block, uint32_t length, uint32_t at, uint16_t wanted)
{
	while (at + 8 <= length - 4) {
		uint16_t code, n;
		uint64_t value;

		memcpy(&code, block + at, sizeof(code));
		memcpy(&n, block + at + 2, sizeof(n));
		if (code == wanted && n == sizeof(value) && at + 4 + n <= length - 4) {
			memcpy(&value, block + at + 4, sizeof(value));
			return value;
		}
		if (code == 0)
			break;
		at += 4 + (uint32_t)(n + 3) / 4 * 4;
	}
	return 0;
}

/* Packets say what was lost since the one before; the statistics at the end say it again, in sum. */
static void lost_count(struct capfile *file, uint32_t type, const uint8_t *block, uint32_t length)
{
	uint32_t captured = length >= 32 ? word(block + 20) : UINT32_MAX;

	if (type == BLOCK_SECTION) {
		file->lost_before = capfile_lost(file);
		file->lost_told = file->lost_summed = 0;
	} else if (type == BLOCK_STATISTICS) {
		file->lost_summed += option64(block, length, 20, ISB_IFDROP);
	} else if (type == BLOCK_PACKET && captured <= length - 32) {
		file->lost_told +=
			option64(block, length, 28 + (captured + 3) / 4 * 4, EPB_DROPCOUNT);
	}
}

uint64_t capfile_lost(const struct capfile *file)
{
	return file->lost_before +
	       (file->lost_told > file->lost_summed ? file->lost_told : file->lost_summed);
}

static int block_take(struct capfile *file, const uint8_t *block, uint32_t length, struct err *err)
{
	uint32_t type = word(block);
	int rc = 0;

	if (type == BLOCK_SECTION)
		file->front_len = 0; /* netloomd was started anew: other interfaces */
	if (type == BLOCK_SECTION || type == BLOCK_INTERFACE)
		rc = append(&file->front, &file->front_len, &file->front_room, block, length, err);
	lost_count(file, type, block, length);
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
