/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings against a guest that runs at the same time: two threads, two rings, nothing else between them but two eventfds.
 *
 *    guest: frames of all lengths, --> transmit ring --> ring_rx() --+       the device: a thread, and when it dies
 *           chains of all kinds                                      |       with frames in its hands, the next one, which takes up
 *           checks number and bytes <-- receive ring <-- ring_tx() --+       the rings from their in-flight state
 *
 * Each frame comes once, in order and whole. Both sides sleep when they have nothing to do, so that a signal that is lost is a frame that never
 * comes. Under ThreadSanitizer (make tsan) what the rings hand over is plain memory: whatever is not ordered is a race.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "port.h"
#include "unit/datapath/ring_driver.h"
#include "vhost/ring.h"

#ifdef __SANITIZE_THREAD__
#define FRAMES 1000
#else
#define FRAMES 10000
#endif
#define BASE	     UINT64_C(0x40000000) /* guest physical address of the memory */
#define RAM_BYTES    (1u << 20)
#define RING_BYTES   0x4000 /* of one ring's three areas */
#define TX_DATA	     0x10000
#define TX_BUFFER    2048
#define TX_TABLES    0x60000 /* 64 bytes for each chain */
#define RX_DATA	     0x80000
#define RX_BUFFER    704
#define RX_CHAINS    60
#define RX_PER_FRAME 3 /* chains at most */
#define LEN_MIN	     60
#define LEN_MAX	     1500
#define SIGNAL_MS    100000 /* later it will not come any more */
#define BURST_MAX    32
#define BURSTS_LIVED 7 /* of a device that dies */

static struct {
	bool packed, event_idx, dies, tracked;
	uint8_t *ram;
	struct vhost_mem mem;
	uint64_t region[4096]; /* in-flight */
	int kick_fd, call_fd;  /* for the device, for the guest */
	_Atomic bool stop;
	_Atomic bool lost_signal;
	uint32_t n_deaths;
	uint32_t n_bursts, dropped; /* of the device that lives */
	/* the guest's */
	struct driver tx, rx;
	uint16_t rx_chain[DRIVER_SIZE]; /* which buffers a chain has, by its id */
	uint32_t sent, received, n_wrong;
	uint32_t random;
} t;

static void tell(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		atomic_store(&t.lost_signal, true);
}

static void await(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint64_t value;

	if (poll(&wait, 1, SIGNAL_MS) != 1)
		atomic_store(&t.lost_signal, true);
	else if (read(fd, &value, sizeof(value)) < 0)
		atomic_store(&t.lost_signal, true);
}

static uint32_t dice(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % n;
}

static uint32_t frame_len(uint32_t number)
{
	return LEN_MIN + number * 2654435761u % (LEN_MAX - LEN_MIN + 1);
}

/* The device. */

static void area(struct ring_setup *setup, unsigned int index)
{
	setup->desc = t.ram + (size_t)index * RING_BYTES;
	setup->driver = (uint8_t *)setup->desc + 0x1000;
	setup->device = (uint8_t *)setup->desc + 0x2000;
}

static void ring_start(struct ring *ring, unsigned int index)
{
	struct ring_setup setup = {
		.mem = &t.mem,
		.packed = t.packed,
		.event_idx = t.event_idx,
		.indirect = true,
		.mergeable = true,
		.vnet_len = VNET_LEN_MAX,
		.size = DRIVER_SIZE,
		.next_avail = t.packed ? DRIVER_WRAP : 0,
		.next_used = t.packed ? DRIVER_WRAP : 0,
	};
	const char *why = "";

	area(&setup, index);
	if (!t.packed) /* what a front-end says to the next one */
		setup.next_avail = setup.next_used = __atomic_load_n(
			&((struct vring_used *)setup.device)->idx, __ATOMIC_ACQUIRE);
	if (t.tracked) {
		setup.inflight =
			ring_inflight_at(t.region, t.packed, 2, DRIVER_SIZE, (uint16_t)index);
		setup.recover = true;
	}
	if (ring_open(ring, &setup, &why) != 0)
		t.dropped++;
}

