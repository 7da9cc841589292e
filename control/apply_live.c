/* SPDX-License-Identifier: BSD-3-Clause */
#include "apply_live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_impair.h"
#include "base/clock.h"
#include "base/log.h"
#include "port_open.h"

void apply_live_close(struct live_port *live)
{
	apply_impair_close(live, NULL);
	if (live->port != NULL)
		live->port->ops->close(live->port);
	free(live->patch_drops);
	free(live->patch_stats);
	memset(live, 0, sizeof(*live));
}

void apply_live_suspend(struct live_port *live)
{
	const struct live_port before = *live;

	apply_live_close(live);
	live->is_flapped = before.is_flapped;
	live->pinned = before.pinned;
	memcpy(live->doers, before.doers, sizeof(live->doers));
}

static int patch_open(struct live_port *live, const struct model_port *port, struct err *err)
{
	const size_t drops = PORT_WORKERS_MAX * sizeof(struct port_drops);
	const size_t stats = 2 * PORT_WORKERS_MAX * sizeof(struct port_queue_stats);

	live->patch_drops = aligned_alloc(64, drops);
	live->patch_stats = aligned_alloc(64, stats);
	if (live->patch_drops == NULL || live->patch_stats == NULL)
		return err_set(err, ENOMEM, "port \"%s\": out of memory", port->spec.name);
	memset(live->patch_drops, 0, drops);
	memset(live->patch_stats, 0, stats);
	return 0;
}

/* What a port type says need not name the port; what the user reads must. */
static void why_complete(struct err *why, const struct model_port *port, int rc)
{
	struct err cause = *why;

	if (strncmp(cause.text, "port \"", strlen("port \"")) == 0)
		return;
	why->text[0] = '\0';
	err_set(why, -rc, "port \"%s\": %.400s", port->spec.name,
		cause.text[0] != '\0' ? cause.text : strerror(-rc));
}

static void error_set(struct live_port *live, const struct model_port *port, struct err *why,
		      int rc)
{
	why_complete(why, port, rc);
	snprintf(live->error, sizeof(live->error), "%.255s", why->text);
}

int apply_live_open(struct live_port *live, const struct model_port *port, struct err *why)
{
	int rc = model_port_is_patch(port) ? patch_open(live, port, why)
					   : port_open(port, &live->port, why);

	if (rc == 0)
		rc = apply_impair_open(live, port, why);
	if (rc == 0) {
		live->error[0] = '\0';
		return 0;
	}
	apply_live_suspend(live);
	error_set(live, port, why, rc);
	return rc;
}

bool apply_live_open_again(struct live_port *live, const struct model_port *port)
{
	struct err why = {.text = ""};
	uint64_t pause_ns;

	if (port_may_open(port, &pause_ns, &why) != 0) {
		live->try_ns = 0;
		error_set(live, port, &why, -EIO);
		return false;
	}
	if (clock_now_ns() < live->try_ns)
		return false;
	if (apply_live_open(live, port, &why) != 0) {
		live->try_ns = clock_now_ns() + pause_ns;
		return false;
	}
	log_info("port \"%s\": is there at last", port->spec.name);
	return true;
}
