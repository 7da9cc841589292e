/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-blk on a raw image (virtio 1.2 §5.2).
 *
 * Theory of operation
 *
 * One thread per disk does the I/O with preadv, pwritev and fdatasync, one request at a time, straight
 * between the file and guest memory. A thread of its own, because any of them may take seconds on a slow
 * disk, and neither a vCPU nor the main thread with the network cards' sockets may wait that long. It
 * reads the doorbell itself, so a kick wakes nobody else.
 *
 * dev->lock is held while the queue is looked at and dropped during I/O. A reset that comes meanwhile is
 * finished by the thread, when the file no longer reads into the driver's buffers.
 *
 * Host errors become VIRTIO_BLK_S_IOERR, a short read (the file was cut) too. The driver's requests are
 * checked here: sectors inside the disk, whole sectors, no write to a read-only disk.
 */
#include "virtio/blk.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/queue.h"

#define DEVICE_ID_BLK 2
#define QUEUE_SIZE    256
#define SECTOR_BYTES  512
#define ID_BYTES      20

#define F_SEG_MAX  2
#define F_RO	   5
#define F_BLK_SIZE 6
#define F_FLUSH	   9

#define T_IN	 0
#define T_OUT	 1
#define T_FLUSH	 4
#define T_GET_ID 8

#define S_OK	 0
#define S_IOERR	 1
#define S_UNSUPP 2

struct blk_header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

/* virtio 1.2 §5.2.4, as far as our features reach */
struct blk_config {
	uint64_t capacity; /* sectors */
	uint32_t size_max;
	uint32_t seg_max;
	uint32_t geometry;
	uint32_t blk_size;
};

struct blk {
	struct virtio_dev dev; /* first */
	int fd;
	bool readonly;
	char id[ID_BYTES];
	struct blk_config config;
	pthread_t thread;
	bool thread_runs;
	int wake_fd; /* look at the fields below */
	/* under dev.lock */
	bool stop;
	bool busy; /* I/O on the driver's buffers is under way */
	/* the thread's */
	struct queue_chain chain;
	uint64_t n_errors;
};

static struct blk *from(struct virtio_dev *dev)
{
	return (struct blk *)dev;
}

static void wake(struct blk *blk)
{
	uint64_t one = 1;

	(void)!write(blk->wake_fd, &one, sizeof(one)); /* EAGAIN: woken already */
}

static uint64_t blk_features(struct virtio_dev *dev)
{
	return VIRTIO_BIT(F_SEG_MAX) | VIRTIO_BIT(F_BLK_SIZE) | VIRTIO_BIT(F_FLUSH) |
	       VIRTIO_BIT(VIRTIO_RING_EVENT_IDX) | VIRTIO_BIT(VIRTIO_RING_INDIRECT_DESC) |
	       (from(dev)->readonly ? VIRTIO_BIT(F_RO) : 0);
}

static void blk_config_read(struct virtio_dev *dev, uint32_t offset, void *data, uint32_t bytes)
{
	virtio_config_copy(&from(dev)->config, sizeof(struct blk_config), offset, data, bytes);
}

static int blk_activate(struct virtio_dev *dev)
{
	wake(from(dev));
	return dev->queues[0].enabled ? 0 : -EINVAL;
}

static bool blk_reset(struct virtio_dev *dev)
{
	return !from(dev)->busy;
}

