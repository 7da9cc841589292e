/* SPDX-License-Identifier: BSD-3-Clause */
#include "x86/elf.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PHDRS_MAX	      64
#define NOTE_XEN_PHYS32_ENTRY 18

bool elf_is(const uint8_t *file, size_t bytes)
{
	return bytes >= SELFMAG && !memcmp(file, ELFMAG, SELFMAG);
}

static bool range_inside(uint64_t offset, uint64_t length, uint64_t total)
{
	return offset <= total && length <= total - offset;
}

static uint64_t align4(uint64_t n)
{
	return (n + 3) & ~UINT64_C(3);
}

/* Xen's note gives the 32-bit entry point: Xen, docs/misc/pvh.pandoc. */
static uint64_t notes_pvh_entry(const uint8_t *notes, uint64_t bytes)
{
	uint64_t at = 0;

	while (range_inside(at, sizeof(Elf64_Nhdr), bytes)) {
		uint64_t name_at, desc_at, value = 0;
		Elf64_Nhdr note;

		memcpy(&note, notes + at, sizeof(note));
		name_at = at + sizeof(note);
		desc_at = name_at + align4(note.n_namesz);
		if (!range_inside(desc_at, note.n_descsz, bytes))
			return 0;
		if (note.n_type == NOTE_XEN_PHYS32_ENTRY && note.n_namesz == 4 &&
		    !memcmp(notes + name_at, "Xen", 4) &&
		    (note.n_descsz == 4 || note.n_descsz == 8)) {
			memcpy(&value, notes + desc_at, note.n_descsz);
			return value <= UINT32_MAX ? value : 0;
		}
		at = desc_at + align4(note.n_descsz);
	}
	return 0;
}

static int segment_check(const Elf64_Phdr *segment, size_t file_bytes, uint64_t lowest,
			 const struct guest_mem *mem, struct err *err)
{
	if (!range_inside(segment->p_offset, segment->p_filesz, file_bytes))
		return err_set(err, ENOEXEC, "truncated: a segment reaches beyond the file's end");
	if (segment->p_filesz > segment->p_memsz)
		return err_set(err, ENOEXEC, "a segment is larger in the file than in memory");
	if (segment->p_paddr < lowest || !mem_at(mem, segment->p_paddr, segment->p_memsz))
		return err_set(err, ENOMEM,
			       "a segment of %" PRIu64 " bytes at 0x%" PRIx64
			       " does not fit in guest memory",
			       (uint64_t)segment->p_memsz, (uint64_t)segment->p_paddr);
	return 0;
}

static int header_check(const Elf64_Ehdr *header, size_t bytes, struct err *err)
{
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		return err_set(err, ENOEXEC, "not an x86-64 ELF file");
	if (header->e_type != ET_EXEC)
		return err_set(err, ENOEXEC,
			       "not a static executable (a shared object or module?)");
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
	    header->e_phnum > PHDRS_MAX ||
	    !range_inside(header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr), bytes))
		return err_set(err, ENOEXEC, "truncated: the ELF program headers are damaged");
	return 0;
}

static void segment_copy(struct elf_image *image, const Elf64_Phdr *segment, const uint8_t *file,
			 const struct guest_mem *mem)
{
	(void)mem_load(mem, segment->p_paddr, file + segment->p_offset, segment->p_filesz);
	if (segment->p_paddr < image->start)
		image->start = segment->p_paddr;
	if (segment->p_paddr + segment->p_memsz > image->end)
		image->end = segment->p_paddr + segment->p_memsz;
}

int elf_load(struct elf_image *image, const uint8_t *file, size_t bytes, uint64_t lowest,
	     const struct guest_mem *mem, struct err *err)
{
	Elf64_Phdr segments[PHDRS_MAX];
	Elf64_Ehdr header;
	int rc;

	memset(image, 0, sizeof(*image));
	if (bytes < sizeof(header))
		return err_set(err, ENOEXEC, "truncated: too short for an ELF file");
	memcpy(&header, file, sizeof(header));
	rc = header_check(&header, bytes, err);
	if (rc)
		return rc;
	memcpy(segments, file + header.e_phoff, header.e_phnum * sizeof(segments[0]));
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		if (segments[i].p_type != PT_LOAD || segments[i].p_memsz == 0)
			continue;
		rc = segment_check(&segments[i], bytes, lowest, mem, err);
		if (rc)
			return rc;
	}
	image->entry = header.e_entry;
	image->start = UINT64_MAX;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		const Elf64_Phdr *segment = &segments[i];

		if (segment->p_type == PT_LOAD && segment->p_memsz)
			segment_copy(image, segment, file, mem);
		else if (segment->p_type == PT_NOTE && !image->pvh_entry &&
			 range_inside(segment->p_offset, segment->p_filesz, bytes))
			image->pvh_entry =
				notes_pvh_entry(file + segment->p_offset, segment->p_filesz);
	}
	if (image->end == 0)
		return err_set(err, ENOEXEC, "the ELF file has nothing to load");
	return 0;
}
