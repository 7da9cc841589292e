/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a kernel is told about the machine: Xen's HVM start info version 1 (Xen, xen/include/public/arch-x86/hvm/
 * start_info.h) for the PVH entry, Linux's zero page for the 64-bit entry.
 */
#include "x86/boot.h"

#include <errno.h>
#include <string.h>

#include "pci/bus.h"
#include "x86/initrd.h"
#include "x86/layout.h"

#define START_INFO_MAGIC 0x336ec578
#define MAP_MAX		 8
#define TYPE_RAM	 1
#define TYPE_RESERVED	 2
#define LOADER_UNKNOWN	 0xff

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp;
	uint64_t memmap;
	uint32_t memmap_entries, reserved;
};

struct start_module {
	uint64_t base, bytes, cmdline, reserved;
};

/* The same in both worlds but for padding. */
struct map_entry {
	uint64_t base, bytes;
	uint32_t type, reserved;
};

static unsigned int map_fill(struct map_entry map[MAP_MAX], const struct guest_mem *mem)
{
	unsigned int n = 0;

	map[n++] = (struct map_entry){0, LAYOUT_LOW_RAM_END, TYPE_RAM, 0};
	map[n++] = (struct map_entry){LAYOUT_LOW_RAM_END, LAYOUT_HIGH_RAM - LAYOUT_LOW_RAM_END,
				      TYPE_RESERVED, 0};
	map[n++] = (struct map_entry){LAYOUT_HIGH_RAM, mem->regions[0].bytes - LAYOUT_HIGH_RAM,
				      TYPE_RAM, 0};
	map[n++] = (struct map_entry){PCI_ECAM_BASE, PCI_ECAM_BYTES, TYPE_RESERVED, 0};
	if (mem->n_regions > 1)
		map[n++] =
			(struct map_entry){mem->regions[1].gpa, mem->regions[1].bytes, TYPE_RAM, 0};
	return n;
}

static int start_info_write(const struct guest_mem *mem, const struct initrd *initrd, uint64_t rsdp)
{
	struct {
		struct start_info info;
		struct start_module module;
		struct map_entry map[MAP_MAX];
	} page = {
		.info =
			{
				.magic = START_INFO_MAGIC,
				.version = 1,
				.nr_modules = initrd->bytes ? 1 : 0,
				.modlist = LAYOUT_PVH_INFO + sizeof(page.info),
				.cmdline = LAYOUT_CMDLINE,
				.rsdp = rsdp,
				.memmap = LAYOUT_PVH_INFO + sizeof(page.info) + sizeof(page.module),
			},
		.module = {.base = initrd->gpa, .bytes = initrd->bytes},
	};

	page.info.memmap_entries = map_fill(page.map, mem);
	return mem_put(mem, LAYOUT_PVH_INFO, &page, sizeof(page));
}

static int zero_page_write(const struct guest_mem *mem, const struct kernel *kernel,
			   const struct initrd *initrd, uint64_t rsdp)
{
	struct boot_params page = {.hdr = kernel->header};
	struct map_entry map[MAP_MAX];
	unsigned int n = map_fill(map, mem);

	page.hdr.type_of_loader = LOADER_UNKNOWN;
	page.hdr.loadflags |= LOADED_HIGH;
	page.hdr.cmd_line_ptr = LAYOUT_CMDLINE;
	page.hdr.ramdisk_image = (uint32_t)initrd->gpa;
	page.hdr.ramdisk_size = (uint32_t)initrd->bytes;
	page.acpi_rsdp_addr = rsdp;
	for (unsigned int i = 0; i < n; i++)
		page.e820_table[i] =
			(struct boot_e820_entry){map[i].base, map[i].bytes, map[i].type};
	page.e820_entries = (uint8_t)n;
	return mem_put(mem, LAYOUT_ZERO_PAGE, &page, sizeof(page));
}

int boot_load(const struct boot_files *files, const struct guest_mem *mem, uint64_t rsdp,
	      struct boot_entry *entry, struct err *err)
{
	size_t cmdline_bytes = strlen(files->cmdline) + 1;
	struct kernel kernel;
	struct initrd initrd;
	int rc;

	if (mem->regions[0].bytes <= LAYOUT_HIGH_RAM)
		return err_set(err, ENOMEM, "too little memory for a kernel");
	if (cmdline_bytes > LAYOUT_CMDLINE_MAX)
		return err_set(err, E2BIG, "the kernel command line is longer than %u bytes",
			       LAYOUT_CMDLINE_MAX - 1);
	rc = kernel_load(&kernel, files->kernel, mem, err);
	if (rc)
		return rc;
	rc = initrd_load(&initrd, files->initrds, files->n_initrds, kernel.end, kernel.initrd_max,
			 mem, err);
	if (rc)
		return rc;
	rc = mem_put(mem, LAYOUT_CMDLINE, files->cmdline, cmdline_bytes);
	if (rc == 0)
		rc = kernel.entry == KERNEL_PVH ? start_info_write(mem, &initrd, rsdp)
						: zero_page_write(mem, &kernel, &initrd, rsdp);
	if (rc)
		return err_set(err, -rc, "the boot information does not fit in guest memory");
	entry->kind = kernel.entry;
	entry->rip = kernel.rip;
	entry->info = kernel.entry == KERNEL_PVH ? LAYOUT_PVH_INFO : LAYOUT_ZERO_PAGE;
	return 0;
}
