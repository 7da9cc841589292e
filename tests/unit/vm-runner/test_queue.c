/* SPDX-License-Identifier: BSD-3-Clause */
/* The walk over a virtqueue, on rings made by hand, most of them wrong. */
#include "driver.h"

#include <errno.h>

#include "virtio/queue.h"

#define SIZE  8
#define DESC  0x1000
#define AVAIL 0x2000
#define USED  0x3000
#define DATA  0x10000
#define TABLE 0x20000

struct rings {
	struct guest_mem mem;
	struct virtio_queue queue;
	struct ring_desc *desc;
	uint16_t *avail;
	struct ring_desc *table;
	struct queue_chain chain;
	const char *why;
	uint64_t features;
};

static int setup(void **state)
{
	struct rings *rings = calloc(1, sizeof(*rings));
	struct err err = {0};

	assert_int_equal(mem_open(&rings->mem, 2 << 20, false, &err), 0);
	rings->queue = (struct virtio_queue){.size_max = SIZE,
					     .size = SIZE,
					     .enabled = true,
					     .desc = DESC,
					     .driver = AVAIL,
					     .device = USED};
	rings->desc = mem_at(&rings->mem, DESC, SIZE * 16);
	rings->avail = mem_at(&rings->mem, AVAIL, 64);
	rings->table = mem_at(&rings->mem, TABLE, 4096);
	rings->features = VIRTIO_BIT(VIRTIO_RING_INDIRECT_DESC);
	*state = rings;
	return 0;
}

static int teardown(void **state)
{
	struct rings *rings = *state;

	mem_close(&rings->mem);
	free(rings);
	return 0;
}

static int walk(struct rings *rings)
{
	rings->why = NULL;
	return queue_walk(&rings->mem, &rings->queue, rings->features, &rings->chain, &rings->why);
}

static void offer(struct rings *rings, uint16_t head)
{
	rings->avail[2 + rings->avail[1]++ % SIZE] = head;
}

static void refused(struct rings *rings, const char *phrase)
{
	uint16_t before = rings->queue.last_avail;

	assert_int_equal(walk(rings), -EPROTO);
	assert_non_null(strstr(rings->why, phrase));
	assert_int_equal(rings->queue.last_avail, before);
}

static void empty_queue_yields_nothing(void **state)
{
	assert_int_equal(walk(*state), 0);
}

static void chain_is_split_into_read_and_write_parts(void **state)
{
	struct rings *rings = *state;

	rings->desc[3] = (struct ring_desc){DATA, 10, DESC_NEXT, 5};
	rings->desc[5] = (struct ring_desc){DATA + 0x100, 20, DESC_NEXT, 0};
	rings->desc[0] = (struct ring_desc){DATA + 0x200, 30, DESC_WRITE, 0};
	offer(rings, 3);
	assert_int_equal(walk(rings), 1);
	assert_int_equal(rings->chain.head, 3);
	assert_int_equal(rings->chain.n_out, 2);
	assert_int_equal(rings->chain.n_in, 1);
	assert_int_equal(rings->chain.out_bytes, 30);
	assert_int_equal(rings->chain.in_bytes, 30);
	assert_ptr_equal(rings->chain.iov[2].iov_base, mem_at(&rings->mem, DATA + 0x200, 1));
	assert_int_equal(walk(rings), 0);
}

static void indices_wrap_around_the_ring_and_the_counter(void **state)
{
	struct rings *rings = *state;

	rings->queue.last_avail = rings->avail[1] = 0xfffe;
	for (int i = 0; i < 5; i++) {
		rings->desc[1] = (struct ring_desc){DATA, 1, 0, 0};
		offer(rings, 1);
		assert_int_equal(walk(rings), 1);
	}
	assert_int_equal(rings->queue.last_avail, 3);
}

