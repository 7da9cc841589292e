/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-blk with a scripted driver and a real file behind it. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>

#include "virtio/blk.h"

#define SECTORS	 16
#define HEADER	 BUFFERS_GPA
#define DATA	 (BUFFERS_GPA + 0x1000)
#define STATUS	 (BUFFERS_GPA + 0x8000)
#define S_OK	 0
#define S_IOERR	 1
#define S_UNSUPP 2
#define T_IN	 0
#define T_OUT	 1
#define T_FLUSH	 4
#define T_GET_ID 8

struct bench {
	struct driver driver;
	char path[64];
	int fd;
};

static int setup_with(void **state, bool readonly)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct blk_options options = {.file = bench->path, .readonly = readonly, .id = "disk0"};
	struct vm *vm = vm_new_detached(MEMORY_BYTES);
	struct virtio_dev *dev;
	struct err err = {0};

	strcpy(bench->path, "/tmp/test_blk.XXXXXX");
	bench->fd = mkstemp(bench->path);
	assert_int_equal(ftruncate(bench->fd, SECTORS * 512 + 100), 0);
	dev = blk_new(vm, &options, &err);
	assert_non_null(dev);
	assert_int_equal(virtio_pci_plug(vm, dev, 1, &err), 0);
	driver_open(&bench->driver, vm);
	*state = bench;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, false);
}

static int setup_readonly(void **state)
{
	return setup_with(state, true);
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	vm_free(bench->driver.vm);
	close(bench->fd);
	unlink(bench->path);
	free(bench);
	return 0;
}

static void up(struct bench *bench)
{
	assert_true(driver_negotiate(&bench->driver, VIRTIO_BIT(9)));
	driver_queue(&bench->driver, 0, 64);
	driver_ok(&bench->driver);
}

static void header_set(struct bench *bench, uint32_t type, uint64_t sector)
{
	uint8_t *header = guest(&bench->driver, HEADER);

	memset(header, 0, 16);
	memcpy(header, &type, 4);
	memcpy(header + 8, &sector, 8);
	*(uint8_t *)guest(&bench->driver, STATUS) = 0x55;
}

/* Return: the status; *@written is what the used ring says. */
static uint8_t request(struct bench *bench, uint32_t type, uint64_t sector, uint32_t bytes,
		       uint32_t *written)
{
	bool in = type == T_IN || type == T_GET_ID;
	struct ring_desc parts[] = {{HEADER, 16, 0, 0},
				    {DATA, bytes, in ? DESC_WRITE : 0, 0},
				    {STATUS, 1, DESC_WRITE, 0}};
	uint32_t n;

	header_set(bench, type, sector);
	ring_add(&bench->driver, 0, parts, 3);
	ring_kick(&bench->driver, 0);
	n = ring_wait(&bench->driver, 0, NULL);
	if (written)
		*written = n;
	return *(uint8_t *)guest(&bench->driver, STATUS);
}

static void capacity_is_whole_sectors(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(reg_read(&bench->driver, R_DEVICE, 8), SECTORS);
	assert_int_equal(reg_read(&bench->driver, R_DEVICE + 20, 4), 512);
}

static void sectors_are_written_and_read_back(void **state)
{
	struct bench *bench = *state;
	uint8_t *data = guest(&bench->driver, DATA);
	char byte;
	uint32_t n;

	up(bench);
	memset(data, 'w', 1024);
	assert_int_equal(request(bench, T_OUT, 3, 1024, &n), S_OK);
	assert_int_equal(pread(bench->fd, &byte, 1, 3 * 512 + 1023), 1);
	assert_int_equal(byte, 'w');
	memset(data, 0, 1024);
	assert_int_equal(request(bench, T_IN, 4, 512, &n), S_OK);
	assert_int_equal(n, 513);
	assert_int_equal(data[0], 'w');
	assert_int_equal(data[511], 'w');
	assert_int_equal(data[512], 0);
	assert_int_equal(request(bench, T_FLUSH, 0, 0, &n), S_OK);
}

/* virtio 1.2 §2.7.4.2: how a request is cut into descriptors means nothing. */
static void request_may_be_cut_anywhere(void **state)
{
	struct bench *bench = *state;
	struct ring_desc parts[] = {{HEADER, 5, 0, 0},
				    {HEADER + 5, 11, 0, 0},
				    {DATA, 100, DESC_WRITE, 0},
				    {DATA + 100, 412 + 1, DESC_WRITE, 0}};

	up(bench);
	assert_int_equal(pwrite(bench->fd, "Z", 1, 511), 1);
	header_set(bench, T_IN, 0);
	memset(guest(&bench->driver, DATA), 0x55, 513);
	ring_add(&bench->driver, 0, parts, 4);
	ring_kick(&bench->driver, 0);
	assert_int_equal(ring_wait(&bench->driver, 0, NULL), 513);
	assert_int_equal(((uint8_t *)guest(&bench->driver, DATA))[511], 'Z');
	assert_int_equal(((uint8_t *)guest(&bench->driver, DATA))[512], S_OK);
}

