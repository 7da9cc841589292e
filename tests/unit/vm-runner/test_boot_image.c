/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernel files: good ones, short ones and liars. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <elf.h>
#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "x86/bzimage.h"
#include "x86/initrd.h"
#include "x86/kernel.h"
#include "x86/kernel_cache.h"
#include "x86/unpack.h"

#define KERNEL_AT  0x200000
#define PVH_ENTRY  0x200040
#define TEXT_BYTES 100000
#define FILE_MAX   400000

static struct guest_mem mem;

static int mem_new(void **state)
{
	(void)state;
	return mem_open(&mem, 8 << 20, false, NULL);
}

static int mem_free(void **state)
{
	(void)state;
	mem_close(&mem);
	return 0;
}

/* A vmlinux: one segment and a PVH note. */
struct vmlinux {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	Elf64_Nhdr note;
	char name[4];
	uint32_t entry, padding;
	uint8_t text[TEXT_BYTES];
};

static struct vmlinux *vmlinux_new(void)
{
	struct vmlinux *file = calloc(1, sizeof(*file));

	memcpy(file->header.e_ident, ELFMAG, SELFMAG);
	file->header.e_ident[EI_CLASS] = ELFCLASS64;
	file->header.e_ident[EI_DATA] = ELFDATA2LSB;
	file->header.e_type = ET_EXEC;
	file->header.e_machine = EM_X86_64;
	file->header.e_phoff = offsetof(struct vmlinux, segments);
	file->header.e_phentsize = sizeof(Elf64_Phdr);
	file->header.e_phnum = 2;
	file->segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
					 .p_offset = offsetof(struct vmlinux, text),
					 .p_paddr = KERNEL_AT,
					 .p_filesz = TEXT_BYTES,
					 .p_memsz = TEXT_BYTES + 5000};
	file->segments[1] = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = offsetof(struct vmlinux, note), .p_filesz = 24};
	file->note = (Elf64_Nhdr){4, 8, 18};
	memcpy(file->name, "Xen", 4);
	file->entry = PVH_ENTRY;
	for (unsigned int i = 0; i < TEXT_BYTES; i++)
		file->text[i] = (uint8_t)(i * i >> 5);
	return file;
}

/* Append the unpacked size, as Linux's build does. */
static size_t size_append(uint8_t *out, size_t bytes)
{
	uint32_t size = sizeof(struct vmlinux);

	memcpy(out + bytes, &size, 4);
	return bytes + 4;
}

static size_t pack_lz4(const void *in, uint8_t *out)
{
	static const uint8_t magic[] = {0x02, 0x21, 0x4c, 0x18};
	int n = LZ4_compress_default(in, (char *)out + 8, sizeof(struct vmlinux), FILE_MAX - 16);
	uint32_t block = (uint32_t)n;

	memcpy(out, magic, 4);
	memcpy(out + 4, &block, 4);
	return size_append(out, 8 + block);
}

static size_t pack_gzip(const void *in, uint8_t *out)
{
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)in,
			   .avail_in = sizeof(struct vmlinux),
			   .next_out = out,
			   .avail_out = FILE_MAX};

	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return stream.total_out; /* ends with the size by itself */
}

static size_t pack_xz(const void *in, uint8_t *out)
{
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, in,
						 sizeof(struct vmlinux), out, &n, FILE_MAX - 4),
			 LZMA_OK);
	return size_append(out, n);
}

static size_t pack_zstd(const void *in, uint8_t *out)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t n;

	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1); /* as zstd(1) does */
	n = ZSTD_compress2(context, out, FILE_MAX - 4, in, sizeof(struct vmlinux));
	ZSTD_freeCCtx(context);
	assert_false(ZSTD_isError(n));
	return size_append(out, n);
}

static const struct {
	const char *name;
	size_t (*pack)(const void *in, uint8_t *out);
} formats[] = {{"LZ4", pack_lz4}, {"gzip", pack_gzip}, {"xz", pack_xz}, {"zstd", pack_zstd}};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

