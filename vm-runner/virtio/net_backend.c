/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the driver and the switch.
 *
 * Theory of operation
 *
 * The driver comes and goes on vCPU threads, the switch on the main thread. vCPUs only note what happened
 * (activated, dev.resetting) and wake net_backend_sync(), which compares that with what the front-end has
 * been told (given) and tells it the rest.
 *
 *   driver up, rings not given  -> run the front-end; the carrier follows when a switch has taken the rings
 *   reset, rings given          -> halt the front-end; finish the reset when the switch has let go, or was cut off
 *   reset, first one            -> finish when a switch has shown its features, or the wait is over
 *
 * Invariant: the rings' memory belongs to the driver again (status reads 0) only when given is false.
 *
 * Threads: main. dev.lock is taken for each look at the device and never held across a call of the
 * front-end, which calls back.
 */
#include <endian.h>
#include <event2/event.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/net_dev.h"

#define ANNOUNCE_DELAY_MS 250 /* Linux announces only through a link it has seen come up */

bool net_reset_may_finish(struct net *net)
{
	return !net->given && (net->waited || net->backend_known);
}

static const char *switch_is_unfit(const struct net *net)
{
	/* Before FEATURES_OK the driver may still accept all that was offered to it. */
	uint64_t promised =
		net->dev.status & VIRTIO_STATUS_FEATURES_OK ? net->dev.acked : net->offered;

	if (!(net->dev.status & VIRTIO_STATUS_DRIVER) || net->dev.resetting)
		return NULL;
	if (net_features_missing(promised, net->backend_features))
		return "it lacks features that the guest's driver has accepted; start the switch "
		       "before the VM, or give the card offloads=off";
	return NULL;
}

/* What the front-end is to do for the driver as things stand. dev.lock held */
static void run_prepare(struct net *net, struct vhost_run *run, uint64_t *enabled)
{
	net->run.features =
		net_features_run(net->dev.acked, net->backend_features, net->guest_offloads);
	*run = net->run;
	*enabled = net_enabled_rings(net);
}

static const char *backend_connected(void *owner, uint64_t features, uint64_t n_pairs)
{
	struct net *net = owner;
	struct vhost_run run;
	uint64_t enabled;
	const char *why;
	bool given;

	if (!(features & VIRTIO_BIT(VIRTIO_VERSION_1)))
		return "it does not speak virtio 1";
	if (n_pairs < net->n_pairs)
		return "it has fewer queue pairs than the card";
	pthread_mutex_lock(&net->dev.lock);
	net->backend_known = true;
	net->backend_features = features;
	why = switch_is_unfit(net);
	if (!why && !net->activated)
		net->backend_up = true;
	net_carrier_sync(net);
	run_prepare(net, &run, &enabled);
	given = net->given;
	pthread_mutex_unlock(&net->dev.lock);
	/* Its features may differ from those of the one before. */
	if (!why && given)
		vhost_frontend_run(net->frontend, &run, enabled);
	net_wake(net);
	return why;
}

void net_announce_soon(struct net *net)
{
	static const struct timeval delay = {.tv_usec = ANNOUNCE_DELAY_MS * 1000};

	evtimer_add(net->announce, &delay);
}

static void backend_running(void *owner)
{
	struct net *net = owner;

	pthread_mutex_lock(&net->dev.lock);
	net->backend_up = true;
	net_carrier_sync(net);
	pthread_mutex_unlock(&net->dev.lock);
	/* A switch that was restarted has forgotten where our addresses are. */
	if (net->was_connected)
		net_announce_soon(net);
	net->was_connected = true;
}

static void backend_halted(void *owner)
{
	struct net *net = owner;

	pthread_mutex_lock(&net->dev.lock);
	net->given = false;
	pthread_mutex_unlock(&net->dev.lock);
	net_wake(net);
}

static void backend_lost(void *owner)
{
	struct net *net = owner;

	pthread_mutex_lock(&net->dev.lock);
	net->backend_up = false;
	net_carrier_sync(net);
	pthread_mutex_unlock(&net->dev.lock);
}

const struct vhost_frontend_ops net_backend_ops = {
	.connected = backend_connected,
	.running = backend_running,
	.halted = backend_halted,
	.lost = backend_lost,
};

/* Pass on what the control queue changed, or give a new driver's rings away. */
static void driver_serve(struct net *net)
{
	struct vhost_run run;
	uint64_t enabled;
	const char *unfit;
	bool run_now, enable_now;

	pthread_mutex_lock(&net->dev.lock);
	/* A vCPU may have reset the device since the caller looked. */
	if (!net->activated || net->dev.resetting) {
		pthread_mutex_unlock(&net->dev.lock);
		return;
	}
	unfit = net->backend_up ? switch_is_unfit(net) : NULL;
	run_now = !net->given || net->run_changed;
	enable_now = net->enabled_changed;
	run_prepare(net, &run, &enabled);
	net->given = true;
	net->run_changed = net->enabled_changed = false;
	pthread_mutex_unlock(&net->dev.lock);
	if (unfit)
		vhost_frontend_drop(net->frontend, unfit);
	if (run_now)
		vhost_frontend_run(net->frontend, &run, enabled);
	else if (enable_now)
		vhost_frontend_enable(net->frontend, enabled);
}

void net_backend_sync(struct net *net)
{
	bool resetting, given, activated;

	pthread_mutex_lock(&net->dev.lock);
	resetting = net->dev.resetting;
	activated = net->activated;
	given = net->given;
	pthread_mutex_unlock(&net->dev.lock);
	if (activated && !resetting)
		driver_serve(net);
	if (activated && !resetting)
		return;
	/* Called back at once or later; or nobody had them. */
	if (given && vhost_frontend_halt(net->frontend))
		backend_halted(net);
	pthread_mutex_lock(&net->dev.lock);
	if (net->dev.resetting && net_reset_may_finish(net)) {
		net_reset_finish(net);
		net->dev.transport->reset_done(&net->dev);
	}
	pthread_mutex_unlock(&net->dev.lock);
}
