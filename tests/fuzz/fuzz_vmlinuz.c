/* links: vm base */
/* SPDX-License-Identifier: BSD-3-Clause */
/* A file that claims to be a kernel: bzImage headers, the four kinds of packing, ELF headers and notes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "x86/kernel.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest_mem mem;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz", LOG_ERROR);
	return mem_open(&mem, 32 << 20, false, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel kernel;
	struct err err = {0};

	if (kernel_load_bytes(&kernel, data, size, false, &mem, &err) == 0) {
		/* What a loaded kernel needs lies in memory, and its entry below the hole. */
		if (!mem_at(&mem, kernel.end - 1, 1))
			abort();
	} else if (!err.text[0]) {
		abort(); /* refused without a sentence */
	}
	return 0;
}
