/* SPDX-License-Identifier: BSD-3-Clause */
/* See guest.h. Devices are worked by scalar loads and stores, as their registers want it, and polled. */
#include "guest.h"

#define CAP_VENDOR	0x09
#define CFG_COMMON	1
#define CFG_NOTIFY	2
#define CFG_DEVICE	4
#define VIRTIO_VENDOR	0x1af4
#define VIRTIO_ID_BASE	0x1040
#define VERSION_1	(UINT64_C(1) << 32)
#define STATUS_DRIVER	0x03 /* ACKNOWLEDGE, DRIVER */
#define STATUS_FEATURES 0x0b
#define STATUS_OK	0x0f
#define POLLS_MAX	2000000

static const struct microguest_params *given;
static uint64_t next_free;

extern char _end[]; /* by the linker */

void *memcpy(void *to, const void *from, size_t n)
{
	void *result = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return result;
}

void *memset(void *to, int value, size_t n)
{
	void *result = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
	return result;
}

static void port_write(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

void guest_init(const struct microguest_params *params)
{
	given = params;
	next_free = ((uint64_t)_end + 4095) & ~UINT64_C(4095);
	if (params->magic != MICROGUEST_MAGIC || params->version != MICROGUEST_VERSION)
		guest_end(1);
}

void guest_say(const char *text)
{
	while (*text)
		port_write(MICROGUEST_PORT_TEXT, (uint8_t)*text++);
}

void guest_say_number(const char *text, uint64_t number)
{
	char digits[24];
	int at = sizeof(digits);

	digits[--at] = '\0';
	digits[--at] = '\n';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	guest_say(text);
	guest_say(digits + at);
}

void guest_end(uint8_t code)
{
	for (;;)
		port_write(MICROGUEST_PORT_EXIT, code);
}

void guest_check(bool good, uint8_t number, const char *what)
{
	guest_say(good ? "ok: " : "FAILED: ");
	guest_say(what);
	guest_say("\n");
	if (!good)
		guest_end(number);
}

uint64_t guest_arg(const char *name, uint64_t otherwise)
{
	for (const char *at = given->args; *at; at++) {
		uint64_t value = 0;
		size_t n = 0;

		if (at != given->args && at[-1] != ' ')
			continue;
		while (name[n] && at[n] == name[n])
			n++;
		if (name[n] || at[n] != '=')
			continue;
		for (at += n + 1; *at >= '0' && *at <= '9'; at++)
			value = value * 10 + (uint64_t)(*at - '0');
		return value;
	}
	return otherwise;
}

void *guest_alloc(size_t bytes)
{
	void *memory = (void *)next_free;

	next_free = (next_free + bytes + 4095) & ~UINT64_C(4095);
	if (next_free > given->memory_bytes) {
		guest_say("too little memory: raise --memory\n");
		guest_end(2);
	}
	return memory; /* a microguest's memory starts out cleared */
}

void guest_wait(uint8_t n)
{
	port_write(MICROGUEST_PORT_WAIT, n);
}

/* Address and, in @extra, what follows it of the device's structure @type. */
static uint64_t structure_find(uint64_t cfg, uint64_t bar, uint8_t type, uint32_t *extra)
{
	for (uint8_t at = guest_read8(cfg + 0x34); at; at = guest_read8(cfg + at + 1)) {
		if (guest_read8(cfg + at) != CAP_VENDOR || guest_read8(cfg + at + 3) != type)
			continue;
		*extra = guest_read32(cfg + at + 16);
		return bar + guest_read32(cfg + at + 8);
	}
	return 0;
}

bool virtio_find(unsigned int id, unsigned int nth, struct virtio_device *device)
{
	uint32_t wanted = (VIRTIO_ID_BASE + id) << 16 | VIRTIO_VENDOR, unused;

	for (unsigned int slot = 1; slot < 256; slot++) {
		uint64_t cfg = given->ecam_base + (slot << 12), bar;

		if (guest_read32(cfg) != wanted || nth-- > 0)
			continue;
		guest_write16(cfg + 4, 6); /* memory, bus master */
		bar = (guest_read32(cfg + 0x10) & ~0xfU) | (uint64_t)guest_read32(cfg + 0x14) << 32;
		device->common = (void *)structure_find(cfg, bar, CFG_COMMON, &unused);
		device->notify = structure_find(cfg, bar, CFG_NOTIFY, &device->notify_multiplier);
		device->device_cfg = structure_find(cfg, bar, CFG_DEVICE, &unused);
		return device->common && device->notify;
	}
	return false;
}

void virtio_reset(struct virtio_device *device)
{
	int polls = 0;

	device->common->device_status = 0;
	while (device->common->device_status != 0) {
		if (polls++ > POLLS_MAX) {
			guest_say("the device does not reset\n");
			guest_end(4);
		}
		if (polls > 100)
			guest_wait(10);
	}
}

uint64_t virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
	volatile struct virtio_common_cfg *common = device->common;
	uint64_t offered;

	virtio_reset(device);
	common->device_status = STATUS_DRIVER;
	common->device_feature_select = 0;
	offered = common->device_feature;
	common->device_feature_select = 1;
	offered |= (uint64_t)common->device_feature << 32;
	wanted = (wanted | VERSION_1) & offered;
	common->driver_feature_select = 0;
	common->driver_feature = (uint32_t)wanted;
	common->driver_feature_select = 1;
	common->driver_feature = (uint32_t)(wanted >> 32);
	common->device_status = STATUS_FEATURES;
	if (!(wanted & VERSION_1) || common->device_status != STATUS_FEATURES) {
		guest_say("the device does not take our features\n");
		guest_end(6);
	}
	return wanted;
}

uint64_t virtio_queue(struct virtio_device *device, uint16_t index, uint16_t size, const void *desc,
		      const void *driver, const void *used)
{
	volatile struct virtio_common_cfg *common = device->common;

	common->queue_select = index;
	if (common->queue_size < size) {
		guest_say("a queue is missing or too small\n");
		guest_end(7);
	}
	common->queue_size = size;
	common->queue_desc = (uint64_t)desc;
	common->queue_driver = (uint64_t)driver;
	common->queue_device = (uint64_t)used;
	common->queue_enable = 1;
	return device->notify + (uint64_t)common->queue_notify_off * device->notify_multiplier;
}

void virtio_go(struct virtio_device *device)
{
	device->common->device_status = STATUS_OK;
	if (device->common->device_status != STATUS_OK) {
		guest_say("the device does not start\n");
		guest_end(8);
	}
}
