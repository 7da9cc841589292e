/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Microguests. They run wherever KVM runs user-mode code, also where it cannot run a kernel, because they never
 * leave ring 3: the VMM sets up what a kernel would (page tables, GDT, TSS, IDT) and enters the program directly.
 *
 * Port access from ring 3 needs IOPL 3 and, on some KVMs, a TSS whose I/O bitmap allows it. A fault goes through the IDT
 * into a stub at ring 0 that writes the vector to a port; the VMM then reads the registers and ends the VM with a sentence.
 */
#include "x86/microguest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"
#include "pci/bus.h"
#include "vcpu.h"
#include "x86/elf.h"
#include "x86/microguest_abi.h"

/* Guest physical, below MICROGUEST_LOAD_MIN. */
#define AT_GDT	     0x1000
#define AT_IDT	     0x2000
#define AT_STUBS     0x3000 /* 256 of STUB_BYTES */
#define AT_TSS	     0x6000 /* 104 bytes and the bitmap */
#define AT_PARAMS    0x9000
#define AT_TABLES    0x10000 /* PML4, PDPT, four PDs, one PT */
#define AT_TRAP_TOP  0x20000 /* ring 0 stack, one page */
#define AT_STACK_TOP 0x1f0000

/* Guest physical, between ECAM and the interrupt controllers; and KVM's number for it, behind those of RAM. */
#define SHARED_BASE UINT64_C(0xe8000000)
#define SHARED_MAX  (16U << 20)
#define SHARED_SLOT MEM_REGIONS_MAX

#define TABLE_PML4 AT_TABLES
#define TABLE_PDPT (AT_TABLES + 0x1000)
#define TABLE_PD   (AT_TABLES + 0x2000)
#define TABLE_PT   (AT_TABLES + 0x6000)

#define PAGE_TABLE  0x27 /* present, writable, user, accessed */
#define PAGE_SMALL  0x67 /* and dirty */
#define PAGE_HUGE   0xe7
#define IOMAP_AT    104
#define IOMAP_BYTES 8192
#define TSS_BYTES   (IOMAP_AT + IOMAP_BYTES + 1)
#define STUB_BYTES  16

#define SELECTOR_CODE0 0x08
#define SELECTOR_DATA0 0x10
#define SELECTOR_TSS   0x18
#define SELECTOR_CODE3 0x33
#define SELECTOR_DATA3 0x3b

static void store64(uint8_t *ram, uint64_t gpa, uint64_t value)
{
	memcpy(ram + gpa, &value, sizeof(value));
}

static void tables_write(uint8_t *ram)
{
	store64(ram, TABLE_PML4, TABLE_PDPT | PAGE_TABLE);
	for (uint64_t gib = 0; gib < 4; gib++) {
		uint64_t pd = TABLE_PD + gib * 0x1000;

		store64(ram, TABLE_PDPT + gib * 8, pd | PAGE_TABLE);
		for (uint64_t i = 0; i < 512; i++)
			store64(ram, pd + i * 8, gib << 30 | i << 21 | PAGE_HUGE);
	}
	store64(ram, TABLE_PD, TABLE_PT | PAGE_TABLE);
	for (uint64_t i = 1; i < 512; i++) /* page 0 is absent: NULL traps */
		store64(ram, TABLE_PT + i * 8, i << 12 | PAGE_SMALL);
}

static void descriptors_write(uint8_t *ram)
{
	store64(ram, AT_GDT + SELECTOR_CODE0, UINT64_C(0x00af9b000000ffff));
	store64(ram, AT_GDT + SELECTOR_DATA0, UINT64_C(0x00cf93000000ffff));
	store64(ram, AT_GDT + SELECTOR_TSS,
		UINT64_C(0x00008b0000000000) | (TSS_BYTES - 1) | (uint64_t)AT_TSS << 16);
	store64(ram, AT_GDT + (SELECTOR_CODE3 & ~7), UINT64_C(0x00affb000000ffff));
	store64(ram, AT_GDT + (SELECTOR_DATA3 & ~7), UINT64_C(0x00cff3000000ffff));
	store64(ram, AT_TSS + 4, AT_TRAP_TOP); /* RSP0 */
	ram[AT_TSS + 102] = IOMAP_AT;
	ram[AT_TSS + TSS_BYTES - 1] = 0xff;
	for (uint64_t vector = 0; vector < 256; vector++) {
		uint64_t stub = AT_STUBS + vector * STUB_BYTES;
		const uint8_t code[] = {
			0x66,
			0xba,
			MICROGUEST_PORT_TRAP & 0xff,
			MICROGUEST_PORT_TRAP >> 8,
			0xb0,
			(uint8_t)vector, /* mov dx, port; mov al, vector */
			0xee,
			0xf4,
			0xeb,
			0xfd, /* out dx, al; hlt; again */
		};

		memcpy(ram + stub, code, sizeof(code));
		store64(ram, AT_IDT + vector * 16,
			(stub & 0xffff) | SELECTOR_CODE0 << 16 | UINT64_C(0x8e) << 40 |
				(stub >> 16 & 0xffff) << 48);
	}
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool code)
{
	return (struct kvm_segment){.limit = UINT32_MAX,
				    .selector = selector,
				    .type = type,
				    .present = 1,
				    .dpl = 3,
				    .db = !code,
				    .s = 1,
				    .l = code,
				    .g = 1};
}

