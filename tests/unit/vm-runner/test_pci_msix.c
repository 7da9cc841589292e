/* SPDX-License-Identifier: BSD-3-Clause */
/* MSI-X: masking, pending bits, routes. */
#include "pci_rig.h"

#include <unistd.h>

#define CONTROL_ENABLE	 0x8000
#define CONTROL_MASK_ALL 0x4000

static void control_write(struct rig *rig, uint16_t value)
{
	rig_cfg_write(rig, rig->dev.msix_cap + 2U, 2, value);
}

static void entry_write(struct rig *rig, unsigned int vector, uint32_t data)
{
	rig_bar_put(rig, RIG_TABLE_OFF + vector * 16, 4, 0xfee00000);
	rig_bar_put(rig, RIG_TABLE_OFF + vector * 16 + 4, 4, 0);
	rig_bar_put(rig, RIG_TABLE_OFF + vector * 16 + 8, 4, data);
}

static void mask_write(struct rig *rig, unsigned int vector, bool masked)
{
	rig_bar_put(rig, RIG_TABLE_OFF + vector * 16 + 12, 4, masked);
}

static void rig_open_enabled(struct rig *rig)
{
	rig_open(rig);
	rig_bar_enable(rig);
	control_write(rig, CONTROL_ENABLE);
}

