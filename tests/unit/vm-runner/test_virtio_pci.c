/* SPDX-License-Identifier: BSD-3-Clause */
/* The virtio PCI transport's registers, with virtio-rng behind them. */
#include "driver.h"

#include "virtio/queue.h"
#include "virtio/rng.h"

struct machine {
	struct driver driver; /* first: most tests need only that */
	struct virtio_dev *dev;
};

static int setup(void **state)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	struct err err = {0};
	struct vm *vm = vm_new_detached(MEMORY_BYTES);

	assert_non_null(vm);
	machine->dev = rng_new(vm, &err);
	assert_int_equal(virtio_pci_plug(vm, machine->dev, 1, &err), 0);
	driver_open(&machine->driver, vm);
	*state = machine;
	return 0;
}

static int teardown(void **state)
{
	struct machine *machine = *state;

	vm_free(machine->driver.vm);
	free(machine);
	return 0;
}

static uint64_t cfg_read(struct driver *driver, uint16_t offset, unsigned int bytes)
{
	return mmio_read(driver, driver->cfg + offset, bytes);
}

static void rng_up(struct driver *driver)
{
	assert_true(driver_negotiate(driver, 0));
	driver_queue(driver, 0, 64);
	driver_ok(driver);
}

static void function_is_a_modern_virtio_rng(void **state)
{
	struct driver *driver = *state;

	assert_int_equal(cfg_read(driver, 0, 4), 0x10441af4);
	assert_true(cfg_read(driver, 8, 1) >= 1);
	assert_int_equal(reg_read(driver, R_NUM_QUEUES, 2), 1);
}

static void all_capabilities_are_there_and_point_into_the_bar(void **state)
{
	struct driver *driver = *state;
	unsigned int seen = 0, msix = 0;

	for (uint16_t at = cfg_read(driver, 0x34, 1); at; at = cfg_read(driver, at + 1, 1)) {
		if (cfg_read(driver, at, 1) == 0x11) {
			msix = (cfg_read(driver, at + 2, 2) & 0x7ff) + 1;
			continue;
		}
		assert_int_equal(cfg_read(driver, at, 1), 0x09);
		seen |= 1U << cfg_read(driver, at + 3, 1);
		assert_true(cfg_read(driver, at + 8, 4) + cfg_read(driver, at + 12, 4) <= 0x8000);
		if (cfg_read(driver, at + 3, 1) == 2)
			assert_int_equal(cfg_read(driver, at + 16, 4), 4);
	}
	/* no device config: the rng has none */
	assert_int_equal(seen, 1U << 1 | 1U << 2 | 1U << 3 | 1U << 5);
	assert_int_equal(msix, 2);
}

static void queue_that_is_not_there_has_size_zero(void **state)
{
	struct driver *driver = *state;

	reg_write(driver, R_QUEUE_SELECT, 2, 1);
	assert_int_equal(reg_read(driver, R_QUEUE_SIZE, 2), 0);
	reg_write(driver, R_QUEUE_SELECT, 2, 0xffff);
	assert_int_equal(reg_read(driver, R_QUEUE_SIZE, 2), 0);
	reg_write(driver, R_QUEUE_ENABLE, 2, 1);
	reg_write(driver, R_QUEUE_DESC, 4, 0x1000);
	reg_write(driver, R_QUEUE_VECTOR, 2, 0);
	assert_int_equal(reg_read(driver, R_QUEUE_ENABLE, 2), 0);
}

static void bad_queue_sizes_leave_the_old_one(void **state)
{
	struct driver *driver = *state;
	static const uint16_t bad[] = {0, 3, 65, 128, 0x8000};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reg_write(driver, R_QUEUE_SIZE, 2, bad[i]);
		assert_int_equal(reg_read(driver, R_QUEUE_SIZE, 2), 64);
	}
	reg_write(driver, R_QUEUE_SIZE, 2, 16);
	assert_int_equal(reg_read(driver, R_QUEUE_SIZE, 2), 16);
}

