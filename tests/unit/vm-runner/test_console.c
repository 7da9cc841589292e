/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-console between a scripted driver and clients on its sockets:
 *
 *   driver: port 0 (queues 0, 1), control (2, 3), port 1 "agent" (4, 5), port 2 "other" (6, 7)
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "virtio/console.h"
#include "virtio/console_dev.h"
#include "log_file.h"

#define CONTROL_RX   2
#define CONTROL_TX   3
#define N_QUEUES     8
#define DEVICE_READY 0
#define PORT_ADD     1
#define PORT_READY   3
#define CONSOLE_PORT 4
#define PORT_OPEN    6
#define PORT_NAME    7

struct bench {
	struct driver driver;
	char folder[64];
	char console[96], agent[96], other[96], log[96];
	unsigned int n_control_posted;
	struct console *device;
};

struct control {
	uint32_t id;
	uint16_t event, value;
	char name[64];
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct vm *vm = vm_new_detached(MEMORY_BYTES);
	struct console_options options = {.socket = bench->console, .log = bench->log};
	struct virtio_dev *dev;
	struct err err = {0};

	strcpy(bench->folder, "/tmp/test_console.XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->console, sizeof(bench->console), "%s/console", bench->folder);
	snprintf(bench->agent, sizeof(bench->agent), "%s/agent", bench->folder);
	snprintf(bench->other, sizeof(bench->other), "%s/other", bench->folder);
	snprintf(bench->log, sizeof(bench->log), "%s/log", bench->folder);
	dev = console_new(vm, &options, &err);
	assert_non_null(dev);
	assert_int_equal(console_port_add(dev, "agent", bench->agent, &err), 0);
	assert_int_equal(console_port_add(dev, "agent", bench->agent, &err), -EEXIST);
	assert_int_equal(console_port_add(dev, "a name", bench->agent, &err), -EINVAL);
	assert_int_equal(console_port_add(dev, "other", bench->other, &err), 0);
	assert_int_equal(virtio_pci_plug(vm, dev, 1, &err), 0);
	driver_open(&bench->driver, vm);
	bench->device = console_from(dev);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	vm_free(bench->driver.vm);
	unlink(bench->log);
	assert_int_equal(rmdir(bench->folder), 0);
	free(bench);
	return 0;
}

static int client(struct bench *bench, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	loop_once(&bench->driver);
	loop_once(&bench->driver);
	return fd;
}

static bool client_is_gone(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Read until @text has come. */
static void client_reads(struct bench *bench, int fd, const char *text)
{
	char got[256] = "";
	size_t n = 0;

	wait_until(&bench->driver, ({
		ssize_t more = read(fd, got + n, sizeof(got) - 1 - n);
		n += more > 0 ? (size_t)more : 0;
		n >= strlen(text);
	}));
	assert_string_equal(got, text);
}

static void guest_says(struct bench *bench, uint32_t id, uint16_t event, uint16_t value)
{
	struct driver *driver = &bench->driver;
	struct ring_desc part = {BUFFERS_GPA, 8, 0, 0};
	struct control control = {id, event, value, ""};

	memcpy(guest(driver, BUFFERS_GPA), &control, 8);
	ring_add(driver, CONTROL_TX, &part, 1);
	ring_kick(driver, CONTROL_TX);
	ring_wait(driver, CONTROL_TX, NULL);
}

/* The next message from the host. */
static struct control guest_hears(struct bench *bench)
{
	struct driver *driver = &bench->driver;
	uint64_t gpa = BUFFERS_GPA + 0x1000 + bench->n_control_posted++ % 16 * 0x100;
	struct ring_desc part = {gpa, sizeof(struct control), DESC_WRITE, 0};
	struct control control = {0};

	memset(guest(driver, gpa), 0, sizeof(control));
	ring_add(driver, CONTROL_RX, &part, 1);
	ring_kick(driver, CONTROL_RX);
	ring_wait(driver, CONTROL_RX, NULL);
	memcpy(&control, guest(driver, gpa), sizeof(control));
	return control;
}

static void hears(struct bench *bench, uint32_t id, uint16_t event, uint16_t value)
{
	struct control control = guest_hears(bench);

	assert_int_equal(control.id, id);
	assert_int_equal(control.event, event);
	assert_int_equal(control.value, value);
}

static void guest_up(struct bench *bench)
{
	assert_true(driver_negotiate(&bench->driver, VIRTIO_BIT(1)));
	for (uint16_t q = 0; q < N_QUEUES; q++)
		driver_queue(&bench->driver, q, 64);
	driver_ok(&bench->driver);
	guest_says(bench, 0xffffffff, DEVICE_READY, 1);
	for (uint32_t id = 0; id < 3; id++)
		hears(bench, id, PORT_ADD, 1);
}

static void port_up(struct bench *bench, uint32_t id)
{
	struct control control;

	guest_says(bench, id, PORT_READY, 1);
	if (id == 0) {
		hears(bench, 0, CONSOLE_PORT, 1);
		hears(bench, 0, PORT_OPEN, 1);
		return;
	}
	control = guest_hears(bench);
	assert_int_equal(control.event, PORT_NAME);
	assert_string_equal(control.name, id == 1 ? "agent" : "other");
}

static uint16_t tx_of(uint32_t id)
{
	return (uint16_t)(id ? 3 + id * 2 : 1);
}

static void guest_writes(struct bench *bench, uint32_t id, const char *text)
{
	struct driver *driver = &bench->driver;
	struct ring_desc part = {BUFFERS_GPA + 0x10000, (uint32_t)strlen(text), 0, 0};

	memcpy(guest(driver, part.addr), text, part.len);
	ring_add(driver, tx_of(id), &part, 1);
	ring_kick(driver, tx_of(id));
}

static void guest_offers_room(struct bench *bench, uint32_t id, uint32_t bytes)
{
	struct ring_desc part = {BUFFERS_GPA + 0x20000, bytes, DESC_WRITE, 0};
	uint16_t rx = tx_of(id) - 1;

	memset(guest(&bench->driver, part.addr), 0, bytes);
	ring_add(&bench->driver, rx, &part, 1);
	ring_kick(&bench->driver, rx);
}

static void ports_are_added_named_and_opened(void **state)
{
	struct bench *bench = *state;
	int fd;

	guest_up(bench);
	port_up(bench, 0);
	port_up(bench, 1);
	assert_int_equal(reg_read(&bench->driver, R_DEVICE + 4, 4), 3);
	fd = client(bench, bench->agent);
	hears(bench, 1, PORT_OPEN, 1);
	close(fd);
	hears(bench, 1, PORT_OPEN, 0);
}

static void client_before_the_guest_is_announced_when_the_port_is_ready(void **state)
{
	struct bench *bench = *state;
	int fd = client(bench, bench->agent);

	guest_up(bench);
	port_up(bench, 1);
	hears(bench, 1, PORT_OPEN, 1);
	close(fd);
}

static void output_goes_to_client_and_log(void **state)
{
	struct bench *bench = *state;
	char text[32] = "";
	int fd, log;

	guest_up(bench);
	port_up(bench, 0);
	guest_writes(bench, 0, "early ");
	ring_wait(&bench->driver, 1, NULL);
	fd = client(bench, bench->console);
	guest_writes(bench, 0, "login:");
	client_reads(bench, fd, "login:");
	close(fd);
	log = open(bench->log, O_RDONLY);
	assert_int_equal(read(log, text, sizeof(text) - 1), 12);
	assert_string_equal(text, "early login:");
	close(log);
}

static void input_waits_until_the_guest_has_opened_the_port(void **state)
{
	struct bench *bench = *state;
	int fd;

	guest_up(bench);
	port_up(bench, 1);
	fd = client(bench, bench->agent);
	hears(bench, 1, PORT_OPEN, 1);
	guest_offers_room(bench, 1, 16);
	assert_int_equal(write(fd, "{}", 2), 2);
	for (int i = 0; i < 20; i++)
		loop_once(&bench->driver);
	assert_int_equal(ring_used_index(&bench->driver, 4), 0);
	guest_says(bench, 1, PORT_OPEN, 1);
	assert_int_equal(ring_wait(&bench->driver, 4, NULL), 2);
	assert_memory_equal(guest(&bench->driver, BUFFERS_GPA + 0x20000), "{}", 2);
	close(fd);
}

static void input_is_cut_to_the_guests_buffers_and_nothing_is_lost(void **state)
{
	struct bench *bench = *state;
	char got[11] = "";
	int fd;

	guest_up(bench);
	port_up(bench, 0);
	fd = client(bench, bench->console);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	for (int i = 0; i < 4; i++) {
		uint32_t n;

		guest_offers_room(bench, 0, 3);
		n = ring_wait(&bench->driver, 0, NULL);
		memcpy(got + i * 3, guest(&bench->driver, BUFFERS_GPA + 0x20000), n);
	}
	assert_string_equal(got, "0123456789");
	close(fd);
}

static void last_words_of_a_client_arrive_before_its_leaving(void **state)
{
	struct bench *bench = *state;
	int fd;

	guest_up(bench);
	port_up(bench, 1);
	fd = client(bench, bench->agent);
	hears(bench, 1, PORT_OPEN, 1);
	guest_says(bench, 1, PORT_OPEN, 1);
	assert_int_equal(write(fd, "abcdef", 6), 6);
	close(fd);
	for (int i = 0; i < 20; i++)
		loop_once(&bench->driver);
	guest_offers_room(bench, 1, 4);
	assert_int_equal(ring_wait(&bench->driver, 4, NULL), 4);
	guest_offers_room(bench, 1, 4);
	assert_int_equal(ring_wait(&bench->driver, 4, NULL), 2);
	hears(bench, 1, PORT_OPEN, 0);
}

static void newer_console_client_takes_over(void **state)
{
	struct bench *bench = *state;
	char text[128] = "";
	int first, second;

	guest_up(bench);
	port_up(bench, 0);
	first = client(bench, bench->console);
	second = client(bench, bench->console);
	assert_true(read(first, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "taken this console over"));
	assert_true(client_is_gone(first));
	guest_writes(bench, 0, "hello");
	client_reads(bench, second, "hello");
	close(first);
	close(second);
}

static void next_client_of_a_named_port_waits(void **state)
{
	struct bench *bench = *state;
	int first, second;

	guest_up(bench);
	port_up(bench, 1);
	first = client(bench, bench->agent);
	hears(bench, 1, PORT_OPEN, 1);
	second = client(bench, bench->agent);
	guest_writes(bench, 1, "one");
	client_reads(bench, first, "one");
	close(first);
	hears(bench, 1, PORT_OPEN, 0);
	hears(bench, 1, PORT_OPEN, 1);
	guest_writes(bench, 1, "two");
	client_reads(bench, second, "two");
	close(second);
}

/* Write 16 KiB chains until the device takes no more, @limit at most. Return: how many it took. */
static unsigned int guest_floods(struct bench *bench, uint32_t id, unsigned int limit)
{
	struct driver *driver = &bench->driver;
	struct ring_desc part = {BUFFERS_GPA + 0x10000, 0x4000, 0, 0};
	uint16_t q = tx_of(id);

	memset(guest(driver, part.addr), 'x', 0x4000);
	for (unsigned int n = 0; n < limit; n++) {
		ring_add(driver, q, &part, 1);
		ring_kick(driver, q);
		for (int i = 0; i < 50 && ring_used_index(driver, q) != driver->avail[q]; i++)
			loop_once(driver);
		if (ring_used_index(driver, q) != driver->avail[q])
			return n;
		driver->used_seen[q] = driver->avail[q];
	}
	return limit;
}

static void client_that_never_reads_does_not_stop_the_console(void **state)
{
	struct bench *bench = *state;
	int fd;

	guest_up(bench);
	port_up(bench, 0);
	fd = client(bench, bench->console);
	assert_int_equal(guest_floods(bench, 0, 200), 200);
	close(fd);
}

static void client_that_never_reads_stops_its_own_port_only_and_loses_nothing(void **state)
{
	struct bench *bench = *state;
	size_t taken, got = 0;
	char bytes[4096];
	int agent, other;

	guest_up(bench);
	port_up(bench, 1);
	port_up(bench, 2);
	agent = client(bench, bench->agent);
	other = client(bench, bench->other);
	taken = guest_floods(bench, 1, 200);
	assert_in_range(taken, 1, 199);
	guest_writes(bench, 2, "alive");
	client_reads(bench, other, "alive");
	/* once it reads, all of it comes, the chain that waited included */
	wait_until(&bench->driver, ({
		ssize_t n = read(agent, bytes, sizeof(bytes));
		got += n > 0 ? (size_t)n : 0;
		got == (taken + 1) * 0x4000;
	}));
	close(agent);
	close(other);
}

/*
 * With a socket that takes all that waits for the client at once, the device is never told that there is room
 * again: it has to see to the rest of a chain itself.
 */
static void
chain_larger_than_what_waits_for_a_client_goes_on_when_the_socket_takes_all(void **state)
{
	struct bench *bench = *state;
	struct driver *driver = &bench->driver;
	struct ring_desc parts[2] = {{0, 0x80000, 0, 0}, {0, 0x80000, 0, 0}};
	size_t got = 0, total = 2 * 0x80000;
	int fd, room = 4 << 20, client_fd;
	char bytes[4096];

	guest_up(bench);
	port_up(bench, 1);
	fd = client(bench, bench->agent);
	client_fd = bench->device->ports[1].client_fd;
	if (setsockopt(client_fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		skip();
	ring_add(driver, tx_of(1), parts, 2);
	ring_kick(driver, tx_of(1));
	wait_until(driver, ({
			   ssize_t n = read(fd, bytes, sizeof(bytes));
			   got += n > 0 ? (size_t)n : 0;
			   got == total;
		   }));
	close(fd);
}

static void leaving_client_frees_a_stopped_port(void **state)
{
	struct bench *bench = *state;
	int fd;

	guest_up(bench);
	port_up(bench, 1);
	fd = client(bench, bench->agent);
	assert_in_range(guest_floods(bench, 1, 200), 1, 199);
	close(fd);
	wait_until(&bench->driver, ring_used_index(&bench->driver, 5) == bench->driver.avail[5]);
	/* without a client output is dropped */
	bench->driver.used_seen[5] = bench->driver.avail[5];
	assert_int_equal(guest_floods(bench, 1, 100), 100);
}

static void reset_forgets_the_ports(void **state)
{
	struct bench *bench = *state;
	int fd;

	guest_up(bench);
	port_up(bench, 1);
	fd = client(bench, bench->agent);
	hears(bench, 1, PORT_OPEN, 1);
	assert_in_range(guest_floods(bench, 1, 200), 1, 199);
	bench->n_control_posted = 0;
	guest_up(bench);
	port_up(bench, 1);
	hears(bench, 1, PORT_OPEN, 1);
	close(fd);
}

static void nonsense_from_the_guest_is_ignored(void **state)
{
	struct bench *bench = *state;
	struct ring_desc tiny = {BUFFERS_GPA, 3, 0, 0};

	guest_up(bench);
	guest_says(bench, 3, PORT_READY, 1);
	guest_says(bench, 0xffffffff, PORT_OPEN, 1);
	guest_says(bench, 1, 0x7777, 1);
	guest_says(bench, 1, PORT_READY, 0);
	ring_add(&bench->driver, CONTROL_TX, &tiny, 1);
	ring_kick(&bench->driver, CONTROL_TX);
	ring_wait(&bench->driver, CONTROL_TX, NULL);
	port_up(bench, 2);
}

static void control_buffer_that_is_too_small_needs_reset(void **state)
{
	struct bench *bench = *state;
	struct ring_desc part = {BUFFERS_GPA + 0x1000, 7, DESC_WRITE, 0};

	guest_up(bench);
	guest_says(bench, 1, PORT_READY, 1);
	ring_add(&bench->driver, CONTROL_RX, &part, 1);
	ring_kick(&bench->driver, CONTROL_RX);
	wait_until(&bench->driver, reg_read(&bench->driver, R_STATUS, 1) & 64);
}

static void driver_without_multiport_has_a_console(void **state)
{
	struct bench *bench = *state;
	int fd = client(bench, bench->console);

	assert_true(driver_negotiate(&bench->driver, 0));
	driver_queue(&bench->driver, 0, 64);
	driver_queue(&bench->driver, 1, 64);
	driver_ok(&bench->driver);
	guest_writes(bench, 0, "plain");
	client_reads(bench, fd, "plain");
	assert_int_equal(write(fd, "in", 2), 2);
	guest_offers_room(bench, 0, 8);
	assert_int_equal(ring_wait(&bench->driver, 0, NULL), 2);
	close(fd);
}

static void full_log_keeps_its_newer_half(void **state)
{
	struct bench *bench = *state;
	struct log_file log;
	struct err err = {0};
	struct stat st;
	char text[16], last[5] = "";
	char path[128];

	snprintf(path, sizeof(path), "%s/small", bench->folder);
	assert_int_equal(log_file_open(&log, "log", path, 100, &err), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%03d\n", i);
		log_file_write(&log, text, 4);
		assert_int_equal(stat(path, &st), 0);
		assert_in_range(st.st_size, i < 12 ? 4 : 50, 100);
	}
	assert_int_equal(pread(log.fd, last, 4, st.st_size - 4), 4);
	assert_string_equal(last, "999\n");
	/* somebody empties it */
	assert_int_equal(truncate(path, 0), 0);
	log_file_write(&log, "new\n", 4);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 4);
	log_file_close(&log);
	unlink(path);
}

static void log_that_cannot_grow_is_tolerated(void **state)
{
	struct bench *bench = *state;
	struct rlimit old, small;
	int fd;

	guest_up(bench);
	port_up(bench, 0);
	fd = client(bench, bench->console);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){4, old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	guest_writes(bench, 0, "more than four bytes");
	client_reads(bench, fd, "more than four bytes");
	setrlimit(RLIMIT_FSIZE, &old);
	close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(ports_are_added_named_and_opened),
		T(client_before_the_guest_is_announced_when_the_port_is_ready),
		T(output_goes_to_client_and_log),
		T(input_waits_until_the_guest_has_opened_the_port),
		T(input_is_cut_to_the_guests_buffers_and_nothing_is_lost),
		T(last_words_of_a_client_arrive_before_its_leaving),
		T(newer_console_client_takes_over),
		T(next_client_of_a_named_port_waits),
		T(client_that_never_reads_does_not_stop_the_console),
		T(client_that_never_reads_stops_its_own_port_only_and_loses_nothing),
		T(chain_larger_than_what_waits_for_a_client_goes_on_when_the_socket_takes_all),
		T(leaving_client_frees_a_stopped_port),
		T(reset_forgets_the_ports),
		T(nonsense_from_the_guest_is_ignored),
		T(control_buffer_that_is_too_small_needs_reset),
		T(driver_without_multiport_has_a_console),
		T(full_log_keeps_its_newer_half),
		T(log_that_cannot_grow_is_tolerated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
