/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtual machine: what it is made of, how it runs, how it ends.
 *
 * Threads: the main thread makes everything, then serves events (sockets, queues, signals); each vCPU has a
 * thread of its own (vcpu.c). Whoever finds that the VM is over calls vm_end(); the main thread then stops
 * the vCPUs, lets devices take leave of their peers, and returns the exit status.
 */
#include "machine.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "kvm.h"
#include "pci/bus.h"
#include "vcpu.h"
#include "x86/layout.h"

#define GIB (UINT64_C(1) << 30)

struct guest_mem *vm_mem(struct vm *vm)
{
	return &vm->mem;
}

struct event_base *vm_events(struct vm *vm)
{
	return vm->events;
}

struct pci_bus *vm_pci(struct vm *vm)
{
	return vm->pci;
}

const char *vm_name(const struct vm *vm)
{
	return vm->config.name;
}

uint64_t vm_mmio64_base(const struct vm *vm)
{
	const struct mem_region *last = &vm->mem.regions[vm->mem.n_regions - 1];
	uint64_t end = last->gpa + last->bytes;

	if (end < MEM_HIGH_START)
		end = MEM_HIGH_START;
	return (end + GIB - 1) & ~(GIB - 1);
}

int vm_ioeventfd(struct vm *vm, uint64_t gpa, int fd, bool add)
{
	struct kvm_ioeventfd ioeventfd = {
		.addr = gpa,
		.fd = fd,
		.flags = add ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	if (vm->kvm_fd < 0)
		return 0;
	/* Length 0 stands for any length, where KVM knows that; drivers write 16 bits there. */
	if (!kvm_has(vm->kvm_fd, KVM_CAP_IOEVENTFD_ANY_LENGTH))
		ioeventfd.len = 2;
	return ioctl(vm->fd, KVM_IOEVENTFD, &ioeventfd) < 0 ? -errno : 0;
}

void vm_end(struct vm *vm, enum vm_exit code, const char *reason)
{
	uint64_t one = 1;

	pthread_mutex_lock(&vm->end_lock);
	if (!atomic_load(&vm->ending)) {
		vm->end_code = code;
		snprintf(vm->end_reason, sizeof(vm->end_reason), "%s", reason);
		atomic_store(&vm->ending, true);
		if (write(vm->end_fd, &one, sizeof(one)) < 0)
			abort(); /* a fresh eventfd takes one count */
	}
	pthread_mutex_unlock(&vm->end_lock);
}

void vm_power_button_press(struct vm *vm)
{
	irq_line_set(&vm->irq, LAYOUT_IRQ_POWER, true);
	irq_line_set(&vm->irq, LAYOUT_IRQ_POWER, false);
}

void vm_hotplug_ring(struct vm *vm)
{
	irq_line_set(&vm->irq, LAYOUT_IRQ_HOTPLUG, true);
	irq_line_set(&vm->irq, LAYOUT_IRQ_HOTPLUG, false);
}

static void end_readable(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static int events_open(struct vm *vm, struct err *err)
{
	vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->end_fd < 0)
		return err_set(err, errno, "eventfd: %s", strerror(errno));
	vm->events = event_base_new();
	if (vm->events)
		vm->end_event = event_new(vm->events, vm->end_fd, EV_READ | EV_PERSIST,
					  end_readable, vm->events);
	if (!vm->end_event || event_add(vm->end_event, NULL) < 0)
		return err_set(err, ENOMEM, "no memory for the event loop");
	return 0;
}

static int memory_slots_set(struct vm *vm, struct err *err)
{
	for (unsigned int i = 0; i < vm->mem.n_regions; i++) {
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = vm->mem.regions[i].gpa,
			.memory_size = vm->mem.regions[i].bytes,
			.userspace_addr = (uintptr_t)vm->mem.regions[i].host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return err_set(err, errno, "KVM refused the guest's memory: %s",
				       strerror(errno));
	}
	return 0;
}

/* KVM's own pages on Intel, the interrupt controllers, and how much memory a CPU can address. */
static int chips_set(struct vm *vm, struct err *err)
{
	uint64_t identity = LAYOUT_KVM_IDENTITY;

	if (kvm_has(vm->kvm_fd, KVM_CAP_SET_IDENTITY_MAP_ADDR) &&
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return err_set(err, errno, "KVM_SET_IDENTITY_MAP_ADDR: %s", strerror(errno));
	if (kvm_has(vm->kvm_fd, KVM_CAP_SET_TSS_ADDR) &&
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, LAYOUT_KVM_TSS) < 0)
		return err_set(err, errno, "KVM_SET_TSS_ADDR: %s", strerror(errno));
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_set(err, errno, "KVM cannot make interrupt controllers: %s",
			       strerror(errno));
	return 0;
}

static int kvm_side_open(struct vm *vm, struct err *err)
{
	unsigned int bits;
	int rc;

	vm->kvm_fd = kvm_open(err);
	if (vm->kvm_fd < 0)
		return vm->kvm_fd;
	vm->fd = kvm_vm_new(vm->kvm_fd, err);
	if (vm->fd < 0)
		return vm->fd;
	vm->run_bytes = kvm_run_bytes(vm->kvm_fd);
	vm->cpuid = malloc(sizeof(*vm->cpuid));
	if (!vm->cpuid)
		return err_set(err, ENOMEM, "no memory for the CPU's features");
	rc = cpuid_supported(vm->kvm_fd, vm->cpuid, err);
	if (rc)
		return rc;
	bits = cpuid_address_bits(vm->cpuid);
	if (vm_mmio64_base(vm) + PCI_MMIO64_BYTES > UINT64_C(1) << bits)
		return err_set(
			err, ENOMEM,
			"guest memory of %llu MiB does not fit: CPUs here have %u address bits",
			(unsigned long long)vm->config.memory_bytes >> 20, bits);
	if (!vm->config.bare) {
		rc = chips_set(vm, err);
		if (rc)
			return rc;
	}
	return memory_slots_set(vm, err);
}

static struct vm *vm_alloc(const struct vm_config *config, struct err *err)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm) {
		err_set(err, ENOMEM, "no memory");
		return NULL;
	}
	vm->config = *config;
	vm->kvm_fd = -1;
	vm->fd = -1;
	vm->end_fd = -1;
	vm->hotplug.wake_fd = -1;
	vm->serial.log.fd = -1;
	vm->serial.timer_fd = -1;
	pthread_mutex_init(&vm->end_lock, NULL);
	sem_init(&vm->vcpus_ready, 0, 0);
	sem_init(&vm->vcpus_go, 0, 0);
	if (events_open(vm, err) ||
	    mem_open(&vm->mem, config->memory_bytes, config->hugepages, err)) {
		vm_free(vm);
		return NULL;
	}
	return vm;
}