static uint64_t eventfd_take(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void vectors_start_masked(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_enabled(&rig);
	for (unsigned int v = 0; v < RIG_N_VECTORS; v++)
		assert_int_equal(rig_bar_get(&rig, RIG_TABLE_OFF + v * 16 + 12, 4), 1);
	rig_close(&rig);
}

static void a_masked_vector_is_pending_until_unmasked(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_enabled(&rig);
	entry_write(&rig, 2, 0x41);
	pci_msix_notify(&rig.dev, 2);
	pci_msix_notify(&rig.dev, 2);
	assert_int_equal(rig.irq.n_sent, 0);
	assert_int_equal(rig_bar_get(&rig, RIG_PBA_OFF, 8), 1 << 2);
	mask_write(&rig, 2, false);
	assert_int_equal(rig.irq.n_sent, 1);
	assert_int_equal(rig_bar_get(&rig, RIG_PBA_OFF, 8), 0);
	rig_close(&rig);
}

static void masking_the_function_masks_all_vectors(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_enabled(&rig);
	mask_write(&rig, 0, false);
	control_write(&rig, CONTROL_ENABLE | CONTROL_MASK_ALL);
	pci_msix_notify(&rig.dev, 0);
	assert_int_equal(rig.irq.n_sent, 0);
	assert_int_equal(rig_bar_get(&rig, RIG_PBA_OFF, 4), 1);
	control_write(&rig, CONTROL_ENABLE);
	assert_int_equal(rig.irq.n_sent, 1);
	rig_close(&rig);
}

static void a_disabled_function_sends_nothing_later_either(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_enabled(&rig);
	mask_write(&rig, 1, false);
	control_write(&rig, 0);
	pci_msix_notify(&rig.dev, 1);
	control_write(&rig, CONTROL_ENABLE);
	assert_int_equal(rig.irq.n_sent, 0);
	rig_close(&rig);
}

static void a_vector_that_does_not_exist_is_ignored(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_enabled(&rig);
	pci_msix_notify(&rig.dev, RIG_N_VECTORS);
	pci_msix_notify(&rig.dev, PCI_MSIX_NONE);
	assert_true(pci_msix_irqfd(&rig.dev, RIG_N_VECTORS) < 0);
	assert_int_equal(rig.irq.n_sent, 0);
	rig_close(&rig);
}

static void only_whole_words_of_the_table_can_be_written(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_enabled(&rig);
	rig_bar_put(&rig, RIG_TABLE_OFF + 8, 4, 0x1234);
	rig_bar_put(&rig, RIG_TABLE_OFF + 8, 1, 0xff);
	rig_bar_put(&rig, RIG_TABLE_OFF + 8, 2, 0xffff);
	rig_bar_put(&rig, RIG_TABLE_OFF + 6, 4, 0xffffffff);
	rig_bar_put(&rig, RIG_TABLE_OFF + 4, 8, UINT64_MAX);
	assert_int_equal(rig_bar_get(&rig, RIG_TABLE_OFF + 8, 8), UINT64_C(1) << 32 | 0x1234);
	rig_bar_put(&rig, RIG_TABLE_OFF, 8, UINT64_MAX);
	assert_int_equal(rig_bar_get(&rig, RIG_TABLE_OFF, 8), UINT64_MAX & ~UINT64_C(3));
	rig_bar_put(&rig, RIG_PBA_OFF, 8, UINT64_MAX);
	assert_int_equal(rig_bar_get(&rig, RIG_PBA_OFF, 8), 0);
	assert_int_equal(rig.n_writes, 0);
	rig_close(&rig);
}

static void reads_across_the_tables_end_stay_inside(void **state)
{
	struct rig rig;
	uint64_t end = RIG_TABLE_OFF + RIG_N_VECTORS * 16;

	(void)state;
	rig_open_enabled(&rig);
	assert_int_equal(rig_bar_get(&rig, end - 4, 8), 0); /* not aligned: undefined, 0 */
	assert_int_equal(rig_bar_get(&rig, end - 4, 4), 1);
	assert_int_equal(rig_bar_get(&rig, end, 4), end << 8 | 4); /* the device's */
	assert_int_equal(rig_bar_get(&rig, RIG_PBA_OFF + 4, 8), 0);
	rig_close(&rig);
}

static void an_irqfd_keeps_signals_while_masked(void **state)
{
	struct rig rig;
	uint64_t two = 2;
	int fd;

	(void)state;
	rig_open_enabled(&rig);
	entry_write(&rig, 3, 0x50);
	fd = pci_msix_irqfd(&rig.dev, 3);
	assert_true(fd >= 0);
	assert_false(rig.dev.vectors[3].bound);
	assert_int_equal(write(fd, &two, sizeof(two)), sizeof(two));
	pci_msix_notify(&rig.dev, 3);
	assert_int_equal(rig_bar_get(&rig, RIG_PBA_OFF, 8), 1 << 3);
	mask_write(&rig, 3, false);
	assert_true(rig.dev.vectors[3].bound);
	assert_int_equal(pci_msix_irqfd(&rig.dev, 3), fd); /* always the same */
	assert_int_equal(eventfd_take(fd), 3);
	mask_write(&rig, 3, true);
	assert_false(rig.dev.vectors[3].bound);
	rig_close(&rig);
}

static void a_pending_notification_goes_into_a_new_irqfd(void **state)
{
	struct rig rig;
	int fd;

	(void)state;
	rig_open_enabled(&rig);
	pci_msix_notify(&rig.dev, 0);
	fd = pci_msix_irqfd(&rig.dev, 0);
	assert_int_equal(eventfd_take(fd), 1);
	assert_int_equal(rig_bar_get(&rig, RIG_PBA_OFF, 8), 0);
	rig_close(&rig);
}

static void routes_change_only_when_messages_do(void **state)
{
	struct rig rig;
	unsigned int commits;

	(void)state;
	rig_open_enabled(&rig);
	for (uint16_t v = 0; v < RIG_N_VECTORS; v++)
		assert_true(pci_msix_irqfd(&rig.dev, v) >= 0);
	entry_write(&rig, 0, 0x41);
	assert_int_equal(rig.irq.n_commits, 0); /* all masked */
	mask_write(&rig, 0, false);
	assert_int_equal(rig.irq.n_commits, 1);
	mask_write(&rig, 0, true);
	mask_write(&rig, 0, false);
	mask_write(&rig, 0, false);
	assert_int_equal(rig.irq.n_commits, 1);
	entry_write(&rig, 0, 0x41); /* the same message */
	assert_int_equal(rig.irq.n_commits, 1);
	mask_write(&rig, 0, true);
	entry_write(&rig, 0, 0x42);
	assert_int_equal(rig.irq.n_commits, 1);
	mask_write(&rig, 0, false);
	commits = rig.irq.n_commits;
	assert_int_equal(commits, 2);
	assert_int_equal(rig.irq.msi[0].data, 0x42);
	rig_close(&rig);
}

static void unmasking_the_function_sets_all_routes_at_once(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_enabled(&rig);
	control_write(&rig, CONTROL_ENABLE | CONTROL_MASK_ALL);
	for (uint16_t v = 0; v < RIG_N_VECTORS; v++) {
		assert_true(pci_msix_irqfd(&rig.dev, v) >= 0);
		entry_write(&rig, v, 0x60U + v);
		mask_write(&rig, v, false);
	}
	assert_int_equal(rig.irq.n_commits, 0);
	control_write(&rig, CONTROL_ENABLE);
	assert_int_equal(rig.irq.n_commits, 1);
	for (unsigned int v = 0; v < RIG_N_VECTORS; v++)
		assert_true(rig.dev.vectors[v].bound);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_start_masked),
		cmocka_unit_test(a_masked_vector_is_pending_until_unmasked),
		cmocka_unit_test(masking_the_function_masks_all_vectors),
		cmocka_unit_test(a_disabled_function_sends_nothing_later_either),
		cmocka_unit_test(a_vector_that_does_not_exist_is_ignored),
		cmocka_unit_test(only_whole_words_of_the_table_can_be_written),
		cmocka_unit_test(reads_across_the_tables_end_stay_inside),
		cmocka_unit_test(an_irqfd_keeps_signals_while_masked),
		cmocka_unit_test(a_pending_notification_goes_into_a_new_irqfd),
		cmocka_unit_test(routes_change_only_when_messages_do),
		cmocka_unit_test(unmasking_the_function_sets_all_routes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
