/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space, BARs and the bus. */
#include "pci_rig.h"

static void absent_functions_read_all_ones(void **state)
{
	struct rig rig;
	uint32_t value = 0;

	(void)state;
	rig_open(&rig);
	assert_true(pci_bus_mmio(rig.bus, rig_ecam(9, 0), &value, 4, false));
	assert_int_equal(value, UINT32_MAX);
	assert_true(pci_bus_mmio(rig.bus, rig_ecam(9, 0), &value, 4, true));
	assert_true(pci_bus_mmio(rig.bus, rig_ecam(9, 2), &value, 2, false));
	assert_int_equal(value & 0xffff, 0xffff);
	rig_close(&rig);
}

static void slot_0_is_a_host_bridge(void **state)
{
	struct rig rig;
	uint32_t class = 0;

	(void)state;
	rig_open(&rig);
	assert_true(pci_bus_mmio(rig.bus, rig_ecam(0, 8), &class, 4, false));
	assert_int_equal(class >> 16, 0x0600);
	rig_close(&rig);
}

static void identity_cannot_be_written(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig_cfg_write(&rig, 0, 4, 0xdeadbeef);
	rig_cfg_write(&rig, 8, 4, 0xdeadbeef);
	rig_cfg_write(&rig, 0x2c, 4, 0xdeadbeef);
	rig_cfg_write(&rig, 0x34, 1, 0);
	assert_int_equal(rig_cfg_read(&rig, 0, 4), 0x10411af4);
	assert_int_equal(rig_cfg_read(&rig, 8, 4), 0x02000000);
	assert_int_equal(rig_cfg_read(&rig, 0x2c, 4), 0);
	assert_int_equal(rig_cfg_read(&rig, 0x34, 1), rig.dev.msix_cap);
	rig_close(&rig);
}

static void extended_space_is_empty_and_swallows_writes(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig_cfg_write(&rig, 0x100, 4, 0xffffffff);
	rig_cfg_write(&rig, 0xffc, 4, 0xffffffff);
	assert_int_equal(rig_cfg_read(&rig, 0x100, 4), 0);
	assert_int_equal(rig_cfg_read(&rig, 0xffc, 4), 0);
	rig_close(&rig);
}

static void bar_answers_sizing(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig_cfg_write(&rig, 0x10, 4, UINT32_MAX);
	rig_cfg_write(&rig, 0x14, 4, UINT32_MAX);
	assert_int_equal(rig_cfg_read(&rig, 0x10, 4), (uint32_t) ~(RIG_BAR_BYTES - 1) | 4);
	assert_int_equal(rig_cfg_read(&rig, 0x14, 4), UINT32_MAX);
	rig_cfg_write(&rig, 0x18, 4, UINT32_MAX); /* there is no other BAR */
	assert_int_equal(rig_cfg_read(&rig, 0x18, 4), 0);
	assert_int_equal(rig.n_moves, 0);
	rig_close(&rig);
}

static void bar_is_decoded_only_when_enabled(void **state)
{
	struct rig rig;
	uint64_t gpa, value = 0;

	(void)state;
	rig_open(&rig);
	gpa = rig_cfg_read(&rig, 0x10, 4) & ~0xfU;
	assert_false(pci_bus_mmio(rig.bus, gpa, &value, 4, false));
	assert_int_equal(rig_bar_enable(&rig), gpa);
	assert_int_equal(rig.moved_to, gpa);
	assert_int_equal(rig_bar_get(&rig, 0x10, 2), 0x1002);
	rig_cfg_write(&rig, 4, 2, 0);
	assert_int_equal(rig.moved_to, 0);
	assert_false(pci_bus_mmio(rig.bus, gpa, &value, 4, false));
	rig_close(&rig);
}

static void bar_moves_into_the_64_bit_window_and_nowhere_else(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	rig_bar_enable(&rig);
	rig_cfg_write(&rig, 0x14, 4, RIG_MMIO64 >> 32);
	rig_cfg_write(&rig, 0x10, 4, RIG_BAR_BYTES * 3);
	assert_int_equal(rig.dev.bar_gpa, RIG_MMIO64 + RIG_BAR_BYTES * 3);
	assert_int_equal(rig.moved_to, rig.dev.bar_gpa);
	rig_cfg_write(&rig, 0x14, 4, 0); /* now over RAM */
	assert_int_equal(rig.dev.bar_gpa, 0);
	assert_int_equal(rig.moved_to, 0);
	rig_cfg_write(&rig, 0x10, 4, (uint32_t)PCI_ECAM_BASE);
	assert_int_equal(rig.dev.bar_gpa, 0);
	rig_close(&rig);
}

static void writing_the_same_address_moves_nothing(void **state)
{
	struct rig rig;
	unsigned int moves;

	(void)state;
	rig_open(&rig);
	rig_bar_enable(&rig);
	moves = rig.n_moves;
	rig_cfg_write(&rig, 0x10, 4, (uint32_t)rig.dev.bar_gpa);
	rig_cfg_write(&rig, 4, 2, RIG_CMD_MEMORY | 4);
	assert_int_equal(rig.n_moves, moves);
	rig_close(&rig);
}