/* A bzImage around a packed vmlinux. Return: its size. */
static size_t bzimage_make(uint8_t *file, size_t (*pack)(const void *in, uint8_t *out))
{
	struct setup_header header = {
		.setup_sects = 1,
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x20f,
		.payload_offset = 64,
		.init_size = 0x100000,
		.pref_address = KERNEL_AT,
		.xloadflags = 1,
		.initrd_addr_max = 0x7fffffff,
	};
	struct vmlinux *vmlinux = vmlinux_new();

	memset(file, 0, FILE_MAX + 2048);
	header.payload_length = (uint32_t)pack(vmlinux, file + 1024 + 64);
	memcpy(file + 0x1f1, &header, sizeof(header));
	free(vmlinux);
	return 1024 + 64 + header.payload_length;
}

static void memory_clear(void)
{
	memset(mem.regions[0].host, 0, mem.regions[0].bytes);
}

static void kernels_are_unpacked_from_every_format(void **state)
{
	static uint8_t file[FILE_MAX + 2048];
	struct vmlinux *vmlinux = vmlinux_new();
	struct kernel kernel;

	(void)state;
	for (unsigned int i = 0; i < N_FORMATS; i++) {
		size_t bytes = bzimage_make(file, formats[i].pack);

		memory_clear();
		assert_int_equal(kernel_load_bytes(&kernel, file, bytes, false, &mem, NULL), 0);
		assert_int_equal(kernel.entry, KERNEL_PVH);
		assert_int_equal(kernel.rip, PVH_ENTRY);
		assert_int_equal(kernel.end, KERNEL_AT + TEXT_BYTES + 5000);
		assert_memory_equal(mem_at(&mem, KERNEL_AT, TEXT_BYTES), vmlinux->text, TEXT_BYTES);
	}
	free(vmlinux);
}

static void truncated_kernels_are_refused_with_a_sentence(void **state)
{
	static uint8_t file[FILE_MAX + 2048];
	struct kernel kernel;

	(void)state;
	for (unsigned int i = 0; i < N_FORMATS; i++) {
		size_t bytes = bzimage_make(file, formats[i].pack);

		for (size_t n = 0; n < bytes; n += 1 + bytes / 97) {
			/* A copy of its own, so that a checker sees a read behind the end. */
			uint8_t *copy = malloc(n ? n : 1);
			struct err err = {0};

			memcpy(copy, file, n);
			assert_true(kernel_load_bytes(&kernel, copy, n, false, &mem, &err) < 0);
			assert_string_not_equal(err.text, "");
			free(copy);
		}
	}
}

static void damaged_payloads_are_refused(void **state)
{
	static uint8_t file[FILE_MAX + 2048];
	struct kernel kernel;
	unsigned int refused = 0;

	(void)state;
	for (unsigned int i = 0; i < N_FORMATS; i++) {
		size_t bytes = bzimage_make(file, formats[i].pack);
		struct err err = {0};

		memset(file + bytes / 2, 0x55, 64);
		refused += kernel_load_bytes(&kernel, file, bytes, false, &mem, &err) < 0;
	}
	/* Legacy LZ4 has no checksum: what it unpacks to may still be a kernel. */
	assert_in_range(refused, N_FORMATS - 1, N_FORMATS);
}

static void a_payload_that_lies_about_its_size_is_refused(void **state)
{
	static uint8_t in[FILE_MAX];
	struct vmlinux *vmlinux = vmlinux_new();
	static const uint32_t lies[] = {0, 1, sizeof(struct vmlinux) - 1,
					sizeof(struct vmlinux) + 1, UINT32_MAX};

	(void)state;
	for (unsigned int i = 0; i < N_FORMATS; i++) {
		size_t bytes = formats[i].pack(vmlinux, in), out_bytes;
		uint8_t *out = NULL;

		for (unsigned int lie = 0; lie < 5; lie++) {
			memcpy(in + bytes - 4, &lies[lie], 4);
			assert_true(unpack_payload(in, bytes, &out, &out_bytes, NULL) < 0);
			assert_null(out);
		}
	}
	free(vmlinux);
}

