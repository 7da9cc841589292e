/* SPDX-License-Identifier: BSD-3-Clause */
/* Cards that come and go: the controller's registers as a guest uses and misuses them, and what becomes of the bus. */
#include "driver.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "control.h"
#include "devices.h"
#include "machine.h"
#include "net_plug.h"
#include "x86/io.h"
#include "x86/layout.h"

#define SLOT(n) (UINT32_C(1) << (n))

static struct vm *vm;
static struct devices devices;
static char folder[32], path[64];

static int bench_make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/netloom-hot-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/eth2.sock", folder);
	memset(&devices, 0, sizeof(devices));
	vm = vm_new_detached(2 << 20);
	if (!vm)
		return -1;
	pci_bus_run(vm_pci(vm));
	return net_plug_open(&devices, vm, NULL);
}

static int bench_free(void **state)
{
	(void)state;
	net_plug_close(&devices);
	vm_free(vm);
	return rmdir(folder); /* nothing is left behind */
}

static int listener(const char *where)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", where);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int add(const char *more, int *fd, struct err *err)
{
	char text[256];

	snprintf(text, sizeof(text), "socket=%s,mac=02:00:00:00:00:02%s", path, more);
	return net_plug_add(&devices, text, fd, err);
}

static void add_well(const char *id)
{
	struct err err = {0};
	char more[80];
	int fd = listener(path);

	snprintf(more, sizeof(more), ",id=%s", id);
	if (add(more, &fd, &err))
		fail_msg("%s", err.text);
	assert_int_equal(fd, -1);
}

static uint32_t in32(unsigned int offset)
{
	uint32_t value = 0;

	io_port(vm, (uint16_t)(LAYOUT_PORT_HOTPLUG + offset), (uint8_t *)&value, 4, false);
	return value;
}

static void out32(unsigned int offset, uint32_t value)
{
	io_port(vm, (uint16_t)(LAYOUT_PORT_HOTPLUG + offset), (uint8_t *)&value, 4, true);
}

/* A slot's vendor and device id. */
static uint32_t id_in(unsigned int slot)
{
	uint32_t id = 0;

	assert_true(pci_bus_mmio(vm_pci(vm), PCI_ECAM_BASE + (slot << 15), &id, 4, false));
	return id;
}

static void events_turn(void)
{
	event_base_loop(vm_events(vm), EVLOOP_NONBLOCK);
}

static void a_card_comes_is_announced_once_and_goes_when_it_is_ejected(void **state)
{
	(void)state;
	add_well("eth2");
	assert_int_equal(devices.n_nets, 1);
	assert_int_equal(id_in(8), 0x10411af4);
	assert_int_equal(in32(HOTPLUG_LEAVING), 0);
	assert_int_equal(in32(HOTPLUG_ARRIVED), SLOT(8));
	assert_int_equal(in32(HOTPLUG_ARRIVED), 0);

	assert_int_equal(net_plug_remove(&devices, devices.nets[0], NULL), 0);
	assert_true(net_plug_is_leaving(&devices, devices.nets[0]));
	assert_int_equal(in32(HOTPLUG_LEAVING), SLOT(8));
	assert_int_equal(in32(HOTPLUG_LEAVING), 0);
	events_turn();
	assert_int_equal(devices.n_nets, 1);
	assert_int_equal(access(path, F_OK), 0);
	out32(HOTPLUG_EJECT, SLOT(8));
	events_turn();
	assert_int_equal(devices.n_nets, 0);
	assert_int_equal(id_in(8), UINT32_MAX);
	assert_int_equal(access(path, F_OK), -1);
}

static void what_nobody_wants_back_stays_whatever_the_guest_ejects(void **state)
{
	(void)state;
	add_well("eth2");
	out32(HOTPLUG_EJECT, UINT32_MAX);
	events_turn();
	assert_int_equal(devices.n_nets, 1);
	/* An eject from before the request does not count either. */
	assert_int_equal(net_plug_remove(&devices, devices.nets[0], NULL), 0);
	events_turn();
	assert_int_equal(devices.n_nets, 1);
	out32(HOTPLUG_EJECT, ~SLOT(8));
	events_turn();
	assert_int_equal(devices.n_nets, 1);
	out32(HOTPLUG_EJECT, UINT32_MAX);
	out32(HOTPLUG_EJECT, UINT32_MAX);
	events_turn();
	assert_int_equal(devices.n_nets, 0);
}

static void a_guest_that_does_not_let_go_keeps_its_card(void **state)
{
	(void)state;
	add_well("eth2");
	assert_int_equal(net_plug_remove(&devices, devices.nets[0], NULL), 0);
	assert_true(evtimer_pending(devices.plug.tick, NULL));
	devices.plug.leave_by_ns[8] = 1; /* long ago */
	event_active(devices.plug.tick, EV_TIMEOUT, 0);
	events_turn();
	assert_false(net_plug_is_leaving(&devices, devices.nets[0]));
	assert_int_equal(in32(HOTPLUG_LEAVING), 0);
	out32(HOTPLUG_EJECT, SLOT(8)); /* too late */
	events_turn();
	assert_int_equal(devices.n_nets, 1);
	/* The next request is a new one. */
	assert_int_equal(net_plug_remove(&devices, devices.nets[0], NULL), 0);
	out32(HOTPLUG_EJECT, SLOT(8));
	events_turn();
	assert_int_equal(devices.n_nets, 0);
}

