/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of stages that people read is the list that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline.h"

static FILE *open_readme(void)
{
	FILE *file = fopen("datapath/README.md", "re");
	char path[512];

	if (file != NULL)
		return file;
	snprintf(path, sizeof(path), "%.*s../../../datapath/README.md",
		 (int)(strrchr(__FILE__, '/') - __FILE__ + 1), __FILE__);
	return fopen(path, "re");
}

static void readme_lists_the_stages_in_order(void **state)
{
	FILE *file = open_readme();
	char line[512], name[64], source[64];
	size_t n = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "| %63s | `%63[a-z_.]`", name, source) != 2 ||
		    strncmp(source, "stage_", 6) != 0)
			continue;
		assert_non_null(stages[n].name);
		assert_string_equal(name, stages[n].name);
		n++;
	}
	fclose(file);
	assert_true(n > 0);
	assert_null(stages[n].name);
}

static void every_drop_reason_has_a_name_and_a_sentence(void **state)
{
	(void)state;
	for (int i = 1; i < DROP_N; i++) {
		assert_true(strlen(drop_name(i)) > 2);
		assert_true(strlen(drop_sentence(i)) > 20);
		for (int k = 1; k < i; k++)
			assert_string_not_equal(drop_name(i), drop_name(k));
	}
	assert_string_equal(drop_name(DROP_N), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readme_lists_the_stages_in_order),
		cmocka_unit_test(every_drop_reason_has_a_name_and_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