static void accesses_across_the_bars_end_are_nobodys(void **state)
{
	struct rig rig;
	uint64_t gpa, value = 0;

	(void)state;
	rig_open(&rig);
	gpa = rig_bar_enable(&rig);
	assert_false(pci_bus_mmio(rig.bus, gpa + RIG_BAR_BYTES - 2, &value, 4, true));
	assert_false(pci_bus_mmio(rig.bus, gpa + RIG_BAR_BYTES, &value, 1, true));
	assert_false(pci_bus_mmio(rig.bus, gpa - 1, &value, 2, true));
	assert_false(pci_bus_mmio(rig.bus, gpa, &value, 3, true));
	assert_false(pci_bus_mmio(rig.bus, UINT64_MAX, &value, 8, true));
	assert_int_equal(rig.n_writes, 0);
	rig_close(&rig);
}

static void ports_reach_the_same_registers(void **state)
{
	uint32_t address = 0x80000000 | RIG_DEV_SLOT << 11, value = 0;
	uint16_t device = 0;
	struct rig rig;

	(void)state;
	rig_open(&rig);
	assert_false(pci_bus_pio(rig.bus, 0xcfc, &value, 4, false)); /* not enabled */
	assert_true(pci_bus_pio(rig.bus, 0xcf8, &address, 4, true));
	assert_true(pci_bus_pio(rig.bus, 0xcfc, &value, 4, false));
	assert_int_equal(value, 0x10411af4);
	assert_true(pci_bus_pio(rig.bus, 0xcfe, &device, 2, false));
	assert_int_equal(device, 0x1041);
	address |= 1 << 16; /* bus 1 */
	assert_true(pci_bus_pio(rig.bus, 0xcf8, &address, 4, true));
	assert_true(pci_bus_pio(rig.bus, 0xcfc, &value, 4, false));
	assert_int_equal(value, UINT32_MAX);
	assert_false(pci_bus_pio(rig.bus, 0xcfe, &value, 4, false)); /* over the end */
	rig_close(&rig);
}

static void more_devices_than_slots_become_functions(void **state)
{
	static struct pci_dev devs[40];
	struct rig rig;
	uint32_t type = 0, id = 0;

	(void)state;
	rig_open(&rig);
	for (int i = 0; i < 40; i++) {
		pci_dev_init(&devs[i], &rig_ops, &rig_ids, RIG_BAR_BYTES);
		assert_int_equal(pci_bus_add(rig.bus, &devs[i], -1, NULL), 0);
	}
	assert_int_equal(devs[0].devfn, 1 << 3);
	assert_int_equal(devs[29].devfn, 31 << 3); /* slot 5 was taken */
	assert_int_equal(devs[30].devfn, 31 << 3 | 1);
	assert_int_equal(devs[37].devfn, 30 << 3 | 1);
	assert_true(pci_bus_mmio(rig.bus, rig_ecam(31, 0xe), &type, 1, false));
	assert_int_equal(type, 0x80);
	assert_true(pci_bus_mmio(rig.bus, rig_ecam(31, 0x1000), &id, 4, false));
	assert_int_equal(id, 0x10411af4);
	rig_close(&rig);
}

static void a_taken_slot_is_refused_with_a_sentence(void **state)
{
	struct err err = {0};
	struct pci_dev dev;
	struct rig rig;

	(void)state;
	rig_open(&rig);
	pci_dev_init(&dev, &rig_ops, &rig_ids, RIG_BAR_BYTES);
	assert_true(pci_bus_add(rig.bus, &dev, RIG_DEV_SLOT, &err) < 0);
	assert_string_equal(err.text, "PCI slot 5 is taken");
	assert_true(pci_bus_add(rig.bus, &dev, 32, NULL) < 0);
	assert_true(pci_bus_add(rig.bus, &dev, 0, NULL) < 0);
	rig_close(&rig);
}

static void capabilities_that_do_not_fit_are_refused(void **state)
{
	static const uint8_t body[60];
	struct pci_dev dev;

	(void)state;
	pci_dev_init(&dev, &rig_ops, &rig_ids, RIG_BAR_BYTES);
	assert_int_equal(pci_add_cap(&dev, 9, body, 60), 0x40);
	assert_int_equal(pci_add_cap(&dev, 9, body, 60), 0x80);
	assert_int_equal(pci_add_cap(&dev, 9, body, 60), 0xc0);
	assert_int_equal(pci_add_cap(&dev, 9, body, 1), 0);
	assert_int_equal(dev.cfg[0x34], 0xc0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_functions_read_all_ones),
		cmocka_unit_test(slot_0_is_a_host_bridge),
		cmocka_unit_test(identity_cannot_be_written),
		cmocka_unit_test(extended_space_is_empty_and_swallows_writes),
		cmocka_unit_test(bar_answers_sizing),
		cmocka_unit_test(bar_is_decoded_only_when_enabled),
		cmocka_unit_test(bar_moves_into_the_64_bit_window_and_nowhere_else),
		cmocka_unit_test(writing_the_same_address_moves_nothing),
		cmocka_unit_test(accesses_across_the_bars_end_are_nobodys),
		cmocka_unit_test(ports_reach_the_same_registers),
		cmocka_unit_test(more_devices_than_slots_become_functions),
		cmocka_unit_test(a_taken_slot_is_refused_with_a_sentence),
		cmocka_unit_test(capabilities_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