static int registers_set(struct vcpu *vcpu, uint64_t entry, struct err *err)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = 7}}};
	struct kvm_regs regs = {
		.rip = entry, .rsp = AT_STACK_TOP - 8, .rdi = AT_PARAMS, .rflags = 0x3002};
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return err_set(err, errno, "KVM does not give the CPU's registers: %s",
			       strerror(errno));
	sregs.cs = segment(SELECTOR_CODE3, 11, true);
	sregs.ss = segment(SELECTOR_DATA3, 3, false);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss;
	sregs.tr = (struct kvm_segment){.base = AT_TSS,
					.limit = TSS_BYTES - 1,
					.selector = SELECTOR_TSS,
					.type = 11,
					.present = 1};
	sregs.ldt = (struct kvm_segment){.unusable = 1};
	sregs.gdt.base = AT_GDT;
	sregs.gdt.limit = 0x3f;
	sregs.idt.base = AT_IDT;
	sregs.idt.limit = 0xfff;
	sregs.cr0 = 0x80050033;
	sregs.cr3 = TABLE_PML4;
	sregs.cr4 = 0x40620; /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE; without them SSE traps */
	sregs.efer = 0xd01;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return err_set(err, errno, "KVM refused a CPU in 64-bit user mode: %s",
			       strerror(errno));
	/* AVX where there is AVX, else SSE; one of the two every CPU takes. */
	if (ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs) < 0) {
		xcrs.xcrs[0].value = 3;
		if (ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs) < 0)
			return err_set(err, errno, "KVM refused the CPU's vector state: %s",
				       strerror(errno));
	}
	return 0;
}

static int file_load(struct vm *vm, const char *path, uint64_t *entry, struct err *err)
{
	struct err inner = {0};
	struct elf_image image;
	struct stat st;
	void *file;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "microguest %s: %s", path, strerror(errno));
	file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0
		       ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
		       : MAP_FAILED;
	close(fd);
	if (file == MAP_FAILED)
		return err_set(err, ENOEXEC, "microguest %s: not a file that can be read", path);
	rc = elf_load(&image, file, (size_t)st.st_size, MICROGUEST_LOAD_MIN, &vm->mem, &inner);
	munmap(file, (size_t)st.st_size);
	*entry = image.entry;
	return rc ? err_set(err, -rc, "microguest %s: %s", path, inner.text) : 0;
}

/* Mapped until the process ends. If somebody cuts the file, KVM ends the guest's next access with an error. */
static int shared_map(struct vm *vm, const char *path, uint64_t *bytes, struct err *err)
{
	struct kvm_userspace_memory_region slot = {.slot = SHARED_SLOT,
						   .guest_phys_addr = SHARED_BASE};
	struct stat st;
	void *host;
	int fd;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "--shared %s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > SHARED_MAX || st.st_size % 4096) {
		close(fd);
		return err_set(err, EINVAL,
			       "--shared %s: wants a file of whole 4 KiB pages, at most 16 MiB",
			       path);
	}
	host = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (host == MAP_FAILED)
		return err_set(err, errno, "--shared %s: %s", path, strerror(errno));
	slot.memory_size = (uint64_t)st.st_size;
	slot.userspace_addr = (uintptr_t)host;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return err_set(err, errno, "--shared %s: KVM refused it: %s", path,
			       strerror(errno));
	*bytes = (uint64_t)st.st_size;
	return 0;
}

/* Time stamps of one guest mean something to the next if both read the host's counter. Older KVMs lack this. */
static void tsc_of_host(struct vcpu *vcpu)
{
	uint64_t offset = 0;
	struct kvm_device_attr attr = {.group = KVM_VCPU_TSC_CTRL,
				       .attr = KVM_VCPU_TSC_OFFSET,
				       .addr = (uintptr_t)&offset};

	(void)ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &attr);
}