static void indirect_table_is_followed(void **state)
{
	struct rings *rings = *state;

	rings->desc[2] = (struct ring_desc){TABLE, 3 * 16, DESC_INDIRECT, 0};
	rings->table[0] = (struct ring_desc){DATA, 4, DESC_NEXT, 2};
	rings->table[2] = (struct ring_desc){DATA, 8, DESC_WRITE, 0};
	offer(rings, 2);
	assert_int_equal(walk(rings), 1);
	assert_int_equal(rings->chain.out_bytes, 4);
	assert_int_equal(rings->chain.in_bytes, 8);
}

static void empty_parts_are_skipped(void **state)
{
	struct rings *rings = *state;

	rings->desc[0] = (struct ring_desc){0xdeadbeef000, 0, 0, 0};
	offer(rings, 0);
	assert_int_equal(walk(rings), 1);
	assert_int_equal(rings->chain.n_out + rings->chain.n_in, 0);
}

static void loop_is_refused(void **state)
{
	struct rings *rings = *state;

	rings->desc[0] = (struct ring_desc){DATA, 1, DESC_NEXT, 1};
	rings->desc[1] = (struct ring_desc){DATA, 1, DESC_NEXT, 0};
	offer(rings, 0);
	refused(rings, "longer than the queue");
}

static void loop_inside_an_indirect_table_is_refused(void **state)
{
	struct rings *rings = *state;

	rings->desc[0] = (struct ring_desc){TABLE, 32, DESC_INDIRECT, 0};
	rings->table[0] = (struct ring_desc){DATA, 1, DESC_NEXT, 1};
	rings->table[1] = (struct ring_desc){DATA, 1, DESC_NEXT, 0};
	offer(rings, 0);
	refused(rings, "longer than the queue");
}

static void head_past_the_end_is_refused(void **state)
{
	offer(*state, SIZE);
	refused(*state, "past the end of its table");
}

static void next_past_the_end_is_refused(void **state)
{
	struct rings *rings = *state;

	rings->desc[0] = (struct ring_desc){DATA, 1, DESC_NEXT, SIZE};
	offer(rings, 0);
	refused(rings, "past the end of its table");
}

static void buffer_outside_memory_is_refused(void **state)
{
	struct rings *rings = *state;

	rings->desc[0] = (struct ring_desc){(2 << 20) - 1, 2, 0, 0};
	offer(rings, 0);
	refused(rings, "outside memory");
	rings->desc[0] = (struct ring_desc){UINT64_MAX - 1, 8, 0, 0};
	refused(rings, "outside memory");
}

static void sum_beyond_32_bits_is_refused(void **state)
{
	/* 1024 parts of 8 MiB, all the same memory. */
	struct rings *rings = *state;
	struct guest_mem mem;
	struct err err = {0};

	assert_int_equal(mem_open(&mem, 16 << 20, false, &err), 0);
	rings->queue.size = rings->queue.size_max = 1024;
	rings->queue.driver = 0x8000;
	rings->queue.device = 0xa000;
	rings->desc = mem_at(&mem, DESC, 1024 * 16);
	for (uint16_t i = 0; i < 1024; i++)
		rings->desc[i] = (struct ring_desc){0, 8 << 20, DESC_NEXT, (uint16_t)(i + 1)};
	((uint16_t *)mem_at(&mem, 0x8000, 64))[1] = 1;
	assert_int_equal(queue_walk(&mem, &rings->queue, 0, &rings->chain, &rings->why), -EPROTO);
	assert_non_null(strstr(rings->why, "4 GiB"));
	mem_close(&mem);
}

static void readable_behind_writable_is_refused(void **state)
{
	struct rings *rings = *state;

	rings->desc[0] = (struct ring_desc){DATA, 1, DESC_NEXT | DESC_WRITE, 1};
	rings->desc[1] = (struct ring_desc){DATA, 1, 0, 0};
	offer(rings, 0);
	refused(rings, "readable descriptor behind");
}