static void vector_out_of_range_reads_back_as_none(void **state)
{
	struct driver *driver = *state;

	reg_write(driver, R_CONFIG_VECTOR, 2, 2);
	assert_int_equal(reg_read(driver, R_CONFIG_VECTOR, 2), 0xffff);
	reg_write(driver, R_CONFIG_VECTOR, 2, 1);
	assert_int_equal(reg_read(driver, R_CONFIG_VECTOR, 2), 1);
	reg_write(driver, R_QUEUE_VECTOR, 2, 7);
	assert_int_equal(reg_read(driver, R_QUEUE_VECTOR, 2), 0xffff);
}

static void features_not_offered_are_refused(void **state)
{
	struct driver *driver = *state;

	assert_true(driver_offered(driver) & VIRTIO_BIT(VIRTIO_VERSION_1));
	assert_false(driver_negotiate(driver, VIRTIO_BIT(3)));
	assert_true(driver_negotiate(driver, 0));
}

static void features_are_final_after_features_ok(void **state)
{
	struct driver *driver = *state;

	assert_true(driver_negotiate(driver, 0));
	reg_write(driver, R_DRIVER_FEATURE_SELECT, 4, 0);
	reg_write(driver, R_DRIVER_FEATURE, 4, 1U << VIRTIO_RING_EVENT_IDX);
	assert_int_equal(reg_read(driver, R_DRIVER_FEATURE, 4), 0);
}

static void driver_without_version_1_is_refused(void **state)
{
	struct driver *driver = *state;

	driver_reset(driver);
	reg_write(driver, R_STATUS, 1, 3);
	reg_write(driver, R_STATUS, 1, 11);
	assert_int_equal(reg_read(driver, R_STATUS, 1), 3);
}

static void feature_words_beyond_64_bits_read_zero(void **state)
{
	struct driver *driver = *state;

	reg_write(driver, R_DEVICE_FEATURE_SELECT, 4, 2);
	assert_int_equal(reg_read(driver, R_DEVICE_FEATURE, 4), 0);
	reg_write(driver, R_DEVICE_FEATURE_SELECT, 4, 0xffffffff);
	assert_int_equal(reg_read(driver, R_DEVICE_FEATURE, 4), 0);
}

static void enabled_queue_cannot_be_moved(void **state)
{
	struct driver *driver = *state;

	assert_true(driver_negotiate(driver, 0));
	driver_queue(driver, 0, 32);
	reg_write(driver, R_QUEUE_DESC, 4, 0x1000);
	reg_write(driver, R_QUEUE_SIZE, 2, 8);
	reg_write(driver, R_QUEUE_ENABLE, 2, 0);
	assert_int_equal(reg_read(driver, R_QUEUE_DESC, 4), QUEUE_GPA(0));
	assert_int_equal(reg_read(driver, R_QUEUE_SIZE, 2), 32);
	assert_int_equal(reg_read(driver, R_QUEUE_ENABLE, 2), 1);
}

static void writes_of_the_wrong_width_are_ignored(void **state)
{
	struct driver *driver = *state;

	reg_write(driver, R_STATUS, 2, 0x0101);
	assert_int_equal(reg_read(driver, R_STATUS, 1), 0);
	reg_write(driver, R_QUEUE_SIZE, 4, 0x00010010);
	assert_int_equal(reg_read(driver, R_QUEUE_SIZE, 2), 64);
	reg_write(driver, R_QUEUE_DESC + 2, 4, 0xffffffff);
	assert_int_equal(reg_read(driver, R_QUEUE_DESC, 8), 0);
}

