/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing a capture file. Records are gathered in a buffer and written with one call per burst;
 * libpcap's own writer does not say which record a full disk cut in two.
 */
#include "pcap/pcap_sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES	  (256 * 1024)
#define LINKTYPE_ETHERNET 1

struct file_header {
	uint32_t magic;
	uint16_t version_major, version_minor;
	uint32_t zone, precision, snap_len, link_type;
};

struct record_header {
	uint32_t seconds, microseconds, captured, length;
};

static_assert(sizeof(struct record_header) + FRAME_LEN_MAX + FRAME_PREFIX_MAX < BUFFER_BYTES,
	      "the largest frame fits the buffer");

/* Make it an empty capture. Return: 0 or -errno; then it can be tried again. */
static int begin(struct pcap_sink *sink)
{
	const struct file_header header = {
		.magic = 0xa1b2c3d4,
		.version_major = 2,
		.version_minor = 4,
		.snap_len = 262144,
		.link_type = LINKTYPE_ETHERNET,
	};

	errno = ENOSPC;
	if (ftruncate(sink->fd, 0) != 0 ||
	    pwrite(sink->fd, &header, sizeof(header), 0) != sizeof(header) ||
	    lseek(sink->fd, sizeof(header), SEEK_SET) < 0)
		return -errno;
	sink->size = sizeof(header);
	return 0;
}

int pcap_sink_open(struct pcap_sink *sink, const char *path, struct err *err)
{
	struct stat status;
	int rc;

	memset(sink, 0, sizeof(*sink));
	sink->fd = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
	if (sink->fd < 0 && errno == ENXIO) /* a FIFO that nobody reads */
		return err_set(err, EINVAL, "%s is not a regular file", path);
	if (sink->fd < 0)
		return err_set(err, errno, "cannot create capture file %s: %s", path,
			       strerror(errno));
	if (fstat(sink->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		rc = err_set(err, EINVAL, "%s is not a regular file", path);
		goto close_file;
	}
	sink->buffer = malloc(BUFFER_BYTES);
	if (sink->buffer == NULL) {
		rc = err_set(err, ENOMEM, "%s: out of memory", path);
		goto close_file;
	}
	rc = status.st_size == 0 ? begin(sink) : 0;
	if (rc != 0) {
		rc = err_set(err, -rc, "cannot write capture file %s: %s", path, strerror(-rc));
		goto close_file;
	}
	return 0;
close_file:
	pcap_sink_close(sink);
	return rc;
}

void pcap_sink_close(struct pcap_sink *sink)
{
	if (sink->fd >= 0)
		close(sink->fd);
	free(sink->buffer);
	sink->buffer = NULL;
	sink->fd = -1;
}

static void write_out(struct pcap_sink *sink)
{
	size_t done = 0;

	while (done < sink->used) {
		ssize_t n = write(sink->fd, sink->buffer + done, sink->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	sink->used = done; /* what got into the file */
}

/*
 * Write the gathered records of out[from..to); mark those that are not in the file, and cut a torn
 * one off.
 */
static void flush(struct pcap_sink *sink, struct frame_out *out, uint16_t from, uint16_t to)
{
	size_t end = 0;
	bool torn = false;

	if (sink->used == 0)
		return;
	write_out(sink);
	for (uint16_t i = from; i < to; i++) {
		end += sizeof(struct record_header) + frame_out_len(&out[i]);
		if (end <= sink->used) {
			sink->size += sizeof(struct record_header) + frame_out_len(&out[i]);
			continue;
		}
		out[i].drop = DROP_WRITE_FAILED;
		torn = true;
	}
	if (torn && ftruncate(sink->fd, (off_t)sink->size) == 0)
		lseek(sink->fd, (off_t)sink->size, SEEK_SET);
	sink->used = 0;
}

static void gather(struct pcap_sink *sink, const struct frame_out *out, const struct timespec *now)
{
	struct record_header header = {
		.seconds = (uint32_t)now->tv_sec,
		.microseconds = (uint32_t)(now->tv_nsec / 1000),
		.captured = frame_out_len(out),
		.length = frame_out_len(out),
	};
	uint8_t *to = sink->buffer + sink->used;

	memcpy(to, &header, sizeof(header));
	frame_out_copy(out, to + sizeof(header), header.captured);
	sink->used += sizeof(header) + header.captured;
}

void pcap_sink_write(struct pcap_sink *sink, struct frame_out *out, uint16_t n)
{
	struct timespec now;
	uint16_t from = 0;

	if (sink->size == 0 && begin(sink) != 0) {
		for (uint16_t i = 0; i < n; i++)
			out[i].drop = DROP_WRITE_FAILED;
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	for (uint16_t i = 0; i < n; i++) {
		out[i].drop = DROP_NONE;
		if (sink->used + sizeof(struct record_header) + frame_out_len(&out[i]) >
		    BUFFER_BYTES) {
			flush(sink, out, from, i);
			from = i;
		}
		gather(sink, &out[i], &now);
	}
	flush(sink, out, from, n);
}