static void params_write(struct vm *vm, const char *args, uint64_t shared_bytes, uint64_t tsc_khz)
{
	struct microguest_params params = {
		.magic = MICROGUEST_MAGIC,
		.version = MICROGUEST_VERSION,
		.bytes = sizeof(params),
		.memory_bytes = vm->mem.regions[0].bytes,
		.ecam_base = PCI_ECAM_BASE,
		.bar_base = PCI_MMIO32_BASE,
		.bar_end = PCI_MMIO32_END,
		.tsc_khz = tsc_khz,
		.shared_base = shared_bytes ? SHARED_BASE : 0,
		.shared_bytes = shared_bytes,
	};

	snprintf(params.args, sizeof(params.args), "%s", args);
	memcpy(vm->mem.regions[0].host + AT_PARAMS, &params, sizeof(params));
}

int microguest_new(struct vm *vm, const char *path, const char *args, const char *shared,
		   struct err *err)
{
	struct cpuid_cpu cpu = {.apic_id = 0, .n_cpus = 1};
	uint64_t entry, shared_bytes = 0;
	int rc, tsc_khz;

	if (strlen(args) >= MICROGUEST_ARGS_MAX)
		return err_set(err, E2BIG, "--append: longer than %d bytes",
			       MICROGUEST_ARGS_MAX - 1);
	if (vm->mem.regions[0].bytes <= MICROGUEST_LOAD_MIN)
		return err_set(err, ENOMEM, "a microguest needs more than 2M of memory");
	rc = file_load(vm, path, &entry, err);
	if (rc == 0 && shared)
		rc = shared_map(vm, shared, &shared_bytes, err);
	if (rc)
		return rc;
	vm->vcpus = calloc(1, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return err_set(err, ENOMEM, "no memory for the CPU");
	vm->n_vcpus = 1;
	rc = vcpu_open(&vm->vcpus[0], vm, 0, err);
	if (rc)
		return rc;
	cpuid_fit(vm->cpuid, &cpu);
	if (ioctl(vm->vcpus[0].fd, KVM_SET_CPUID2, vm->cpuid) < 0)
		return err_set(err, errno, "KVM refused the CPU's features: %s", strerror(errno));
	tsc_khz = ioctl(vm->vcpus[0].fd, KVM_GET_TSC_KHZ, 0);
	tables_write(vm->mem.regions[0].host);
	descriptors_write(vm->mem.regions[0].host);
	tsc_of_host(&vm->vcpus[0]);
	params_write(vm, args, shared_bytes, tsc_khz > 0 ? (uint64_t)tsc_khz : 0);
	return registers_set(&vm->vcpus[0], entry, err);
}

/* What the CPU pushed before it entered the stub; some vectors push an error code first (Intel SDM vol. 3 §6.15). */
static void trapped(struct vm *vm, uint8_t vector)
{
	static const uint32_t with_error = 1U << 8 | 1U << 10 | 1U << 11 | 1U << 12 | 1U << 13 |
					   1U << 14 | 1U << 17 | 1U << 21;
	bool has_error = vector < 32 && with_error >> vector & 1;
	uint64_t frame[2] = {0, 0}, cr2 = 0;
	struct kvm_regs regs = {0};
	struct kvm_sregs sregs;
	const void *stack;
	char reason[200];

	(void)ioctl(vm->vcpus[0].fd, KVM_GET_REGS, &regs);
	stack = mem_at(&vm->mem, regs.rsp, sizeof(frame));
	if (stack)
		memcpy(frame, stack, sizeof(frame));
	if (ioctl(vm->vcpus[0].fd, KVM_GET_SREGS, &sregs) == 0)
		cr2 = sregs.cr2;
	snprintf(reason, sizeof(reason),
		 "the microguest trapped: vector %u, error code 0x%llx, rip 0x%llx, cr2 0x%llx",
		 vector, has_error ? (unsigned long long)frame[0] : 0,
		 (unsigned long long)frame[has_error], (unsigned long long)cr2);
	vm_end(vm, VM_EXIT_GUEST_CRASH, reason);
}

void microguest_port_write(struct vm *vm, uint16_t port, uint8_t value)
{
	char reason[64];

	if (port == MICROGUEST_PORT_TRAP) {
		trapped(vm, value);
	} else if (port == MICROGUEST_PORT_WAIT) {
		const struct timespec wait = {.tv_nsec = value * 100000L};

		nanosleep(&wait, NULL); /* or until vm_end() kicks us */
	} else if (value == 0) {
		vm_end(vm, VM_EXIT_POWEROFF, "the microguest has ended");
	} else {
		snprintf(reason, sizeof(reason), "the microguest reports failure %u", value);
		vm_end(vm, VM_EXIT_GUEST_CRASH, reason);
	}
}
