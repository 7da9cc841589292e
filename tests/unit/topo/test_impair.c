/* SPDX-License-Identifier: BSD-3-Clause */
/* The words for bad cables, and what they mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "topo/impair.h"

static char why[300];

static bool set(struct topo_impair *impair, const char *word, const char *value)
{
	why[0] = '\0';
	return topo_impair_set(impair, word, value, 0, why, sizeof(why));
}

static void values_have_units(void **unused)
{
	static const struct {
		const char *word, *value;
		enum topo_impair_field field;
		uint32_t wanted;
	} cases[] = {
		{"delay", "20ms", TOPO_IMPAIR_DELAY, 20000},
		{"delay", "1.5s", TOPO_IMPAIR_DELAY, 1500000},
		{"delay", "500us", TOPO_IMPAIR_DELAY, 500},
		{"delay", "0", TOPO_IMPAIR_DELAY, 0},
		{"delay", "60s", TOPO_IMPAIR_DELAY, 60000000},
		{"loss", "1%", TOPO_IMPAIR_LOSS, 10000},
		{"loss", "0.0001%", TOPO_IMPAIR_LOSS, 1},
		{"loss", "100%", TOPO_IMPAIR_LOSS, 1000000},
		{"rate", "10mbit", TOPO_IMPAIR_RATE, 10000},
		{"rate", "2.5gbit", TOPO_IMPAIR_RATE, 2500000},
		{"queue", "64KB", TOPO_IMPAIR_QUEUE_BYTES, 65536},
		{"queue", "100", TOPO_IMPAIR_QUEUE_FRAMES, 100},
		{"distribution", "pareto", TOPO_IMPAIR_DISTRIBUTION, 2},
		{"seed", "4294967295", TOPO_IMPAIR_SEED, UINT32_MAX},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct topo_impair impair = {0};

		if (!set(&impair, cases[i].word, cases[i].value))
			fail_msg("%s %s: %s", cases[i].word, cases[i].value, why);
		assert_int_equal(impair.named, 1u << cases[i].field);
		assert_int_equal(impair.value[cases[i].field], cases[i].wanted);
	}
}

static void nonsense_is_refused_with_a_sentence_and_changes_nothing(void **unused)
{
	static const char *const cases[][2] = {
		{"delay", "-1ms"},	 {"delay", "1h"},
		{"delay", "20"},	 {"delay", ""},
		{"delay", "ms"},	 {"delay", "1e3ms"},
		{"loss", "101%"},	 {"loss", "5"},
		{"loss", "-1%"},	 {"loss", "0.00001%"},
		{"rate", "0"},		 {"rate", "0kbit"},
		{"rate", "9999999gbit"}, {"rate", "10"},
		{"queue", "0"},		 {"queue", "1.5"},
		{"queue", "1B"},	 {"queue", "65537"},
		{"burst-loss", "1%"},	 {"burst-loss", "1%/0"},
		{"seed", "-1"},		 {"seed", "4294967296"},
		{"order", "any"},	 {"preset", "isdn"},
		{"latency", "1ms"},	 {"burst-loss", "1%/1%/1%/1%/1%"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct topo_impair impair = {0}, before = {0};

		if (set(&impair, cases[i][0], cases[i][1]))
			fail_msg("%s %s was taken", cases[i][0], cases[i][1]);
		assert_true(strlen(why) > 10);
		assert_memory_equal(&impair, &before, sizeof(before));
	}
}

static void off_names_all_that_a_word_has_set(void **unused)
{
	struct topo_impair impair = {0};

	(void)unused;
	assert_true(set(&impair, "burst-loss", "1%/20%/50%/2%"));
	assert_int_equal(impair.value[TOPO_IMPAIR_GAP_LOSS], 20000);
	assert_true(set(&impair, "burst-loss", "off"));
	assert_int_equal(impair.value[TOPO_IMPAIR_BURST_ENTER], 0);
	assert_int_equal(impair.value[TOPO_IMPAIR_GAP_LOSS], 0);
	assert_int_equal(impair.named & 1u << TOPO_IMPAIR_GAP_LOSS, 1u << TOPO_IMPAIR_GAP_LOSS);
}

static void text_can_be_read_again(void **unused)
{
	static const char *const presets[] = {"lan", "wan", "dsl", "lte", "satellite"};

	(void)unused;
	for (size_t i = 0; i < 5; i++) {
		for (int side = 0; side < 2; side++) {
			struct topo_impair impair = {0}, again;
			char text[400], other[400], *save = NULL;

			assert_true(topo_impair_set(&impair, "preset", presets[i], side, why,
						    sizeof(why)));
			assert_null(topo_impair_check(&impair));
			topo_impair_text(&impair, text, sizeof(text));
			strcpy(other, text);
			topo_impair_clear(&again);
			for (char *word = strtok_r(other, " ", &save); word != NULL;
			     word = strtok_r(NULL, " ", &save))
				assert_true(set(&again, word, strtok_r(NULL, " ", &save)));
			assert_memory_equal(&again, &impair, sizeof(impair));
		}
	}
}

static void a_change_is_checked_with_what_is_there(void **unused)
{
	struct topo_impair impair = {0}, change = {0};

	(void)unused;
	assert_true(set(&impair, "delay", "5ms"));
	assert_true(set(&change, "jitter", "6ms"));
	topo_impair_merge(&impair, &change);
	assert_int_equal(impair.value[TOPO_IMPAIR_DELAY], 5000);
	assert_int_equal(impair.value[TOPO_IMPAIR_JITTER], 6000);
	assert_non_null(topo_impair_check(&impair));
	assert_true(set(&change, "jitter", "off"));
	topo_impair_merge(&impair, &change);
	assert_null(topo_impair_check(&impair));
}

static void how_alone_is_nothing_that_is_wrong(void **unused)
{
	struct topo_impair impair = {0};

	(void)unused;
	assert_true(topo_impair_is_good(&impair));
	assert_false(topo_impair_says_how(&impair));
	assert_true(set(&impair, "seed", "7"));
	assert_true(topo_impair_is_good(&impair));
	assert_true(topo_impair_says_how(&impair));
	assert_true(set(&impair, "corrupt", "1%"));
	assert_false(topo_impair_is_good(&impair));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_have_units),
		cmocka_unit_test(nonsense_is_refused_with_a_sentence_and_changes_nothing),
		cmocka_unit_test(off_names_all_that_a_word_has_set),
		cmocka_unit_test(text_can_be_read_again),
		cmocka_unit_test(a_change_is_checked_with_what_is_there),
		cmocka_unit_test(how_alone_is_nothing_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