static void odd_accesses_to_the_registers_do_nothing(void **state)
{
	static const unsigned int sizes[] = {1, 2, 4};
	uint8_t ones[4] = {0xff, 0xff, 0xff, 0xff}, data[4];

	(void)state;
	add_well("eth2");
	assert_int_equal(net_plug_remove(&devices, devices.nets[0], NULL), 0);
	for (unsigned int offset = 0; offset < HOTPLUG_PORTS; offset++)
		for (unsigned int i = 0; i < 3; i++) {
			if (sizes[i] == 4 && offset % 4 == 0)
				continue;
			io_port(vm, (uint16_t)(LAYOUT_PORT_HOTPLUG + offset), ones, sizes[i], true);
			memset(data, 0, sizeof(data));
			io_port(vm, (uint16_t)(LAYOUT_PORT_HOTPLUG + offset), data, sizes[i],
				false);
			assert_memory_equal(data, ones, sizes[i]);
		}
	out32(HOTPLUG_ARRIVED, UINT32_MAX);
	out32(HOTPLUG_LEAVING, UINT32_MAX);
	events_turn();
	assert_int_equal(devices.n_nets, 1);
	assert_int_equal(in32(HOTPLUG_ARRIVED), 0); /* leaving, so nothing to look at */
	assert_int_equal(in32(HOTPLUG_LEAVING), SLOT(8));
	assert_int_equal(in32(HOTPLUG_EJECT), 0);
}

static unsigned int n_open_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Interrupts, doorbells, addresses: thousands of cards in a machine's life must not use them up. */
static void nothing_is_used_up_by_cards_that_come_and_go(void **state)
{
	unsigned int n_fds = n_open_fds();

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct pci_dev *pci;

		add_well("eth2");
		pci = vm_pci(vm)->devs[8 << 3];
		assert_true(pci_msix_irqfd(pci, 0) >= 0);
		assert_true(pci_msix_irqfd(pci, 1) >= 0);
		assert_int_equal(net_plug_remove(&devices, devices.nets[0], NULL), 0);
		out32(HOTPLUG_EJECT, SLOT(8));
		events_turn();
		assert_int_equal(devices.n_nets, 0);
	}
	assert_int_equal(n_open_fds(), n_fds);
	assert_true(vm->irq.n_msi <= 2);
}

static void refused(const char *more, int fd, const char *sentence)
{
	struct err err = {0};
	unsigned int n = devices.n_nets;
	int given = fd;

	assert_true(add(more, &fd, &err) < 0);
	assert_int_equal(fd, given);
	if (!strstr(err.text, sentence))
		fail_msg("\"%s\" is not in \"%s\"", sentence, err.text);
	assert_int_equal(devices.n_nets, n);
	if (fd >= 0)
		close(fd);
}

static void what_cannot_be_plugged_is_refused_with_a_sentence_and_changes_nothing(void **state)
{
	char elsewhere[64];
	int pair[2];

	(void)state;
	refused(",id=eth2", -1, "no socket came with the request");
	refused("", -1, "needs an id");
	refused(",id=eth2,queues=99", -1, "queues");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	refused(",id=eth2", pair[0], "no Unix stream socket that listens");
	refused(",id=eth2", eventfd(0, 0), "no Unix stream socket that listens");
	snprintf(elsewhere, sizeof(elsewhere), "%s/other", folder);
	refused(",id=eth2", listener(elsewhere), "listens elsewhere");
	unlink(elsewhere);
	assert_int_equal(in32(HOTPLUG_ARRIVED), 0);
	add_well("eth2");
	refused(",id=eth2", -1, "already");
}

static void all_slots_taken_is_said(void **state)
{
	struct err err = {0};
	int fd;

	(void)state;
	for (int i = 0; i < DEVICES_N_SLOT_NETS; i++) {
		char id[8];

		snprintf(path, sizeof(path), "%s/%d", folder, i);
		snprintf(id, sizeof(id), "n%d", i);
		add_well(id);
	}
	snprintf(path, sizeof(path), "%s/more", folder);
	fd = listener(path);
	assert_true(add(",id=more", &fd, &err) < 0);
	assert_non_null(strstr(err.text, "all PCI slots"));
	close(fd);
	unlink(path);
	assert_int_equal(in32(HOTPLUG_ARRIVED), 0xffffff00);
	/* A card in the middle makes room. */
	assert_int_equal(net_plug_remove(&devices, devices.nets[5], NULL), 0);
	out32(HOTPLUG_EJECT, SLOT(13));
	events_turn();
	assert_int_equal(devices_net_find(&devices, "n5"), devices.n_nets);
	add_well("more");
	assert_int_equal(in32(HOTPLUG_ARRIVED), SLOT(13));
}

