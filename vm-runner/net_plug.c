/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hotplug of network cards.
 *
 * Theory of operation
 *
 * A new card takes a PCI slot of its own and the guest is told of the slot. One that shall go is asked for by slot;
 * the guest takes its driver off, which gives the rings back as any reset does, and ejects it: then, and not before,
 * the card leaves the bus. What the guest ejects without having been asked stays where it is.
 *
 * An interrupt that comes before the guest's ACPI listens is lost, so it is raised again every second as long as
 * something has not been read. The same tick gives up on cards that the guest does not let go of.
 */
#include "net_plug.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "machine.h"
#include "pci/pci.h"
#include "virtio/virtio.h"

static void tick_start(struct net_plug *plug)
{
	static const struct timeval second = {.tv_sec = 1};

	if (!evtimer_pending(plug->tick, NULL))
		evtimer_add(plug->tick, &second);
}

static void guest_tell(struct net_plug *plug)
{
	vm_hotplug_ring(plug->vm);
	tick_start(plug);
}

static void net_forget(struct devices *devices, unsigned int at)
{
	struct virtio_dev *dev = devices->nets[at];

	devices->plug.leave_by_ns[virtio_pci_slot(dev)] = 0;
	devices->n_nets--;
	memmove(devices->nets + at, devices->nets + at + 1,
		(devices->n_nets - at) * sizeof(devices->nets[0]));
	log_info("%s: the guest has let go of it", dev->id);
	virtio_pci_unplug(dev);
}

static void ejected(evutil_socket_t fd, short what, void *data)
{
	struct devices *devices = data;
	uint64_t n;
	uint32_t slots;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	slots = hotplug_ejected_take(&devices->plug.vm->hotplug);
	for (unsigned int i = devices->n_nets; i > 0; i--)
		if (slots >> virtio_pci_slot(devices->nets[i - 1]) & 1)
			net_forget(devices, i - 1);
}

static void ticked(evutil_socket_t fd, short what, void *data)
{
	struct devices *devices = data;
	struct net_plug *plug = &devices->plug;
	bool waiting = hotplug_unread(&plug->vm->hotplug) != 0;
	uint64_t now = clock_now_ns();

	(void)fd;
	(void)what;
	if (waiting)
		vm_hotplug_ring(plug->vm);
	for (unsigned int i = 0; i < devices->n_nets; i++) {
		unsigned int slot = virtio_pci_slot(devices->nets[i]);

		if (plug->leave_by_ns[slot] && now > plug->leave_by_ns[slot]) {
			plug->leave_by_ns[slot] = 0;
			hotplug_keep(&plug->vm->hotplug, slot);
			log_warning("%s: the guest did not let go of it in %d s: it stays",
				    devices->nets[i]->id, NET_PLUG_LEAVE_S);
		}
		waiting |= plug->leave_by_ns[slot] != 0;
	}
	if (waiting)
		tick_start(plug);
}

int net_plug_open(struct devices *devices, struct vm *vm, struct err *err)
{
	struct net_plug *plug = &devices->plug;

	plug->vm = vm;
	plug->ejected = event_new(vm_events(vm), vm->hotplug.wake_fd, EV_READ | EV_PERSIST, ejected,
				  devices);
	plug->tick = evtimer_new(vm_events(vm), ticked, devices);
	if (!plug->ejected || !plug->tick || event_add(plug->ejected, NULL))
		return err_set(err, ENOMEM, "no memory for hotplug");
	return 0;
}

void net_plug_close(struct devices *devices)
{
	struct net_plug *plug = &devices->plug;

	if (plug->ejected)
		event_free(plug->ejected);
	if (plug->tick)
		event_free(plug->tick);
	plug->ejected = plug->tick = NULL;
}