static void elf_headers_that_lie_are_refused(void **state)
{
	struct vmlinux *good = vmlinux_new(), *file = vmlinux_new();
	struct kernel kernel;
	struct err err = {0};

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		*file = *good;                                                                     \
		change;                                                                            \
		assert_true(kernel_load_bytes(&kernel, (const uint8_t *)file, sizeof(*file),       \
					      false, &mem, &err) < 0);                             \
	} while (0)
	(void)state;
	memory_clear();
	REFUSED(file->header.e_phoff = sizeof(*file) - 8);
	REFUSED(file->header.e_phoff = UINT64_MAX - 8);
	REFUSED(file->header.e_phnum = 60000);
	REFUSED(file->header.e_phnum = 0);
	REFUSED(file->header.e_phentsize = 1);
	REFUSED(file->header.e_machine = EM_AARCH64);
	REFUSED(file->header.e_ident[EI_CLASS] = ELFCLASS32);
	REFUSED(file->header.e_type = ET_DYN);
	REFUSED(file->segments[0].p_offset = UINT64_MAX - 10);
	REFUSED(file->segments[0].p_filesz = UINT64_MAX - 10);
	REFUSED(file->segments[0].p_memsz = UINT64_MAX);
	REFUSED(file->segments[0].p_memsz = 10);
	REFUSED(file->segments[0].p_paddr = 0x1000);
	REFUSED(file->segments[0].p_paddr = UINT64_MAX - 100);
	REFUSED(file->segments[0].p_paddr = 8 << 20);
	REFUSED(file->segments[1].p_offset = UINT64_MAX - 4);
	REFUSED(file->segments[1].p_filesz = UINT64_MAX - 4);
	REFUSED(file->note.n_namesz = UINT32_MAX);
	REFUSED(file->note.n_descsz = UINT32_MAX);
	REFUSED(file->name[0] = 'x');
#undef REFUSED
	assert_int_equal(mem.regions[0].host[KERNEL_AT], 0); /* refused before anything is copied */
	assert_int_equal(
		kernel_load_bytes(&kernel, (const uint8_t *)good, sizeof(*good), false, &mem, NULL),
		0);
	free(good);
	free(file);
}

static void bzimage_offsets_that_lie_are_refused(void **state)
{
	static uint8_t file[FILE_MAX + 2048];
	size_t bytes = bzimage_make(file, pack_lz4);
	struct setup_header header;
	struct bzimage image;

	(void)state;
	memcpy(&header, file + 0x1f1, sizeof(header));
	header.payload_offset = UINT32_MAX;
	memcpy(file + 0x1f1, &header, sizeof(header));
	assert_true(bzimage_parse(&image, file, bytes, NULL) < 0);
	header.payload_offset = 64;
	header.payload_length = UINT32_MAX;
	memcpy(file + 0x1f1, &header, sizeof(header));
	assert_true(bzimage_parse(&image, file, bytes, NULL) < 0);
	header.payload_length = 0;
	header.setup_sects = 255;
	memcpy(file + 0x1f1, &header, sizeof(header));
	assert_true(bzimage_parse(&image, file, 20000, NULL) < 0);
	header.setup_sects = 1;
	header.version = 0x200;
	memcpy(file + 0x1f1, &header, sizeof(header));
	assert_true(bzimage_parse(&image, file, bytes, NULL) < 0);
}

static void a_kernel_without_pvh_is_entered_at_its_64_bit_entry(void **state)
{
	static uint8_t file[FILE_MAX + 2048];
	size_t bytes = bzimage_make(file, pack_lz4);
	struct kernel kernel;

	(void)state;
	file[1024 + 64] = 'X'; /* packed in a way we do not know */
	memory_clear();
	assert_int_equal(kernel_load_bytes(&kernel, file, bytes, false, &mem, NULL), 0);
	assert_int_equal(kernel.entry, KERNEL_LINUX64);
	assert_int_equal(kernel.rip, KERNEL_AT + 0x200);
	assert_memory_equal(mem_at(&mem, KERNEL_AT, bytes - 1024), file + 1024, bytes - 1024);
}

