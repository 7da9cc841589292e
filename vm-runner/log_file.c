/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cutting happens in the file itself, without a second name, so that it needs no path (the sandbox has
 * none) and a reader keeps the same file: the newer half is copied to the front and the rest cut off. That
 * costs half the limit in writes for each half limit of output, so every byte is written about twice.
 */
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define COPY_BYTES 65536

int log_file_open(struct log_file *log, const char *what, const char *path, uint64_t bytes_max,
		  struct err *err)
{
	struct stat st;

	*log = (struct log_file){.what = what, .fd = -1, .bytes_max = bytes_max};
	if (!path)
		return 0;
	log->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
	if (log->fd < 0 || fstat(log->fd, &st))
		return err_set(err, errno, "%s %s: %s", what, path, strerror(errno));
	if (!S_ISREG(st.st_mode)) {
		log_file_close(log);
		return err_set(err, EINVAL, "%s %s: not a regular file", what, path);
	}
	return 0;
}

void log_file_close(struct log_file *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

/* Return: the new size; as it was, if the copy failed half-way. */
static uint64_t cut(struct log_file *log, uint64_t bytes)
{
	uint64_t keep = log->bytes_max / 2, from, to = 0;
	uint8_t buffer[COPY_BYTES];

	if (bytes < keep)
		return bytes;
	for (from = bytes - keep; from < bytes;) {
		ssize_t n = pread(log->fd, buffer, sizeof(buffer), (off_t)from);

		if (n <= 0 || pwrite(log->fd, buffer, (size_t)n, (off_t)to) != n)
			break;
		from += (uint64_t)n;
		to += (uint64_t)n;
	}
	return ftruncate(log->fd, (off_t)to) ? bytes : to;
}

static void lost(struct log_file *log, size_t bytes, int error)
{
	log->n_lost_bytes += bytes;
	if (!log->failed)
		log_warning("the %s cannot be written: %s", log->what, strerror(error));
	log->failed = true;
}

void log_file_write(struct log_file *log, const void *data, size_t bytes)
{
	struct stat st;
	uint64_t size;
	ssize_t n;

	if (log->fd < 0)
		return;
	/* Asked each time: somebody else may have emptied the file. */
	if (fstat(log->fd, &st)) {
		lost(log, bytes, errno);
		return;
	}
	size = (uint64_t)st.st_size;
	if (size + bytes > log->bytes_max)
		size = cut(log, size);
	n = pwrite(log->fd, data, bytes, (off_t)size);
	if (n == (ssize_t)bytes)
		log->failed = false;
	else
		lost(log, n < 0 ? bytes : bytes - (size_t)n, n < 0 ? errno : ENOSPC);
}