static void reset_forgets_everything(void **state)
{
	struct driver *driver = *state;

	rng_up(driver);
	reg_write(driver, R_CONFIG_VECTOR, 2, 0);
	assert_int_equal(reg_read(driver, R_STATUS, 1), 15);
	driver_reset(driver);
	assert_int_equal(reg_read(driver, R_QUEUE_ENABLE, 2), 0);
	assert_int_equal(reg_read(driver, R_QUEUE_DESC, 8), 0);
	assert_int_equal(reg_read(driver, R_QUEUE_SIZE, 2), 64);
	assert_int_equal(reg_read(driver, R_CONFIG_VECTOR, 2), 0xffff);
}

static void driver_ok_without_features_ok_needs_reset(void **state)
{
	struct driver *driver = *state;

	driver_reset(driver);
	reg_write(driver, R_STATUS, 1, 3);
	reg_write(driver, R_STATUS, 1, 7);
	assert_true(reg_read(driver, R_STATUS, 1) & 64);
}

static void queue_with_nonsense_needs_reset_and_works_after_it(void **state)
{
	struct driver *driver = *state;
	struct ring_desc part = {BUFFERS_GPA, 16, DESC_WRITE, 0};
	struct ring_desc bad = {UINT64_MAX, 16, DESC_WRITE, 0};

	rng_up(driver);
	ring_add(driver, 0, &bad, 1);
	ring_kick(driver, 0);
	wait_until(driver, reg_read(driver, R_STATUS, 1) & 64);
	assert_int_equal(reg_read(driver, R_ISR, 1) & 2, 2);
	rng_up(driver);
	ring_add(driver, 0, &part, 1);
	ring_kick(driver, 0);
	assert_int_equal(ring_wait(driver, 0, NULL), 16);
}

static void random_bytes_arrive_and_isr_is_cleared_by_reading(void **state)
{
	struct driver *driver = *state;
	struct ring_desc part = {BUFFERS_GPA, 32, DESC_WRITE, 0};
	uint8_t zeros[32] = {0};

	rng_up(driver);
	memset(guest(driver, BUFFERS_GPA), 0, 32);
	ring_add(driver, 0, &part, 1);
	ring_kick(driver, 0);
	assert_int_equal(ring_wait(driver, 0, NULL), 32);
	assert_memory_not_equal(guest(driver, BUFFERS_GPA), zeros, 32);
	wait_until(driver, reg_read(driver, R_ISR, 1) & 1);
	assert_int_equal(reg_read(driver, R_ISR, 1), 0);
}

static void loop_over_a_queue_ends_and_comes_back(void **state)
{
	struct machine *machine = *state;
	struct driver *driver = &machine->driver;
	struct ring_desc part = {BUFFERS_GPA, 8, DESC_WRITE, 0};
	static struct queue_chain chain;
	unsigned int budget = 2;

	rng_up(driver);
	for (int i = 0; i < 3; i++)
		ring_add(driver, 0, &part, 1);
	assert_true(queue_next(machine->dev, 0, &chain, &budget));
	assert_true(queue_next(machine->dev, 0, &chain, &budget));
	assert_false(queue_next(machine->dev, 0, &chain, &budget));
	/* nobody but the device has rung the doorbell for the third */
	assert_int_equal(ring_wait(driver, 0, NULL), 8);
}

