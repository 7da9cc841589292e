/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a capture file with libpcap: control thread only. The file is somebody else's: everything
 * is checked.
 */
#include "pcap/pcap_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pcap/pcap.h>

#include "frame.h"

struct growth {
	size_t bytes_max;
	size_t n_max;
};

static int grow(void **memory, size_t *max, size_t need, size_t item)
{
	size_t want = *max == 0 ? 1024 : *max;
	void *bigger;

	if (need <= *max)
		return 0;
	while (want < need)
		want *= 2;
	bigger = realloc(*memory, want * item);
	if (bigger == NULL)
		return -ENOMEM;
	*memory = bigger;
	*max = want;
	return 0;
}

static int append(struct pcap_source *s, struct growth *growth, const uint8_t *frame, uint32_t len)
{
	uint64_t start = s->n == 0 ? 0 : s->starts[s->n];

	if (grow((void **)&s->starts, &growth->n_max, s->n + 2, sizeof(*s->starts)) != 0 ||
	    grow((void **)&s->bytes, &growth->bytes_max, start + len, 1) != 0)
		return -ENOMEM;
	memcpy(s->bytes + start, frame, len);
	s->starts[s->n] = start;
	s->starts[++s->n] = start + len;
	return 0;
}

static int read_frames(struct pcap_source *s, pcap_t *pcap, const char *path, struct err *err)
{
	struct growth growth = {0};
	struct pcap_pkthdr *header;
	const uint8_t *frame;
	int rc;

	while ((rc = pcap_next_ex(pcap, &header, &frame)) == 1) {
		if (header->caplen != header->len)
			return err_set(
				err, EINVAL,
				"%s: frame %zu was cut when it was captured (%u of %u bytes)", path,
				s->n + 1, header->caplen, header->len);
		if (header->len == 0 || header->len > FRAME_LEN_MAX)
			return err_set(err, EINVAL, "%s: frame %zu has %u bytes, not 1 to %u", path,
				       s->n + 1, header->len, FRAME_LEN_MAX);
		if (s->n > 0 && s->starts[s->n] + header->len > PCAP_SOURCE_BYTES_MAX)
			return err_set(err, EFBIG, "%s: more than 1 GiB of frames", path);
		if (append(s, &growth, frame, header->len) != 0)
			return err_set(err, ENOMEM, "%s: out of memory after %zu frames", path,
				       s->n);
	}
	if (rc != PCAP_ERROR_BREAK)
		return err_set(err, EINVAL, "%s: broken after %zu frames: %s", path, s->n,
			       pcap_geterr(pcap));
	return 0;
}

/* Only a file: a FIFO or a device would keep control waiting. */
static FILE *open_regular(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;
	FILE *file;

	if (fd < 0) {
		err_set(err, errno, "cannot read capture file %s: %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		err_set(err, EINVAL, "%s is not a regular file", path);
		close(fd);
		return NULL;
	}
	file = fdopen(fd, "r");
	if (file == NULL) {
		err_set(err, ENOMEM, "%s: out of memory", path);
		close(fd);
	}
	return file;
}

int pcap_source_read(struct pcap_source *source, const char *path, struct err *err)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	FILE *file = open_regular(path, err);
	pcap_t *pcap;
	int rc;

	memset(source, 0, sizeof(*source));
	if (file == NULL)
		return -EINVAL;
	pcap = pcap_fopen_offline(file, why); /* takes the file when it succeeds */
	if (pcap == NULL) {
		fclose(file);
		return err_set(err, EINVAL, "cannot read capture file %s: %s", path, why);
	}
	if (pcap_datalink(pcap) != DLT_EN10MB)
		rc = err_set(err, EINVAL, "%s: link type %d is not Ethernet", path,
			     pcap_datalink(pcap));
	else
		rc = read_frames(source, pcap, path, err);
	pcap_close(pcap);
	if (rc != 0)
		pcap_source_free(source);
	return rc;
}

void pcap_source_free(struct pcap_source *source)
{
	free(source->bytes);
	free(source->starts);
	memset(source, 0, sizeof(*source));
}
