/* SPDX-License-Identifier: BSD-3-Clause */
/* When links go down by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flap.h"

static void port_make(struct model_port *port, const char *name, const char *other)
{
	memset(port, 0, sizeof(*port));
	strcpy(port->spec.name, name);
	strcpy(port->target, other);
	port->attachment = MODEL_ON_WIRE;
	port->link.flap_every_ms = 30000;
	port->link.flap_down_ms = 2000;
}

static void link_is_down_for_its_time_in_each_period(void **unused)
{
	static struct model_port port;
	uint64_t next, down = 0, changes = 0;
	bool before;

	(void)unused;
	port_make(&port, "a", "b");
	before = flap_is_down(&port, 0, &next);
	for (uint64_t ms = 0; ms < 300000; ms++) {
		bool now = flap_is_down(&port, ms, &next), then;
		uint64_t unused_next;

		down += now;
		changes += now != before;
		before = now;
		then = flap_is_down(&port, ms + next, &unused_next);
		assert_int_not_equal(then, now);
		assert_int_equal(flap_is_down(&port, ms + next - 1, &unused_next), now);
	}
	assert_int_equal(down, 20000);
	assert_in_range(changes, 19, 20);
}

static void both_ends_agree_and_links_differ(void **unused)
{
	static struct model_port a, b, other;
	unsigned int differ = 0;
	uint64_t next;

	(void)unused;
	port_make(&a, "lab/a:eth1", "lab/b:eth1");
	port_make(&b, "lab/b:eth1", "lab/a:eth1");
	port_make(&other, "lab/c:eth1", "lab/d:eth1");
	for (uint64_t ms = 0; ms < 60000; ms += 10) {
		assert_int_equal(flap_is_down(&a, ms, &next), flap_is_down(&b, ms, &next));
		differ += flap_is_down(&a, ms, &next) != flap_is_down(&other, ms, &next);
	}
	assert_true(differ > 0);
}

static void link_without_a_flap_stays(void **unused)
{
	static struct model_port port;
	uint64_t next;

	(void)unused;
	port_make(&port, "a", "b");
	port.link.flap_every_ms = 0;
	assert_false(flap_is_down(&port, 12345, &next));
	assert_true(next == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_is_down_for_its_time_in_each_period),
		cmocka_unit_test(both_ends_agree_and_links_differ),
		cmocka_unit_test(link_without_a_flap_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
