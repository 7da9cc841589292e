/* SPDX-License-Identifier: BSD-3-Clause */
/* Eventfds whose other holder made them blocking. A call that waits is ended by SIGALRM, and the test with it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "doorbell.h"

#define PATIENCE_S 20
#define FULL	   UINT64_C(0xfffffffffffffffe)

static void empty_doorbell_is_not_waited_for(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	alarm(PATIENCE_S);
	assert_false(doorbell_take(fd));
	assert_int_equal(doorbell_ring(fd), 0);
	assert_int_equal(doorbell_ring(fd), 0);
	assert_true(doorbell_take(fd));
	assert_false(doorbell_take(fd));
	alarm(0);
	close(fd);
}

static void full_doorbell_is_not_waited_for(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(eventfd_write(fd, FULL), 0);
	alarm(PATIENCE_S);
	assert_int_equal(doorbell_ring(fd), 0);
	alarm(0);
	assert_true(doorbell_take(fd));
	close(fd);
}

static void semaphore_is_read_once(void **state)
{
	/* so that a peer that goes on writing keeps nobody */
	int fd = eventfd(3, EFD_CLOEXEC | EFD_SEMAPHORE);
	eventfd_t n;

	(void)state;
	assert_true(doorbell_take(fd));
	assert_int_equal(eventfd_read(fd, &n), 0);
	assert_int_equal(eventfd_read(fd, &n), 0);
	assert_false(doorbell_take(fd));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_doorbell_is_not_waited_for),
		cmocka_unit_test(full_doorbell_is_not_waited_for),
		cmocka_unit_test(semaphore_is_read_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