/* Return: that it has died, not that it was stopped. */
static void *device(void *arg)
{
	static struct ring from_guest, to_guest; /* one device at a time */
	static struct frame frames[FRAME_BURST];
	static struct frame_out out[FRAME_BURST];
	uint64_t drops[DROP_N] = {0};

	(void)arg;
	ring_start(&from_guest, 0);
	ring_start(&to_guest, 1);
	for (;;) {
		uint16_t n = ring_rx(&from_guest, frames, FRAME_BURST, drops);

		if (n == 0 && from_guest.n_done == 0) {
			if (atomic_load(&t.stop) || from_guest.broken)
				break;
			if (!ring_arm(&from_guest, true))
				await(t.kick_fd);
			ring_arm(&from_guest, false);
			continue;
		}
		if (t.dies && ++t.n_bursts % BURSTS_LIVED == 0)
			return &t; /* with all that it has taken */
		for (uint16_t i = 0; i < n; i++)
			out[i] = (struct frame_out){.f = &frames[i]};
		if (ring_tx(&to_guest, out, n))
			tell(t.call_fd);
		for (uint16_t i = 0; i < n; i++)
			t.dropped += out[i].drop != DROP_NONE;
		if (ring_rx_release(&from_guest))
			tell(t.call_fd);
	}
	for (int reason = 0; reason < DROP_N; reason++)
		t.dropped += (uint32_t)drops[reason];
	t.dropped += from_guest.broken + to_guest.broken;
	return NULL;
}

/* One device after the other. */
static void *devices(void *arg)
{
	pthread_t thread;
	void *died = &t;

	(void)arg;
	while (died != NULL) {
		if (pthread_create(&thread, NULL, device, NULL) != 0)
			abort();
		pthread_join(thread, &died);
		t.n_deaths += died != NULL;
	}
	return NULL;
}

/* The guest. */

static uint8_t *at(uint64_t address)
{
	return t.ram + (address - BASE);
}

static void frame_offer(uint32_t number)
{
	uint16_t id = t.tx.next;
	uint64_t data = BASE + TX_DATA + id * (uint64_t)TX_BUFFER;
	uint64_t table = BASE + TX_TABLES + id * 64u;
	uint32_t len = frame_len(number), cut = VNET_LEN_MAX + number % 50;
	struct driver_buf bufs[] = {{data, cut}, {data + cut, VNET_LEN_MAX + len - cut}};
	struct driver_buf whole = {data, VNET_LEN_MAX + len}, indirect = {table, 32};
	uint8_t *bytes = at(data);

	memset(bytes, 0, VNET_LEN_MAX);
	for (uint32_t i = 0; i < len; i++)
		bytes[VNET_LEN_MAX + i] = (uint8_t)(number + i);
	memcpy(bytes + VNET_LEN_MAX, &number, sizeof(number));
	if (number % 4 == 2) {
		driver_offer(&t.tx, bufs, 2, 0);
	} else if (number % 4 == 3 && t.packed) {
		for (int i = 0; i < 2; i++)
			((struct vring_packed_desc *)at(table))[i] = (struct vring_packed_desc){
				.addr = bufs[i].addr, .len = bufs[i].len};
		driver_offer(&t.tx, &indirect, 1, VRING_DESC_F_INDIRECT);
	} else if (number % 4 == 3) {
		for (int i = 0; i < 2; i++)
			((struct vring_desc *)at(table))[i] =
				(struct vring_desc){.addr = bufs[i].addr,
						    .len = bufs[i].len,
						    .flags = i == 0 ? VRING_DESC_F_NEXT : 0,
						    .next = 1};
		driver_offer(&t.tx, &indirect, 1, VRING_DESC_F_INDIRECT);
	} else {
		driver_offer(&t.tx, &whole, 1, 0);
	}
}

/* Buffers to receive into: one, or each fifth time the same in two pieces. */
static void buffers_offer(uint16_t which)
{
	uint64_t data = BASE + RX_DATA + which * (uint64_t)RX_BUFFER;
	struct driver_buf bufs[] = {{data, RX_BUFFER / 2}, {data + RX_BUFFER / 2, RX_BUFFER / 2}};
	struct driver_buf whole = {data, RX_BUFFER};

	t.rx_chain[t.rx.next] = which;
	if (which % 5 == 4)
		driver_offer(&t.rx, bufs, 2, VRING_DESC_F_WRITE);
	else
		driver_offer(&t.rx, &whole, 1, VRING_DESC_F_WRITE);
}

static bool frame_is_good(const uint8_t *bytes, uint32_t n, uint32_t number)
{
	uint32_t said;

	if (n != frame_len(number))
		return false;
	memcpy(&said, bytes, sizeof(said));
	for (uint32_t i = sizeof(said); i < n; i++)
		if (bytes[i] != (uint8_t)(number + i))
			return false;
	return said == number;
}