static void text_is_no_kernel(void **state)
{
	static const char text[4096] = "#!/bin/sh\n";
	struct kernel kernel;
	struct err err = {0};

	(void)state;
	assert_int_equal(
		kernel_load_bytes(&kernel, (const uint8_t *)text, sizeof(text), true, &mem, &err),
		-ENOEXEC);
	assert_non_null(strstr(err.text, "not a Linux kernel"));
}

/* The cache below a directory of our own. */
static char cache_dir[] = "/tmp/netloom-cache-XXXXXX";

static int cache_new(void **state)
{
	(void)state;
	if (mem_new(state) || !mkdtemp(cache_dir))
		return -1;
	return setenv("XDG_CACHE_HOME", cache_dir, 1);
}

static int cache_remove(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", cache_dir);
	strcpy(cache_dir + strlen(cache_dir) - 6, "XXXXXX");
	return system(command) || mem_free(state);
}

static void cache_path(char *path, size_t room, const struct kernel_cache_key *key)
{
	int n = snprintf(path, room, "%s/netloom/vmlinux-", cache_dir);

	for (size_t i = 0; i < sizeof(key->sha256); i++)
		n += snprintf(path + n, room - (size_t)n, "%02x", key->sha256[i]);
}

static void a_damaged_cache_file_is_not_used(void **state)
{
	static uint8_t data[100000];
	struct kernel_cache_key key = {.sha256 = {1, 2}};
	size_t map_bytes, bytes;
	char path[256];
	FILE *file;
	void *map;

	(void)state;
	assert_false(kernel_cache_open(&key, &map, &map_bytes, &bytes));
	kernel_cache_store(&key, data, sizeof(data));
	assert_true(kernel_cache_open(&key, &map, &map_bytes, &bytes));
	assert_int_equal(bytes, sizeof(data));
	assert_memory_equal(map, data, sizeof(data));
	cache_path(path, sizeof(path), &key);
	file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, 50000, SEEK_SET), 0);
	fputc(1, file);
	fclose(file);
	assert_false(kernel_cache_open(&key, &map, &map_bytes, &bytes));
	assert_int_equal(truncate(path, 1000), 0);
	assert_false(kernel_cache_open(&key, &map, &map_bytes, &bytes));
	assert_int_equal(truncate(path, 3), 0);
	assert_false(kernel_cache_open(&key, &map, &map_bytes, &bytes));
}

static void a_cached_kernel_is_named_by_the_sha256_of_its_packed_file(void **state)
{
	/* FIPS 180-2, B.1 */
	static const uint8_t abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
					0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
					0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
					0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	struct kernel_cache_key key, other;
	size_t map_bytes, bytes;
	char path[256];
	void *map;

	(void)state;
	assert_true(kernel_cache_key(&key, "abc", 3));
	assert_memory_equal(key.sha256, abc, sizeof(abc));
	kernel_cache_store(&key, "kernel", 6);
	cache_path(path, sizeof(path), &key);
	assert_int_equal(access(path, R_OK), 0);
	assert_true(kernel_cache_key(&other, "abd", 3));
	assert_false(kernel_cache_open(&other, &map, &map_bytes, &bytes));
}

static void a_cache_that_others_may_write_is_not_used(void **state)
{
	static uint8_t data[1000];
	struct kernel_cache_key key = {.sha256 = {3, 4}};
	size_t map_bytes, bytes;
	char path[256];
	void *map;

	(void)state;
	kernel_cache_store(&key, data, sizeof(data));
	snprintf(path, sizeof(path), "%s/netloom", cache_dir);
	assert_int_equal(chmod(path, 0777), 0);
	assert_false(kernel_cache_open(&key, &map, &map_bytes, &bytes));
	assert_int_equal(chmod(path, 0700), 0);
	assert_true(kernel_cache_open(&key, &map, &map_bytes, &bytes));
}

