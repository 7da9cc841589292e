/* SPDX-License-Identifier: BSD-3-Clause */
/* A capture's way into files, and frames from descriptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/capfile.h"
#include "lab/describe.h"
#include "lab/jsonline.h"

static char dir[] = "/tmp/netloom-capfile-XXXXXX";

static size_t block(uint8_t *to, uint32_t type, uint32_t body, uint8_t fill)
{
	uint32_t length = 12 + body;

	memcpy(to, &type, 4);
	memcpy(to + 4, &length, 4);
	memset(to + 8, fill, body);
	memcpy(to + 8 + body, &length, 4);
	return length;
}

/* A section, two interfaces, @n packets of 1000 bytes. */
static size_t stream(uint8_t *to, int n)
{
	size_t at = block(to, 0x0a0d0d0a, 16, 1);

	at += block(to + at, 1, 8, 2);
	at += block(to + at, 1, 8, 3);
	for (int i = 0; i < n; i++)
		at += block(to + at, 6, 1000, (uint8_t)i);
	return at;
}

static off_t size_of(const char *name)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return stat(path, &status) == 0 ? status.st_size : -1;
}

static void gone(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

static void pieces_of_any_size_make_the_same_file(void **state)
{
	static uint8_t bytes[30000];
	size_t n = stream(bytes, 20), piece;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/x", dir);
	for (piece = 1; piece < 5000; piece = piece * 2 + 1) {
		struct capfile file = {.path = path, .fd = -1};
		struct err err = {.text = ""};

		assert_int_equal(capfile_open(&file, &err), 0);
		for (size_t at = 0; at < n; at += piece)
			assert_int_equal(capfile_feed(&file, bytes + at,
						      n - at < piece ? n - at : piece, &err),
					 0);
		assert_int_equal(file.n_packets, 20);
		assert_int_equal(capfile_close(&file, &err), 0);
		assert_int_equal(size_of("x"), n);
	}
	gone("x");
}

static void a_ring_keeps_the_latest_and_each_file_stands_alone(void **state)
{
	static uint8_t bytes[100000];
	size_t n = stream(bytes, 90), front = stream(bytes, 0);
	struct capfile file = {.fd = -1, .rotate_bytes = 10000, .rotate_files = 3};
	struct err err = {.text = ""};
	char path[128];

	(void)state;
	stream(bytes, 90);
	snprintf(path, sizeof(path), "%s/r", dir);
	file.path = path;
	assert_int_equal(capfile_open(&file, &err), 0);
	assert_int_equal(capfile_feed(&file, bytes, n, &err), 0);
	assert_int_equal(capfile_close(&file, &err), 0);
	for (int i = 0; i < 3; i++) {
		char name[8];
		uint8_t head[100];
		FILE *one;

		snprintf(name, sizeof(name), "r.%d", i);
		assert_in_range(size_of(name), front + 1, 10000);
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		one = fopen(path, "r");
		assert_int_equal(fread(head, 1, front, one), front);
		assert_memory_equal(head, bytes, front);
		fclose(one);
		gone(name);
	}
	assert_int_equal(size_of("r.3"), -1);
}

static void counts_end_and_nonsense_is_refused(void **state)
{
	static uint8_t bytes[30000];
	size_t n = stream(bytes, 20);
	struct capfile file = {.path = "/dev/null", .fd = -1, .max_packets = 7};
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(capfile_open(&file, &err), 0);
	assert_int_equal(capfile_feed(&file, bytes, n, &err), 0);
	assert_true(file.is_full);
	assert_int_equal(file.n_packets, 7);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(capfile_feed(&file, bytes, 100, &err), -EPROTO);
	capfile_close(&file, &err);
	file = (struct capfile){.path = "/dev/full", .fd = -1};
	err.text[0] = '\0';
	n = stream(bytes, 1);
	assert_int_equal(capfile_open(&file, &err), 0);
	assert_int_equal(capfile_feed(&file, bytes, n, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "/dev/full"));
	assert_non_null(strstr(err.text, "make room"));
	capfile_close(&file, &err);
}

static void a_full_disk_leaves_whole_blocks(void **state)
{
	static uint8_t bytes[30000];
	struct rlimit before, limit;
	struct capfile file = {.fd = -1};
	struct err err = {.text = ""};
	size_t n = stream(bytes, 20);
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/full", dir);
	file.path = path;
	/* A limit is a disk: the last write is done in part, the next one refused. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = stream(bytes, 7) + 500;
	stream(bytes, 20);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(capfile_open(&file, &err), 0);
	assert_int_equal(capfile_feed(&file, bytes, n, &err), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(err.text, "7 frames are in it"));
	assert_int_equal(size_of("full"), stream(bytes, 7));
	capfile_close(&file, &err);
	gone("full");
}

static size_t option(uint8_t *to, uint16_t code, uint64_t value)
{
	const uint16_t head[] = {code, sizeof(value)};

	memcpy(to, head, sizeof(head));
	memcpy(to + sizeof(head), &value, sizeof(value));
	return sizeof(head) + sizeof(value);
}

/* A packet of 5 bytes in front of which @told were lost, or statistics that say @summed in all. */
static void lost_feed(struct capfile *file, uint64_t told, uint64_t summed)
{
	struct err err = {.text = ""};
	uint8_t bytes[100];
	const uint32_t captured = 5;
	size_t n = 0;

	if (told > 0) {
		n = block(bytes, 6, 28 + 12, 0);
		memcpy(bytes + 20, &captured, sizeof(captured));
		option(bytes + 36, 4, told);
	} else {
		n = block(bytes, 5, 12 + 12, 0);
		option(bytes + 20, 5, summed);
	}
	assert_int_equal(capfile_feed(file, bytes, n, &err), 0);
}

static void what_was_lost_is_known_without_the_end_of_the_stream(void **state)
{
	struct capfile file = {.path = "/dev/null", .fd = -1};
	struct err err = {.text = ""};
	uint8_t bytes[100];

	(void)state;
	assert_int_equal(capfile_open(&file, &err), 0);
	assert_int_equal(capfile_feed(&file, bytes, stream(bytes, 0), &err), 0);
	lost_feed(&file, 7, 0);
	lost_feed(&file, 3, 0);
	assert_int_equal(capfile_lost(&file), 10);
	lost_feed(&file, 0, 6);
	lost_feed(&file, 0, 6);
	assert_int_equal(capfile_lost(&file), 12); /* two more behind the last packet */
	assert_int_equal(capfile_feed(&file, bytes, stream(bytes, 0), &err), 0);
	lost_feed(&file, 5, 0);
	assert_int_equal(capfile_lost(&file), 17);
	/* A packet that says to be longer than its block */
	memset(bytes, 0xff, sizeof(bytes));
	block(bytes, 6, 28, 0xff);
	assert_int_equal(capfile_feed(&file, bytes, 40, &err), 0);
	assert_int_equal(capfile_lost(&file), 17);
	capfile_close(&file, &err);
}

static void a_reader_that_takes_nothing_is_left_after_an_interrupt(void **state)
{
	static uint8_t bytes[100000];
	struct capfile file = {.fd = -1, .give_up_ns = 1};
	struct err err = {.text = ""};
	size_t n = stream(bytes, 90);
	char path[128];
	int reader;

	(void)state;
	snprintf(path, sizeof(path), "%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	file.path = path;
	assert_int_equal(capfile_open(&file, &err), 0);
	jsonline_interrupted = 1;
	assert_int_equal(capfile_feed(&file, bytes, n, &err), -ETIMEDOUT);
	jsonline_interrupted = 0;
	assert_non_null(strstr(err.text, "takes nothing"));
	close(reader);
	assert_int_equal(capfile_feed(&file, bytes, n, &err), -EPIPE);
	capfile_close(&file, &err);
	gone("pipe");
}

static void descriptions_become_frames(void **state)
{
	static uint8_t bytes[DESCRIBE_FRAME_MAX];
	struct describe d = {.size = 0};
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(describe_mac("02:00:00:00:00:0A", d.from), 0);
	assert_int_equal(describe_mac("broadcast", d.to), 0);
	assert_int_equal(describe_mac("02:00:00:00:00:0", d.from), -EINVAL);
	assert_int_equal(describe_mac("02-00-00-00-00-0a", d.from), -EINVAL);
	assert_int_equal(describe_frame(&d, bytes, &err), 60);
	assert_memory_equal(bytes, "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x0a\x88\xb5\0", 15);
	assert_int_equal(describe_tag(&d, "s100", &err), 0);
	assert_int_equal(describe_tag(&d, "10p5", &err), 0);
	assert_int_equal(describe_ip_pair(&d, "10.0.0.1,10.0.0.2", &err), 0);
	d.size = 100;
	assert_int_equal(describe_frame(&d, bytes, &err), 100);
	assert_memory_equal(bytes + 12, "\x88\xa8\0\x64\x81\0\xa0\x0a\x08\0\x45", 11);
	/* Sums of the right header are zero with their checksums in */
	d.n_tags = 0;
	d.type = "tcp";
	assert_int_equal(describe_frame(&d, bytes, &err), 100);
	assert_memory_equal(bytes + 24, "\x66\xce", 2);
	d.size = 20;
	assert_int_equal(describe_frame(&d, bytes, &err), -EINVAL);
	d.type = "udp";
	assert_int_equal(describe_ip_pair(&d, "::1,10.0.0.1", &err), -EINVAL);
	d.type = "nonsense";
	assert_int_equal(describe_frame(&d, bytes, &err), -EINVAL);
	assert_int_equal(describe_hex("00:11 22\n33", bytes, &err), 4);
	assert_memory_equal(bytes, "\0\x11\x22\x33", 4);
	assert_int_equal(describe_hex("0", bytes, &err), -EINVAL);
	assert_int_equal(describe_hex(" ", bytes, &err), -EINVAL);
	assert_int_equal(describe_hex("0g", bytes, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_make_the_same_file),
		cmocka_unit_test(a_ring_keeps_the_latest_and_each_file_stands_alone),
		cmocka_unit_test(counts_end_and_nonsense_is_refused),
		cmocka_unit_test(a_full_disk_leaves_whole_blocks),
		cmocka_unit_test(what_was_lost_is_known_without_the_end_of_the_stream),
		cmocka_unit_test(a_reader_that_takes_nothing_is_left_after_an_interrupt),
		cmocka_unit_test(descriptions_become_frames),
	};
	int rc;

	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(dir) == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(dir) == 0 ? rc : 1;
}