/* Return: whether there was a frame. */
static bool frame_receive(void)
{
	uint8_t bytes[RX_PER_FRAME * RX_BUFFER];
	uint16_t chains[RX_PER_FRAME], n = 0, n_chains = 1;
	uint32_t len, used = 0;
	int id;

	while (n < n_chains) {
		id = driver_collect(&t.rx, &len);
		if (id < 0)
			break;
		chains[n] = t.rx_chain[id];
		if (len > RX_BUFFER)
			len = 0;
		memcpy(bytes + used, at(BASE + RX_DATA + chains[n] * (uint64_t)RX_BUFFER), len);
		used += len;
		if (n++ == 0)
			memcpy(&n_chains, bytes + offsetof(struct vnet_hdr, num_buffers),
			       sizeof(n_chains));
		if (n_chains > RX_PER_FRAME)
			n_chains = n;
	}
	if (n == 0)
		return false;
	t.n_wrong += n != n_chains || used < VNET_LEN_MAX ||
		     !frame_is_good(bytes + VNET_LEN_MAX, used - VNET_LEN_MAX, t.received);
	t.received++;
	while (n > 0)
		buffers_offer(chains[--n]);
	return true;
}

/* As many as there is room for at both ends: what the device cannot deliver it drops. */
static bool frames_send(void)
{
	uint32_t n = 1 + dice(&t.random, BURST_MAX), before = t.sent;

	for (; n > 0 && t.sent < FRAMES && t.tx.n_free >= 2; n--) {
		if ((t.sent - t.received + 1) * RX_PER_FRAME > RX_CHAINS)
			break;
		frame_offer(t.sent++);
	}
	if (t.sent != before && driver_publish(&t.tx))
		tell(t.kick_fd);
	return t.sent != before;
}

static void *guest(void *arg)
{
	uint32_t len;

	(void)arg;
	while (t.received < FRAMES && t.n_wrong == 0 && !atomic_load(&t.lost_signal)) {
		bool any = false, came = false;

		while (driver_collect(&t.tx, &len) >= 0)
			any = true;
		while (frame_receive())
			came = true;
		if (came)
			driver_publish(&t.rx); /* the device does not sleep for buffers */
		any |= frames_send();
		if (any || came)
			continue;
		if (!driver_arm(&t.rx, true))
			await(t.call_fd);
		driver_arm(&t.rx, false);
	}
	return NULL;
}

static void run(bool packed, bool event_idx, bool tracked, bool dies)
{
	pthread_t a, b;

	memset(&t, 0, sizeof(t));
	t.packed = packed;
	t.event_idx = event_idx;
	t.tracked = tracked;
	t.dies = dies;
	t.ram = aligned_alloc(4096, RAM_BYTES);
	memset(t.ram, 0, RAM_BYTES);
	vhost_mem_add(&t.mem, BASE, RAM_BYTES, t.ram);
	assert_true(ring_inflight_bytes(packed, 2, DRIVER_SIZE) <= sizeof(t.region));
	driver_init(&t.tx, packed, event_idx, t.ram, t.ram + 0x1000, t.ram + 0x2000);
	driver_init(&t.rx, packed, event_idx, t.ram + RING_BYTES, t.ram + RING_BYTES + 0x1000,
		    t.ram + RING_BYTES + 0x2000);
	t.kick_fd = eventfd(0, EFD_CLOEXEC);
	t.call_fd = eventfd(0, EFD_CLOEXEC);
	driver_arm(&t.tx, false);
	driver_arm(&t.rx, false);
	for (uint16_t i = 0; i < RX_CHAINS; i++)
		buffers_offer(i);
	driver_publish(&t.rx);

	assert_int_equal(pthread_create(&a, NULL, devices, NULL), 0);
	assert_int_equal(pthread_create(&b, NULL, guest, NULL), 0);
	pthread_join(b, NULL);
	atomic_store(&t.stop, true);
	tell(t.kick_fd);
	pthread_join(a, NULL);
	close(t.kick_fd);
	close(t.call_fd);
	free(t.ram);

	assert_false(t.lost_signal);
	assert_int_equal(t.n_wrong, 0);
	assert_int_equal(t.received, FRAMES);
	assert_int_equal(t.sent, FRAMES);
	assert_int_equal(t.dropped, 0);
	assert_true(dies == (t.n_deaths > 0));
}

static void split_ring_hands_over_in_order(void **state)
{
	(void)state;
	run(false, false, false, false);
	run(false, true, false, false);
}

static void packed_ring_hands_over_in_order(void **state)
{
	(void)state;
	run(true, false, false, false);
	run(true, true, false, false);
}

static void next_device_takes_up_split_rings(void **state)
{
	(void)state;
	run(false, false, false, true);
	run(false, true, true, true);
}

static void next_device_takes_up_packed_rings(void **state)
{
	(void)state;
	run(true, false, true, true);
	run(true, true, true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_ring_hands_over_in_order),
		cmocka_unit_test(packed_ring_hands_over_in_order),
		cmocka_unit_test(next_device_takes_up_split_rings),
		cmocka_unit_test(next_device_takes_up_packed_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