static void a_card_that_shares_its_slot_cannot_be_pulled(void **state)
{
	struct err err = {0};
	static const struct pci_ids ids = {.vendor = 1, .device = 2, .class = 3};
	static const struct pci_dev_ops ops = {0};

	(void)state;
	for (unsigned int slot = 1; slot < PCI_SLOTS; slot++) {
		static struct pci_dev others[PCI_SLOTS];

		if (slot == DEVICES_SLOT_NETS)
			continue;
		pci_dev_init(&others[slot], &ops, &ids, 0);
		assert_int_equal(pci_bus_add(vm_pci(vm), &others[slot], (int)slot, NULL), 0);
	}
	add_well("eth2");
	for (int i = 0; i < 7 * (PCI_SLOTS - DEVICES_SLOT_NETS); i++) {
		static struct pci_dev functions[7 * PCI_SLOTS];

		pci_dev_init(&functions[i], &ops, &ids, 0);
		assert_int_equal(pci_bus_add(vm_pci(vm), &functions[i], -1, NULL), 0);
	}
	assert_true(net_plug_remove(&devices, devices.nets[0], &err) < 0);
	assert_non_null(strstr(err.text, "shares its PCI slot"));
	assert_false(net_plug_is_leaving(&devices, devices.nets[0]));
}

/* A line over the control socket, with descriptors; the answer into @answer. */
static void line_ask(int client, const char *line, const int *fds, unsigned int n_fds, char *answer,
		     size_t size)
{
	struct iovec iov = {.iov_base = (char *)line, .iov_len = strlen(line)};
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = ""};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	uint64_t limit = clock_now_ns() + WAIT_LIMIT_NS;
	ssize_t n = -1;

	if (n_fds) {
		struct cmsghdr *header;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(client, &message, 0), strlen(line));
	while (n < 0 && clock_now_ns() < limit) {
		events_turn();
		n = recv(client, answer, size - 1, MSG_DONTWAIT);
	}
	assert_true(n > 0);
	answer[n] = 0;
}

static void the_socket_comes_with_the_request(void **state)
{
	char control_path[64], line[256], answer[1024];
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct control *control;
	int client = socket(AF_UNIX, SOCK_STREAM, 0), fds[5];
	unsigned int n_fds;

	(void)state;
	snprintf(control_path, sizeof(control_path), "%s/control", folder);
	control = control_open(vm, &devices, control_path, NULL);
	assert_non_null(control);
	strcpy(addr.sun_path, control_path);
	assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
	fds[0] = listener(path);
	for (int i = 1; i < 5; i++)
		fds[i] = dup(fds[0]);
	snprintf(line, sizeof(line),
		 "{\"id\":1,\"method\":\"nic.add\",\"params\":{\"net\":"
		 "\"socket=%s,mac=02:00:00:00:00:02,id=eth2\"}}\n",
		 path);
	/* None; one for a request that has no use for it; as many as fit: the first counts. */
	line_ask(client, line, NULL, 0, answer, sizeof(answer));
	assert_non_null(strstr(answer, "no socket came with the request"));
	n_fds = n_open_fds();
	line_ask(client, "{\"id\":2,\"method\":\"status\"}\n", fds, 1, answer, sizeof(answer));
	line_ask(client, line, NULL, 0, answer, sizeof(answer));
	assert_non_null(strstr(answer, "no socket came with the request"));
	line_ask(client, "{\"id\":2,\"method\":\"status\"}\n", fds, 5, answer, sizeof(answer));
	assert_int_equal(n_open_fds(), n_fds);
	line_ask(client, line, fds, 5, answer, sizeof(answer));
	assert_non_null(strstr(answer, "\"result\":{}"));
	assert_int_equal(devices.n_nets, 1);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	close(client);
	events_turn();
	control_free(control);
}

static void a_machine_without_acpi_says_so(void **state)
{
	struct devices fixed = {0};
	struct err err = {0};
	char text[] = "socket=/x,mac=02:00:00:00:00:02,id=a";
	int fd = -1;

	(void)state;
	assert_true(net_plug_add(&fixed, text, &fd, &err) < 0);
	assert_non_null(strstr(err.text, "no ACPI"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_make, bench_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_card_comes_is_announced_once_and_goes_when_it_is_ejected),
		TEST(what_nobody_wants_back_stays_whatever_the_guest_ejects),
		TEST(a_guest_that_does_not_let_go_keeps_its_card),
		TEST(odd_accesses_to_the_registers_do_nothing),
		TEST(nothing_is_used_up_by_cards_that_come_and_go),
		TEST(what_cannot_be_plugged_is_refused_with_a_sentence_and_changes_nothing),
		TEST(all_slots_taken_is_said),
		TEST(a_card_that_shares_its_slot_cannot_be_pulled),
		TEST(the_socket_comes_with_the_request),
		TEST(a_machine_without_acpi_says_so),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