static void requests_past_the_end_fail(void **state)
{
	struct bench *bench = *state;

	up(bench);
	assert_int_equal(request(bench, T_IN, SECTORS, 512, NULL), S_IOERR);
	assert_int_equal(request(bench, T_IN, SECTORS - 1, 1024, NULL), S_IOERR);
	assert_int_equal(request(bench, T_OUT, UINT64_MAX, 512, NULL), S_IOERR);
	assert_int_equal(request(bench, T_OUT, UINT64_MAX / 512, 512, NULL), S_IOERR);
	assert_int_equal(request(bench, T_OUT, 0, 511, NULL), S_IOERR);
	assert_int_equal(request(bench, T_IN, 0, 512, NULL), S_OK);
}

static void file_cut_short_fails_the_read(void **state)
{
	struct bench *bench = *state;

	up(bench);
	assert_int_equal(ftruncate(bench->fd, 512), 0);
	assert_int_equal(request(bench, T_IN, 0, 1024, NULL), S_IOERR);
	assert_int_equal(request(bench, T_IN, 0, 512, NULL), S_OK);
}

static void id_is_told(void **state)
{
	struct bench *bench = *state;
	uint32_t n;

	up(bench);
	assert_int_equal(request(bench, T_GET_ID, 0, 20, &n), S_OK);
	assert_string_equal(guest(&bench->driver, DATA), "disk0");
	assert_int_equal(request(bench, T_GET_ID, 0, 3, &n), S_OK);
}

static void unknown_request_is_unsupported(void **state)
{
	struct bench *bench = *state;

	up(bench);
	assert_int_equal(request(bench, 99, 0, 512, NULL), S_UNSUPP);
}

static void request_without_room_for_status_needs_reset(void **state)
{
	struct bench *bench = *state;
	struct ring_desc part = {HEADER, 16, 0, 0};

	up(bench);
	ring_add(&bench->driver, 0, &part, 1);
	ring_kick(&bench->driver, 0);
	wait_until(&bench->driver, reg_read(&bench->driver, R_STATUS, 1) & 64);
	up(bench);
	assert_int_equal(request(bench, T_IN, 0, 512, NULL), S_OK);
}

static void many_requests_and_resets_between(void **state)
{
	struct bench *bench = *state;
	struct ring_desc parts[] = {
		{HEADER, 16, 0, 0}, {DATA, 4096, DESC_WRITE, 0}, {STATUS, 1, DESC_WRITE, 0}};

	for (int round = 0; round < 50; round++) {
		up(bench);
		header_set(bench, T_IN, 0);
		for (int i = 0; i < 20; i++)
			ring_add(&bench->driver, 0, parts, 3);
		ring_kick(&bench->driver, 0);
		if (round % 2)
			usleep(50); /* reset somewhere in the middle */
	}
	up(bench);
	assert_int_equal(request(bench, T_IN, 0, 512, NULL), S_OK);
}

static void readonly_disk_says_so_and_refuses_writes(void **state)
{
	struct bench *bench = *state;
	char byte = 1;

	assert_true(driver_offered(&bench->driver) & VIRTIO_BIT(5));
	up(bench);
	memset(guest(&bench->driver, DATA), 'w', 512);
	assert_int_equal(request(bench, T_OUT, 0, 512, NULL), S_IOERR);
	assert_int_equal(pread(bench->fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(request(bench, T_IN, 0, 512, NULL), S_OK);
	assert_int_equal(request(bench, T_FLUSH, 0, 0, NULL), S_OK);
}

static void bad_images_are_refused(void **state)
{
	struct bench *bench = *state;
	struct blk_options options = {.file = "/nonexistent/disk"};
	struct err err = {0};

	assert_null(blk_new(bench->driver.vm, &options, &err));
	assert_non_null(strstr(err.text, "No such file"));
	err.text[0] = 0;
	options.file = "/tmp";
	options.readonly = true;
	assert_null(blk_new(bench->driver.vm, &options, &err));
	assert_non_null(strstr(err.text, "neither a file"));
	err.text[0] = 0;
	options.file = bench->path; /* locked by the one plugged in */
	assert_null(blk_new(bench->driver.vm, &options, &err));
	assert_non_null(strstr(err.text, "another VM"));
}

static void qcow2_and_empty_images_are_refused(void **state)
{
	struct bench *bench = *state;
	struct blk_options options = {.file = bench->path, .readonly = true};
	struct err err = {0};

	/* a second reader may share the lock */
	assert_int_equal(pwrite(bench->fd, "QFI\xfb", 4, 0), 4);
	assert_null(blk_new(bench->driver.vm, &options, &err));
	assert_non_null(strstr(err.text, "qcow2"));
	err.text[0] = 0;
	assert_int_equal(ftruncate(bench->fd, 10), 0);
	assert_null(blk_new(bench->driver.vm, &options, &err));
	assert_non_null(strstr(err.text, "smaller than one sector"));
}

int main(void)
{
#define T(name)	 cmocka_unit_test_setup_teardown(name, setup, teardown)
#define RO(name) cmocka_unit_test_setup_teardown(name, setup_readonly, teardown)
	const struct CMUnitTest tests[] = {
		T(capacity_is_whole_sectors),	     T(sectors_are_written_and_read_back),
		T(request_may_be_cut_anywhere),	     T(requests_past_the_end_fail),
		T(file_cut_short_fails_the_read),    T(id_is_told),
		T(unknown_request_is_unsupported),   T(request_without_room_for_status_needs_reset),
		T(many_requests_and_resets_between), RO(readonly_disk_says_so_and_refuses_writes),
		T(bad_images_are_refused),	     RO(qcow2_and_empty_images_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