static void bad_indirect_tables_are_refused(void **state)
{
	static const struct {
		struct ring_desc desc;
		const char *phrase;
	} cases[] = {
		{{TABLE, 0, DESC_INDIRECT, 0}, "bad size"},
		{{TABLE, 17, DESC_INDIRECT, 0}, "bad size"},
		{{TABLE, 16, DESC_INDIRECT | DESC_NEXT, 1}, "with a next one"},
		{{(2 << 20) - 16, 32, DESC_INDIRECT, 0}, "outside memory"},
	};
	struct rings *rings = *state;

	offer(rings, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rings->desc[0] = cases[i].desc;
		refused(rings, cases[i].phrase);
	}
	rings->desc[0] = (struct ring_desc){TABLE, 16, DESC_INDIRECT, 0};
	rings->table[0] = (struct ring_desc){TABLE, 16, DESC_INDIRECT, 0};
	refused(rings, "nested");
	rings->features = 0;
	refused(rings, "not negotiated");
}

static void index_jump_is_refused(void **state)
{
	struct rings *rings = *state;

	rings->avail[1] = SIZE + 1;
	refused(rings, "jumped");
	rings->avail[1] = 0xffff; /* backwards */
	refused(rings, "jumped");
}

static void rings_outside_memory_or_unaligned_are_refused(void **state)
{
	struct rings *rings = *state;

	rings->queue.desc = DESC + 8;
	refused(rings, "ring outside memory");
	rings->queue.desc = DESC;
	rings->queue.driver = UINT64_MAX - 1;
	refused(rings, "ring outside memory");
	rings->queue.driver = AVAIL;
	rings->queue.device = (2 << 20) - 8;
	refused(rings, "ring outside memory");
	rings->queue.device = USED;
	rings->queue.size = 0;
	refused(rings, "ring outside memory");
}

static void bytes_are_gathered_and_scattered_across_parts(void **state)
{
	struct rings *rings = *state;
	char bytes[8] = {0};

	rings->desc[0] = (struct ring_desc){DATA, 3, DESC_NEXT, 1};
	rings->desc[1] = (struct ring_desc){DATA + 0x100, 3, DESC_NEXT, 2};
	rings->desc[2] = (struct ring_desc){DATA + 0x200, 1, DESC_NEXT | DESC_WRITE, 3};
	rings->desc[3] = (struct ring_desc){DATA + 0x300, 4, DESC_WRITE, 0};
	memcpy(mem_at(&rings->mem, DATA, 3), "abc", 3);
	memcpy(mem_at(&rings->mem, DATA + 0x100, 3), "def", 3);
	offer(rings, 0);
	assert_int_equal(walk(rings), 1);
	assert_int_equal(queue_iov_read(&rings->chain, 2, bytes, sizeof(bytes)), 4);
	assert_string_equal(bytes, "cdef");
	assert_int_equal(queue_iov_write(&rings->chain, 0, "123456", 6), 5);
	assert_memory_equal(mem_at(&rings->mem, DATA + 0x200, 1), "1", 1);
	assert_memory_equal(mem_at(&rings->mem, DATA + 0x300, 4), "2345", 4);
	assert_int_equal(queue_iov_write(&rings->chain, 5, "x", 1), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(empty_queue_yields_nothing),
		T(chain_is_split_into_read_and_write_parts),
		T(indices_wrap_around_the_ring_and_the_counter),
		T(indirect_table_is_followed),
		T(empty_parts_are_skipped),
		T(loop_is_refused),
		T(loop_inside_an_indirect_table_is_refused),
		T(head_past_the_end_is_refused),
		T(next_past_the_end_is_refused),
		T(buffer_outside_memory_is_refused),
		T(sum_beyond_32_bits_is_refused),
		T(readable_behind_writable_is_refused),
		T(bad_indirect_tables_are_refused),
		T(index_jump_is_refused),
		T(rings_outside_memory_or_unaligned_are_refused),
		T(bytes_are_gathered_and_scattered_across_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
