/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/base64.h"
#include "lab/cpio.h"

/* The 8 hex digits of a header field; field 0 is the inode. */
static unsigned long field(const unsigned char *header, int n)
{
	char digits[9] = "";

	memcpy(digits, header + 6 + 8 * n, 8);
	return strtoul(digits, NULL, 16);
}

static void archive_has_the_layout_that_the_kernel_reads(void **state)
{
	struct cpio cpio;
	const unsigned char *at;

	(void)state;
	cpio_init(&cpio);
	cpio_folder(&cpio, "etc");
	cpio_file(&cpio, "etc/file", "hello", 5);
	assert_int_equal(cpio_end(&cpio), 0);
	assert_int_equal(cpio.len % 512, 0);
	at = cpio.bytes;
	assert_memory_equal(at, "070701", 6);
	assert_int_equal(field(at, 1), 040755);
	assert_int_equal(field(at, 6), 0);  /* size */
	assert_int_equal(field(at, 11), 4); /* name with its NUL */
	assert_string_equal((const char *)at + 110, "etc");
	at += (110 + 4 + 3) / 4 * 4;
	assert_memory_equal(at, "070701", 6);
	assert_int_equal(field(at, 1), 0100644);
	assert_int_equal(field(at, 6), 5);
	assert_string_equal((const char *)at + 110, "etc/file");
	at += (110 + 9 + 3) / 4 * 4;
	assert_memory_equal(at, "hello\0\0\0", 8);
	at += 8;
	assert_memory_equal(at, "070701", 6);
	assert_string_equal((const char *)at + 110, "TRAILER!!!");
	cpio_fini(&cpio);
}

static void real_cpio_unpacks_it(void **state)
{
	struct cpio cpio;
	char out[] = "/tmp/netloom-cpio-XXXXXX";
	char command[128];
	char line[64] = "";
	FILE *pipe;
	int fd;

	(void)state;
	if (system("command -v cpio >/dev/null") != 0)
		skip();
	cpio_init(&cpio);
	cpio_folder(&cpio, "etc");
	cpio_file(&cpio, "etc/netloom.conf", "abc\n", 4);
	assert_int_equal(cpio_end(&cpio), 0);
	fd = mkstemp(out);
	assert_true(fd >= 0);
	snprintf(command, sizeof(command), "cpio -i --to-stdout etc/netloom.conf 2>/dev/null > %s",
		 out);
	pipe = popen(command, "w");
	assert_non_null(pipe);
	assert_int_equal(fwrite(cpio.bytes, 1, cpio.len, pipe), cpio.len);
	assert_int_equal(pclose(pipe), 0);
	pipe = fdopen(fd, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof(line), pipe));
	fclose(pipe);
	remove(out);
	assert_string_equal(line, "abc\n");
	cpio_fini(&cpio);
}

static void base64_agrees_with_the_examples_of_the_rfc(void **state)
{
	/* RFC 4648 §10 */
	static const char *const pairs[][2] = {{"", ""},
					       {"f", "Zg=="},
					       {"fo", "Zm8="},
					       {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="},
					       {"fooba", "Zm9vYmE="},
					       {"foobar", "Zm9vYmFy"}};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *text = base64_encode(pairs[i][0], strlen(pairs[i][0]));
		unsigned char *back;
		size_t len;

		assert_string_equal(text, pairs[i][1]);
		back = base64_decode(text, &len);
		assert_non_null(back);
		assert_int_equal(len, strlen(pairs[i][0]));
		assert_memory_equal(back, pairs[i][0], len);
		free(text);
		free(back);
	}
}

static void base64_keeps_every_byte(void **state)
{
	unsigned char bytes[256];
	unsigned char *back;
	char *text;
	size_t len;

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	text = base64_encode(bytes, 256);
	back = base64_decode(text, &len);
	assert_int_equal(len, 256);
	assert_memory_equal(back, bytes, 256);
	free(text);
	free(back);
}

static void what_is_no_base64_is_refused(void **state)
{
	static const char *const bad[] = {
		"a", "ab", "abc", "ab=c", "====", "a b=", "\xff\xff\xff\xff"};
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(base64_decode(bad[i], &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(archive_has_the_layout_that_the_kernel_reads),
		cmocka_unit_test(real_cpio_unpacks_it),
		cmocka_unit_test(base64_agrees_with_the_examples_of_the_rfc),
		cmocka_unit_test(base64_keeps_every_byte),
		cmocka_unit_test(what_is_no_base64_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