static int board_open(struct vm *vm, struct err *err)
{
	int rc;

	irq_routes_init(&vm->irq, vm->config.bare ? -1 : vm->fd);
	rc = irq_routes_commit(&vm->irq);
	if (rc)
		return err_set(err, -rc, "KVM refused the interrupt routes: %s", strerror(-rc));
	vm->pci = pci_bus_new(vm, &vm->irq, vm_mmio64_base(vm));
	if (!vm->pci)
		return err_set(err, ENOMEM, "no memory for the PCI bus");
	rc = hotplug_open(&vm->hotplug);
	if (rc)
		return err_set(err, -rc, "the hotplug controller: %s", strerror(-rc));
	return serial_open(&vm->serial, vm->config.serial_log, &vm->irq, vm->events, err);
}

struct vm *vm_new(const struct vm_config *config, struct err *err)
{
	struct vm *vm = vm_alloc(config, err);

	if (!vm)
		return NULL;
	if (kvm_side_open(vm, err) || board_open(vm, err)) {
		vm_free(vm);
		return NULL;
	}
	return vm;
}

struct vm *vm_new_detached(uint64_t memory_bytes)
{
	struct vm_config config = {.name = "detached", .memory_bytes = memory_bytes, .n_cpus = 1};
	struct vm *vm = vm_alloc(&config, NULL);

	if (vm && board_open(vm, NULL)) {
		vm_free(vm);
		vm = NULL;
	}
	return vm;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	atomic_store(&vm->ending, true); /* threads that were started and never went */
	vcpus_go(vm);
	vcpus_stop(vm);
	vcpus_free(vm);
	pci_bus_free(vm->pci);
	hotplug_close(&vm->hotplug);
	serial_close(&vm->serial);
	if (vm->end_event)
		event_free(vm->end_event);
	if (vm->events)
		event_base_free(vm->events);
	if (vm->end_fd >= 0)
		close(vm->end_fd);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	mem_close(&vm->mem);
	free(vm->cpuid);
	pthread_mutex_destroy(&vm->end_lock);
	sem_destroy(&vm->vcpus_ready);
	sem_destroy(&vm->vcpus_go);
	free(vm);
}

int vm_start(struct vm *vm, struct err *err)
{
	return vcpus_start(vm, err);
}

enum vm_exit vm_run(struct vm *vm)
{
	pci_bus_run(vm->pci);
	vcpus_go(vm);
	event_base_dispatch(vm->events);
	vcpus_stop(vm);
	pci_bus_reset(vm->pci);
	if (vm->end_code == VM_EXIT_POWEROFF || vm->end_code == VM_EXIT_REBOOT)
		log_info("%s: %s", vm->config.name, vm->end_reason);
	else
		log_error("%s: %s", vm->config.name, vm->end_reason);
	return vm->end_code;
}
