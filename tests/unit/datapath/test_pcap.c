/* SPDX-License-Identifier: BSD-3-Clause */
/* The pcap port: what it refuses, and what it does when the disk is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/datapath/frames.h"

static char path[] = "/tmp/netloom-pcap-XXXXXX";

static void write_bytes(const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static int open_port(const char *rx, const char *tx, struct port **port, struct err *err)
{
	struct port_spec spec = {.type = "pcap", .name = "p", .n_queues = 1};

	err->text[0] = '\0';
	snprintf(spec.path, sizeof(spec.path), "%s", rx);
	snprintf(spec.tx_path, sizeof(spec.tx_path), "%s", tx);
	return port_ops_find("pcap")->open(&spec, port, err);
}

static void refused(const char *rx, const char *tx, const char *words)
{
	struct port *port;
	struct err err;

	assert_true(open_port(rx, tx, &port, &err) < 0);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static size_t capture_of(unsigned int n, uint8_t *bytes, size_t max)
{
	struct frames_file file;
	uint8_t frame[200];
	FILE *in;
	size_t len;

	frames_file_create(&file, path);
	for (unsigned int i = 0; i < n; i++)
		frames_file_add(&file, frame, frames_make(frame, 1, 2, 60, i));
	frames_file_close(&file);
	in = fopen(path, "r");
	len = fread(bytes, 1, max, in);
	fclose(in);
	return len;
}

static void broken_files_are_refused_with_a_sentence(void **state)
{
	uint8_t bytes[4096];
	size_t len;

	(void)state;
	refused("", "", "needs a file");
	refused("/nonexistent/x.pcap", "", "/nonexistent/x.pcap");
	refused("", "/nonexistent/x.pcap", "/nonexistent/x.pcap");
	write_bytes("", 0);
	refused(path, "", path);
	memset(bytes, 0x5a, sizeof(bytes));
	write_bytes(bytes, sizeof(bytes));
	refused(path, "", path);
	len = capture_of(3, bytes, sizeof(bytes));
	write_bytes(bytes, len - 1);
	refused(path, "", "broken after 2 frames");
	bytes[20] = 113; /* Linux cooked */
	write_bytes(bytes, len);
	refused(path, "", "not Ethernet");
	len = capture_of(3, bytes, sizeof(bytes));
	bytes[24 + 12] = 61; /* the first frame's length on the wire */
	write_bytes(bytes, len);
	refused(path, "", "frame 1 was cut");
	len = capture_of(3, bytes, sizeof(bytes));
	memset(bytes + 24 + 8, 0xff, 8);
	write_bytes(bytes, len);
	refused(path, "", path);
}

static void any_cut_of_a_capture_is_taken_or_refused_but_never_crashes(void **state)
{
	uint8_t bytes[4096];
	size_t len = capture_of(4, bytes, sizeof(bytes));
	struct port *port;
	struct err err;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		write_bytes(bytes, cut);
		if (open_port(path, "", &port, &err) == 0) {
			assert_int_equal((cut - 24) % 76, 0);
			port->ops->close(port);
		} else {
			assert_true(strlen(err.text) > 0);
		}
	}
}

/* Opening a FIFO waits for its other end, and control would wait with it. */
static void fifo_is_refused_at_once(void **state)
{
	char fifo[64];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(10); /* ends the test */
	refused(fifo, "", "not a regular file");
	refused("", fifo, "not a regular file");
	alarm(0);
	unlink(fifo);
	refused("/dev/zero", "", "not a regular file");
	refused("", "/dev/null", "not a regular file");
	refused("/tmp", "", "not a regular file");
}

static unsigned int frames_in_file(void)
{
	static struct frame f;
	struct port *port;
	struct err err;
	unsigned int n = 0;

	assert_int_equal(open_port(path, "", &port, &err), 0);
	while (port->ops->rx(port, 0, 0, &f, 1) == 1)
		n++;
	port->ops->close(port);
	return n;
}