/* Drop @skip bytes at the front and everything behind @bytes. Return: parts left. */
static unsigned int iov_cut(struct iovec **iov, unsigned int n, uint64_t skip, uint64_t bytes)
{
	unsigned int kept = 0;

	while (n && skip >= (*iov)->iov_len) {
		skip -= (*iov)->iov_len;
		(*iov)++;
		n--;
	}
	if (!n)
		return 0;
	(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + skip;
	(*iov)->iov_len -= skip;
	while (kept < n && bytes) {
		if ((*iov)[kept].iov_len > bytes)
			(*iov)[kept].iov_len = bytes;
		bytes -= (*iov)[kept++].iov_len;
	}
	return kept;
}

static uint8_t io_failed(struct blk *blk, const char *what, const char *why)
{
	uint64_t n = ++blk->n_errors;

	if ((n & (n - 1)) == 0)
		log_warning("%s: %s failed: %s (%llu errors so far)", blk->dev.id, what, why,
			    (unsigned long long)n);
	return S_IOERR;
}

static uint8_t transfer(struct blk *blk, struct iovec *iov, unsigned int n, uint64_t skip,
			uint64_t bytes, uint64_t sector, bool write)
{
	off_t offset = (off_t)(sector * SECTOR_BYTES);

	if (bytes % SECTOR_BYTES || sector > le64toh(blk->config.capacity) ||
	    bytes / SECTOR_BYTES > le64toh(blk->config.capacity) - sector)
		return io_failed(blk, write ? "a write" : "a read", "past the end of the disk");
	n = iov_cut(&iov, n, skip, bytes);
	while (bytes) {
		ssize_t done = write ? pwritev(blk->fd, iov, (int)n, offset)
				     : preadv(blk->fd, iov, (int)n, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return io_failed(blk, write ? "a write" : "a read", strerror(errno));
		if (done == 0)
			return io_failed(blk, write ? "a write" : "a read",
					 "the file is shorter than it was");
		bytes -= (uint64_t)done;
		offset += done;
		n = iov_cut(&iov, n, (uint64_t)done, bytes);
	}
	return S_OK;
}

static uint8_t flush(struct blk *blk)
{
	if (!blk->readonly && fdatasync(blk->fd))
		return io_failed(blk, "a flush", strerror(errno));
	return S_OK;
}

/* Return: bytes of data written to the driver's buffers, without the status byte. */
static uint32_t request_do(struct blk *blk, struct queue_chain *chain, uint8_t *status)
{
	struct blk_header header = {0};
	uint32_t room = chain->in_bytes - 1;
	char id[ID_BYTES];

	queue_iov_read(chain, 0, &header, sizeof(header));
	switch (le32toh(header.type)) {
	case T_IN:
		*status = transfer(blk, chain->iov + chain->n_out, chain->n_in, 0, room,
				   le64toh(header.sector), false);
		return *status == S_OK ? room : 0;
	case T_OUT:
		if (blk->readonly)
			*status = io_failed(blk, "a write", "the disk is read-only");
		else
			*status = transfer(blk, chain->iov, chain->n_out, sizeof(header),
					   chain->out_bytes - sizeof(header),
					   le64toh(header.sector), true);
		return 0;
	case T_FLUSH:
		*status = flush(blk);
		return 0;
	case T_GET_ID:
		memcpy(id, blk->id, sizeof(id));
		*status = S_OK;
		return queue_iov_write(chain, 0, id, room < ID_BYTES ? room : ID_BYTES);
	}
	*status = S_UNSUPP;
	return 0;
}

/* dev.lock held; dropped during I/O. */
static void chain_serve(struct blk *blk)
{
	struct queue_chain *chain = &blk->chain;
	uint32_t status_at = chain->in_bytes - 1, bytes;
	struct iovec last;
	uint8_t status;

	if (chain->out_bytes < sizeof(struct blk_header) || chain->in_bytes < 1) {
		queue_break(&blk->dev, 0, "a request without header or status");
		return;
	}
	last = chain->iov[chain->n_out + chain->n_in - 1]; /* the I/O cuts the parts */
	blk->busy = true;
	pthread_mutex_unlock(&blk->dev.lock);
	bytes = request_do(blk, chain, &status);
	pthread_mutex_lock(&blk->dev.lock);
	blk->busy = false;
	if (blk->dev.resetting)
		return;
	((uint8_t *)last.iov_base)[last.iov_len - 1] = status;
	/* "Bytes written" counts from the start; the status at the end only when all before it is. */
	queue_push(&blk->dev, 0, chain, bytes == status_at ? bytes + 1 : bytes);
}

/* dev.lock held. */
static void queue_serve(struct blk *blk)
{
	do {
		while (!blk->stop && queue_pop(&blk->dev, 0, &blk->chain)) {
			chain_serve(blk);
			queue_signal(&blk->dev, 0);
			if (blk->dev.resetting)
				blk->dev.transport->reset_done(&blk->dev);
		}
	} while (!blk->stop && queue_arm(&blk->dev, 0));
}

static void *blk_thread(void *data)
{
	struct blk *blk = data;
	struct pollfd fds[2] = {{.fd = blk->wake_fd, .events = POLLIN},
				{.fd = -1, .events = POLLIN}};
	uint64_t n;

	pthread_mutex_lock(&blk->dev.lock);
	while (!blk->stop) {
		queue_serve(blk);
		fds[1].fd = blk->dev.queues[0].kick_fd; /* -1 until plugged in: poll skips it */
		pthread_mutex_unlock(&blk->dev.lock);
		(void)poll(fds, 2, -1);
		for (int i = 0; i < 2; i++)
			if (fds[i].revents & POLLIN)
				(void)!read(fds[i].fd, &n, sizeof(n));
		pthread_mutex_lock(&blk->dev.lock);
	}
	pthread_mutex_unlock(&blk->dev.lock);
	return NULL;
}

static void blk_shutdown(struct virtio_dev *dev)
{
	struct blk *blk = from(dev);

	if (!blk->thread_runs)
		return;
	pthread_mutex_lock(&dev->lock);
	blk->stop = true;
	pthread_mutex_unlock(&dev->lock);
	wake(blk);
	pthread_join(blk->thread, NULL);
	blk->thread_runs = false;
}

static void blk_free(struct virtio_dev *dev)
{
	struct blk *blk = from(dev);

	blk_shutdown(dev);
	if (blk->wake_fd >= 0)
		close(blk->wake_fd);
	if (blk->fd >= 0)
		close(blk->fd);
	virtio_dev_fini(dev);
	free(blk);
}

static const struct virtio_dev_ops blk_ops = {
	.device_id = DEVICE_ID_BLK,
	.name = "virtio-blk",
	.features = blk_features,
	.config_read = blk_config_read,
	.activate = blk_activate,
	.reset = blk_reset,
	.shutdown = blk_shutdown,
	.free = blk_free,
};

static int image_open(struct blk *blk, const struct blk_options *options, struct err *err)
{
	char magic[4] = "";
	struct stat st;
	off_t bytes;

	/* O_NONBLOCK: a FIFO in its place does not hang us; files do not care. */
	blk->fd = open(options->file,
		       (options->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (blk->fd < 0 || fstat(blk->fd, &st))
		return err_set(err, errno, "disk %s: %s", options->file, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, EINVAL, "disk %s: neither a file nor a block device",
			       options->file);
	if (flock(blk->fd, (options->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB))
		return err_set(err, errno, "disk %s: %s", options->file,
			       errno == EWOULDBLOCK ? "another VM uses it" : strerror(errno));
	bytes = lseek(blk->fd, 0, SEEK_END);
	if (bytes < SECTOR_BYTES)
		return err_set(err, EINVAL, "disk %s: smaller than one sector", options->file);
	if (bytes % SECTOR_BYTES)
		log_warning("disk %s: the last %u bytes are no whole sector and left out",
			    options->file, (unsigned int)(bytes % SECTOR_BYTES));
	if (pread(blk->fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	    !memcmp(magic, "QFI\xfb", sizeof(magic)))
		return err_set(err, EINVAL, "disk %s: is a qcow2 image; only raw ones can be used",
			       options->file);
	blk->config.capacity = htole64((uint64_t)bytes / SECTOR_BYTES);
	blk->config.seg_max = htole32(QUEUE_SIZE - 2); /* and header and status */
	blk->config.blk_size = htole32(SECTOR_BYTES);
	return 0;
}

struct virtio_dev *blk_new(struct vm *vm, const struct blk_options *options, struct err *err)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	const char *base = strrchr(options->file, '/');
	const char *id = options->id ? options->id : base ? base + 1 : options->file;
	int rc;

	if (!blk) {
		err_set(err, ENOMEM, "disk %s: no memory", options->file);
		return NULL;
	}
	virtio_dev_init(&blk->dev, &blk_ops, vm, id);
	blk->dev.n_queues = 1;
	blk->dev.queues[0].size_max = QUEUE_SIZE;
	blk->dev.queues[0].kick_external = true;
	blk->dev.config_bytes = sizeof(blk->config);
	blk->readonly = options->readonly;
	memcpy(blk->id, id, strnlen(id, ID_BYTES)); /* no NUL when it fills the field (§5.2.6.1) */
	blk->fd = -1;
	blk->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (blk->wake_fd < 0)
		err_set(err, errno, "disk %s: %s", options->file, strerror(errno));
	if (blk->wake_fd < 0 || image_open(blk, options, err))
		goto fail;
	rc = pthread_create(&blk->thread, NULL, blk_thread, blk);
	if (rc) {
		err_set(err, rc, "disk %s: no thread: %s", options->file, strerror(rc));
		goto fail;
	}
	blk->thread_runs = true;
	return &blk->dev;
fail:
	blk_free(&blk->dev);
	return NULL;
}