static void a_kernel_from_the_cache_is_the_same(void **state)
{
	static uint8_t file[FILE_MAX + 2048];
	size_t bytes = bzimage_make(file, pack_lz4);
	struct kernel first, second;
	uint8_t *text = malloc(TEXT_BYTES);

	(void)state;
	assert_int_equal(kernel_load_bytes(&first, file, bytes, true, &mem, NULL), 0);
	memcpy(text, mem_at(&mem, KERNEL_AT, TEXT_BYTES), TEXT_BYTES);
	memory_clear();
	assert_int_equal(kernel_load_bytes(&second, file, bytes, true, &mem, NULL), 0);
	assert_memory_equal(mem_at(&mem, KERNEL_AT, TEXT_BYTES), text, TEXT_BYTES);
	assert_int_equal(first.rip, second.rip);
	assert_int_equal(first.end, second.end);
	free(text);
}

static void file_make(char *path, const char *name, size_t bytes)
{
	FILE *file;

	snprintf(path, 256, "%s/%s", cache_dir, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	for (size_t i = 0; i < bytes; i++)
		fputc(name[0], file);
	fclose(file);
}

static void initrds_follow_each_other_padded_to_4_bytes(void **state)
{
	char a[256], b[256];
	const char *paths[] = {a, b};
	struct initrd initrd;

	(void)state;
	file_make(a, "a", 5);
	file_make(b, "b", 4);
	memory_clear();
	assert_int_equal(initrd_load(&initrd, paths, 2, 0x100000, 0x7fffffff, &mem, NULL), 0);
	assert_int_equal(initrd.bytes, 12);
	assert_int_equal(initrd.gpa % 4096, 0);
	assert_memory_equal(mem_at(&mem, initrd.gpa, 12), "aaaaa\0\0\0bbbb", 12);
	assert_int_equal(initrd_load(&initrd, paths, 2, 0x100000, 0x3fffff, &mem, NULL), 0);
	assert_int_equal(initrd.gpa, 0x3ff000);
}

static void an_initrd_that_does_not_fit_is_refused(void **state)
{
	char a[256];
	const char *paths[] = {a};
	struct initrd initrd;
	struct err err = {0};

	(void)state;
	file_make(a, "a", 2 << 20);
	assert_true(initrd_load(&initrd, paths, 1, 7 << 20, 0x7fffffff, &mem, &err) < 0);
	assert_non_null(strstr(err.text, "does not fit"));
	assert_int_equal(initrd_load(&initrd, paths, 1, 6 << 20, 0x7fffffff, &mem, NULL), 0);
	assert_int_equal(truncate(a, (off_t)1 << 40), 0);
	assert_true(initrd_load(&initrd, paths, 1, 0x100000, 0x7fffffff, &mem, NULL) < 0);
	paths[0] = cache_dir;
	assert_true(initrd_load(&initrd, paths, 1, 0x100000, 0x7fffffff, &mem, NULL) < 0);
}

int main(void)
{
#define TEST(name)	 cmocka_unit_test_setup_teardown(name, mem_new, mem_free)
#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, cache_new, cache_remove)
	const struct CMUnitTest tests[] = {
		TEST(kernels_are_unpacked_from_every_format),
		TEST(truncated_kernels_are_refused_with_a_sentence),
		TEST(damaged_payloads_are_refused),
		TEST(a_payload_that_lies_about_its_size_is_refused),
		TEST(elf_headers_that_lie_are_refused),
		TEST(bzimage_offsets_that_lie_are_refused),
		TEST(a_kernel_without_pvh_is_entered_at_its_64_bit_entry),
		TEST(text_is_no_kernel),
		CACHE_TEST(a_damaged_cache_file_is_not_used),
		CACHE_TEST(a_cached_kernel_is_named_by_the_sha256_of_its_packed_file),
		CACHE_TEST(a_cache_that_others_may_write_is_not_used),
		CACHE_TEST(a_kernel_from_the_cache_is_the_same),
		CACHE_TEST(initrds_follow_each_other_padded_to_4_bytes),
		CACHE_TEST(an_initrd_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