/* The change that opens the port may be undone yet. */
static void old_capture_is_kept_until_the_first_frame(void **state)
{
	static struct frame f;
	struct frame_out out = {.f = &f};
	uint8_t bytes[4096];
	struct port *port;
	struct err err;

	(void)state;
	capture_of(3, bytes, sizeof(bytes));
	assert_int_equal(open_port("", path, &port, &err), 0);
	port->ops->close(port);
	assert_int_equal(frames_in_file(), 3);
	f.hdr = f.buf + FRAME_HDR_ROOM;
	f.len = f.hdr_len = (uint16_t)frames_make(f.hdr, 1, 2, 60, 0);
	assert_int_equal(open_port("", path, &port, &err), 0);
	port->ops->tx(port, 0, &out, 1);
	assert_int_equal(out.drop, DROP_NONE);
	port->ops->tx(port, 0, &out, 1);
	port->ops->close(port);
	assert_int_equal(frames_in_file(), 2);
}

static void capture_without_frames_can_be_read(void **state)
{
	struct port *port;
	struct err err;

	(void)state;
	write_bytes("", 0);
	assert_int_equal(open_port("", path, &port, &err), 0);
	port->ops->close(port);
	assert_int_equal(frames_in_file(), 0);
}

static void port_without_a_file_to_send_to_is_not_connected(void **state)
{
	static struct frame f;
	struct frame_out out = {.f = &f};
	uint8_t bytes[4096];
	struct port *port;
	struct err err;

	(void)state;
	capture_of(1, bytes, sizeof(bytes));
	assert_int_equal(open_port(path, "", &port, &err), 0);
	assert_int_equal(port->ops->rx(port, 0, 0, &f, 1), 1);
	assert_int_equal(port->ops->rx(port, 0, 0, &f, 1), 0); /* once only */
	port->ops->tx(port, 0, &out, 1);
	assert_int_equal(out.drop, DROP_NOT_CONNECTED);
	port->ops->close(port);
}

static void full_disk_is_counted_and_leaves_whole_records(void **state)
{
	static struct frame frames[FRAME_BURST];
	struct rlimit limit, before;
	struct frame_out out[FRAME_BURST];
	struct port_status status;
	struct port *port;
	struct err err;
	uint16_t n_taken = 0;
	char lost[32];

	(void)state;
	for (uint16_t i = 0; i < FRAME_BURST; i++) {
		frames[i].hdr = frames[i].buf + FRAME_HDR_ROOM;
		frames[i].len = frames[i].hdr_len =
			(uint16_t)frames_make(frames[i].hdr, 1, 2, 60, i);
		out[i] = (struct frame_out){.f = &frames[i]};
	}
	assert_int_equal(open_port("", path, &port, &err), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 24 + 10 * 76 + 30; /* ten frames, and a part of the eleventh */
	setrlimit(RLIMIT_FSIZE, &limit);
	port->ops->tx(port, 0, out, FRAME_BURST);
	setrlimit(RLIMIT_FSIZE, &before);
	for (uint16_t i = 0; i < FRAME_BURST; i++) {
		assert_int_equal(out[i].drop, i < 10 ? DROP_NONE : DROP_WRITE_FAILED);
		n_taken += out[i].drop == DROP_NONE;
	}
	port->ops->status(port, &status);
	snprintf(lost, sizeof(lost), "%d frames", FRAME_BURST - 10);
	assert_non_null(strstr(status.detail, lost));
	port->ops->tx(port, 0, out, 1); /* there is room again */
	assert_int_equal(out[0].drop, DROP_NONE);
	port->ops->close(port);
	assert_int_equal(open_port(path, "", &port, &err), 0);
	for (uint16_t i = 0; i <= n_taken; i++)
		assert_int_equal(port->ops->rx(port, 0, 0, frames, 1), 1);
	assert_int_equal(port->ops->rx(port, 0, 0, frames, 1), 0);
	port->ops->close(port);
}

static int make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_files_are_refused_with_a_sentence),
		cmocka_unit_test(any_cut_of_a_capture_is_taken_or_refused_but_never_crashes),
		cmocka_unit_test(fifo_is_refused_at_once),
		cmocka_unit_test(old_capture_is_kept_until_the_first_frame),
		cmocka_unit_test(capture_without_frames_can_be_read),
		cmocka_unit_test(port_without_a_file_to_send_to_is_not_connected),
		cmocka_unit_test(full_disk_is_counted_and_leaves_whole_records),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