static void kick_through_the_pci_cfg_window_works(void **state)
{
	struct driver *driver = *state;
	struct ring_desc part = {BUFFERS_GPA, 8, DESC_WRITE, 0};
	uint16_t at = cfg_read(driver, 0x34, 1);

	while (cfg_read(driver, at, 1) != 9 || cfg_read(driver, at + 3, 1) != 5)
		at = cfg_read(driver, at + 1, 1);
	rng_up(driver);
	ring_add(driver, 0, &part, 1);
	mmio_write(driver, driver->cfg + at + 4, 1, 0);
	mmio_write(driver, driver->cfg + at + 8, 4, R_NOTIFY);
	mmio_write(driver, driver->cfg + at + 12, 4, 2);
	mmio_write(driver, driver->cfg + at + 16, 4, 0);
	assert_int_equal(ring_wait(driver, 0, NULL), 8);
	/* and a register is read through it */
	mmio_write(driver, driver->cfg + at + 8, 4, R_STATUS);
	mmio_write(driver, driver->cfg + at + 12, 4, 1);
	assert_int_equal(cfg_read(driver, at + 16, 4) & 0xff, 15);
	/* but not what lies behind the virtio registers, nor another BAR */
	mmio_write(driver, driver->cfg + at + 8, 4, 0x4000);
	mmio_write(driver, driver->cfg + at + 16, 4, 0xffffffff);
	mmio_write(driver, driver->cfg + at + 8, 4, 0xfffffff0);
	mmio_write(driver, driver->cfg + at + 16, 4, 0xffffffff);
	mmio_write(driver, driver->cfg + at + 4, 1, 5);
	mmio_write(driver, driver->cfg + at + 8, 4, R_STATUS);
	mmio_write(driver, driver->cfg + at + 16, 4, 0);
	assert_int_equal(reg_read(driver, R_STATUS, 1), 15);
}

static void kicks_of_queues_that_are_not_there_are_ignored(void **state)
{
	struct driver *driver = *state;

	rng_up(driver);
	reg_write(driver, R_NOTIFY + 4, 2, 1);
	reg_write(driver, R_NOTIFY + 0xffc, 4, 1);
	reg_write(driver, R_NOTIFY + 1, 1, 1);
	loop_once(driver);
	assert_int_equal(reg_read(driver, R_STATUS, 1), 15);
}

static void moved_bar_still_works(void **state)
{
	struct driver *driver = *state;
	struct ring_desc part = {BUFFERS_GPA, 8, DESC_WRITE, 0};

	rng_up(driver);
	mmio_write(driver, driver->cfg + 4, 2, 0x0004);
	mmio_write(driver, driver->cfg + 0x10, 4, PCI_MMIO32_BASE + 0x1000000);
	mmio_write(driver, driver->cfg + 4, 2, 0x0006);
	driver->bar = PCI_MMIO32_BASE + 0x1000000;
	assert_int_equal(reg_read(driver, R_STATUS, 1), 15);
	ring_add(driver, 0, &part, 1);
	ring_kick(driver, 0);
	assert_int_equal(ring_wait(driver, 0, NULL), 8);
}

static void every_register_survives_every_access(void **state)
{
	struct driver *driver = *state;

	for (uint32_t offset = 0; offset < 0x4000; offset += offset < 0x80 ? 1 : 0x3f1)
		for (unsigned int bytes = 1; bytes <= 8; bytes *= 2) {
			(void)reg_read(driver, offset, bytes);
			reg_write(driver, offset, bytes, UINT64_MAX);
		}
	driver_reset(driver);
	rng_up(driver);
	assert_int_equal(reg_read(driver, R_STATUS, 1), 15);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(function_is_a_modern_virtio_rng),
		T(all_capabilities_are_there_and_point_into_the_bar),
		T(queue_that_is_not_there_has_size_zero),
		T(bad_queue_sizes_leave_the_old_one),
		T(vector_out_of_range_reads_back_as_none),
		T(features_not_offered_are_refused),
		T(features_are_final_after_features_ok),
		T(driver_without_version_1_is_refused),
		T(feature_words_beyond_64_bits_read_zero),
		T(enabled_queue_cannot_be_moved),
		T(writes_of_the_wrong_width_are_ignored),
		T(reset_forgets_everything),
		T(driver_ok_without_features_ok_needs_reset),
		T(queue_with_nonsense_needs_reset_and_works_after_it),
		T(random_bytes_arrive_and_isr_is_cleared_by_reading),
		T(loop_over_a_queue_ends_and_comes_back),
		T(kick_through_the_pci_cfg_window_works),
		T(kicks_of_queues_that_are_not_there_are_ignored),
		T(moved_bar_still_works),
		T(every_register_survives_every_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