/* Is it what the request says: a Unix stream socket that listens on @path? */
static int listener_check(int fd, const char *path, struct err *err)
{
	struct sockaddr_un addr = {0};
	socklen_t size = sizeof(addr), int_size = sizeof(int);
	int listens = 0, type = 0, flags;

	if (fd < 0)
		return err_set(err, EBADF,
			       "no socket came with the request: it has to carry one that listens "
			       "on %.108s, as a file descriptor",
			       path);
	if (getsockname(fd, (struct sockaddr *)&addr, &size) || addr.sun_family != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &int_size) || type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &int_size) || !listens)
		return err_set(err, EINVAL,
			       "the descriptor that came with the request is no Unix stream socket "
			       "that listens");
	if (strnlen(path, sizeof(addr.sun_path)) == sizeof(addr.sun_path) ||
	    strncmp(addr.sun_path, path, sizeof(addr.sun_path)) != 0)
		return err_set(err, EINVAL,
			       "the socket that came with the request listens elsewhere than on "
			       "%.108s",
			       path);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set(err, errno, "the socket cannot be used: %s", strerror(errno));
	return 0;
}

static int slot_free(struct vm *vm)
{
	for (unsigned int i = 0; i < DEVICES_N_SLOT_NETS; i++)
		if (pci_slot_devices(vm_pci(vm), DEVICES_SLOT_NETS + i) == 0)
			return (int)(DEVICES_SLOT_NETS + i);
	return -ENOSPC;
}

static int add_check(const struct devices *devices, const struct net_options *net, int fd,
		     struct err *err)
{
	if (!net->id || !*net->id)
		return err_set(err, EINVAL, "a card that comes later needs an id");
	if (devices_net_find(devices, net->id) < devices->n_nets)
		return err_set(err, EEXIST, "there is a network card \"%s\" already", net->id);
	if (devices->n_nets == OPTIONS_NETS_MAX || slot_free(devices->plug.vm) < 0)
		return err_set(err, ENOSPC, "all PCI slots for network cards are taken");
	return listener_check(fd, net->socket, err);
}

int net_plug_add(struct devices *devices, char *text, int *listen_fd, struct err *err)
{
	struct vm *vm = devices->plug.vm;
	struct net_options net = {0};
	struct virtio_dev *dev;
	int rc, slot;

	if (!vm)
		return err_set(err, ENOTSUP, "this machine has no ACPI: its cards are fixed");
	rc = options_net_parse(&net, text, err);
	if (rc == 0)
		rc = add_check(devices, &net, *listen_fd, err);
	if (rc)
		return rc;
	net.is_listening = true;
	net.listen_fd = *listen_fd;
	dev = net_new(vm, &net, err);
	if (!dev)
		return -EINVAL;
	*listen_fd = -1;
	slot = slot_free(vm);
	rc = virtio_pci_plug(vm, dev, slot, err);
	if (rc)
		return rc;
	devices->nets[devices->n_nets++] = dev;
	hotplug_arrive(&vm->hotplug, (unsigned int)slot);
	guest_tell(&devices->plug);
	log_info("%s: plugged in, PCI slot %d", dev->id, slot);
	return 0;
}

int net_plug_remove(struct devices *devices, struct virtio_dev *nic, struct err *err)
{
	struct vm *vm = devices->plug.vm;
	unsigned int slot = virtio_pci_slot(nic);

	if (!vm)
		return err_set(err, ENOTSUP, "this machine has no ACPI: its cards are fixed");
	if (slot < DEVICES_SLOT_NETS || pci_slot_devices(vm_pci(vm), slot) != 1)
		return err_set(
			err, EBUSY,
			"%s shares its PCI slot, or is in none of the %d for cards that come "
			"and go",
			nic->id, DEVICES_N_SLOT_NETS);
	if (devices->plug.leave_by_ns[slot])
		return 0;
	devices->plug.leave_by_ns[slot] = clock_now_ns() + NET_PLUG_LEAVE_S * CLOCK_NS_PER_SECOND;
	hotplug_leave(&vm->hotplug, slot);
	guest_tell(&devices->plug);
	return 0;
}

bool net_plug_is_leaving(const struct devices *devices, const struct virtio_dev *nic)
{
	unsigned int slot = virtio_pci_slot(nic);

	return slot >= DEVICES_SLOT_NETS && devices->plug.leave_by_ns[slot];
}
