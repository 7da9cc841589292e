/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_telemetry.h>

#include "control.h"
#include "counters.h"
#include "datapath.h"

#define WAIT_S 5 /* for the control thread, which a large change may keep busy */

struct question {
	const char *params; /* behind the comma, or NULL */
	struct rte_tel_data *data;
	int (*answer)(const struct control *control, const char *params, struct rte_tel_data *data);
	int rc;
	bool done;
};

struct telemetry {
	struct control *control;
	struct event *wake;
	int wake_fd;
};

/* DPDK's callbacks have no argument and are never unregistered: this outlives a struct telemetry. */
static struct {
	pthread_mutex_t one;  /* a single question at a time; held by who asks */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t answered;
	struct telemetry *telemetry; /* NULL: nobody answers */
	struct question *question;   /* waits; NULL: none */
} shared = {.one = PTHREAD_MUTEX_INITIALIZER,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	    .answered = PTHREAD_COND_INITIALIZER};

/* ---- answers, on the control thread ------------------------------------------------------------------------------- */

static int answer_ports(const struct control *control, const char *params,
			struct rte_tel_data *data)
{
	const struct model *model = apply_model(control->apply);

	(void)params;
	rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
	for (size_t i = 0; i < model->n_ports; i++) {
		if (rte_tel_data_add_array_string(data, model->ports[i]->spec.name) != 0)
			break; /* it holds 512 */
	}
	return 0;
}

/* DPDK allows letters, digits, _ and / in keys. */
static void drops_add(const struct live_port *live, struct rte_tel_data *data)
{
	struct rte_tel_data *drops = rte_tel_data_alloc();
	uint64_t sums[DROP_N];

	if (drops == NULL)
		return;
	counters_drops(live, sums);
	rte_tel_data_start_dict(drops);
	for (int reason = 1; reason < DROP_N; reason++) {
		char key[RTE_TEL_MAX_STRING_LEN];

		snprintf(key, sizeof(key), "%s", drop_name(reason));
		for (char *c = key; *c != '\0'; c++)
			*c = *c == '-' ? '_' : *c;
		if (sums[reason] != 0)
			rte_tel_data_add_dict_u64(drops, key, sums[reason]);
	}
	if (rte_tel_data_add_dict_container(data, "drops", drops, 0) != 0)
		rte_tel_data_free(drops);
}

static int answer_port(const struct control *control, const char *params, struct rte_tel_data *data)
{
	const struct model_port *port =
		params != NULL ? model_port_find(apply_model(control->apply), params) : NULL;
	struct counters_queue rx, tx;
	const struct live_port *live;
	struct port_status status;

	if (port == NULL)
		return -ENOENT;
	live = apply_live(control->apply, port);
	counters_status(live, &status);
	counters_port(live, &rx, &tx);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "port", port->spec.name);
	rte_tel_data_add_dict_string(data, "lab", port->owner);
	rte_tel_data_add_dict_string(data, "type", port->spec.type);
	rte_tel_data_add_dict_string(data, "link",
				     counters_link_is_up(port, live, &status) ? "up" : "down");
	rte_tel_data_add_dict_u64(data, "rx_packets", rx.pkts);
	rte_tel_data_add_dict_u64(data, "rx_bytes", rx.bytes);
	rte_tel_data_add_dict_u64(data, "tx_packets", tx.pkts);
	rte_tel_data_add_dict_u64(data, "tx_bytes", tx.bytes);
	drops_add(live, data);
	return 0;
}

static int answer_worker(const struct control *control, const char *params,
			 struct rte_tel_data *data)
{
	struct datapath_worker_stats stats;
	char *end;
	unsigned long number = params != NULL ? strtoul(params, &end, 10) : 0;

	(void)control;
	if (params != NULL && (end == params || *end != '\0'))
		return -EINVAL;
	if (number >= datapath_n_workers())
		return -ENOENT;
	datapath_worker_stats((uint16_t)number, &stats);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_u64(data, "worker", number);
	rte_tel_data_add_dict_u64(data, "cpu_ns", stats.cpu_ns);
	rte_tel_data_add_dict_u64(data, "polls", stats.polls);
	rte_tel_data_add_dict_u64(data, "idle_polls", stats.idle_polls);
	rte_tel_data_add_dict_u64(data, "bursts", stats.bursts);
	rte_tel_data_add_dict_u64(data, "frames", stats.frames);
	rte_tel_data_add_dict_u64(data, "sleeps", stats.sleeps);
	return 0;
}

static int answer_fdb(const struct control *control, const char *params, struct rte_tel_data *data)
{
	const struct fdb *fdb = datapath_fdb();
	struct fdb_counters counters = fdb_counters(fdb);

	(void)control;
	(void)params;
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_u64(data, "entries", fdb_count(fdb));
	rte_tel_data_add_dict_u64(data, "capacity", fdb_capacity(fdb));
	rte_tel_data_add_dict_u64(data, "learned", counters.learned);
	rte_tel_data_add_dict_u64(data, "moved", counters.moved);
	rte_tel_data_add_dict_u64(data, "aged", counters.aged);
	return 0;
}

static void asked(evutil_socket_t fd, short what, void *arg)
{
	const struct telemetry *telemetry = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&shared.lock);
	if (shared.question != NULL) {
		struct question *question = shared.question;

		question->rc =
			question->answer(telemetry->control, question->params, question->data);
		question->done = true;
		shared.question = NULL;
		pthread_cond_signal(&shared.answered);
	}
	pthread_mutex_unlock(&shared.lock);
}

/* ---- questions, on a thread of DPDK's ----------------------------------------------------------------------------- */

static int ask(struct question *question)
{
	const uint64_t one = 1;
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&shared.one);
	pthread_mutex_lock(&shared.lock);
	if (shared.telemetry != NULL) {
		shared.question = question;
		if (write(shared.telemetry->wake_fd, &one, sizeof(one)) < 0)
			rc = errno;
		while (!question->done && rc == 0 && shared.telemetry != NULL)
			rc = pthread_cond_timedwait(&shared.answered, &shared.lock, &until);
		shared.question = NULL;
	}
	rc = question->done ? question->rc : -EBUSY;
	pthread_mutex_unlock(&shared.lock);
	pthread_mutex_unlock(&shared.one);
	return rc;
}

#define COMMAND(name)                                                                              \
	static int command_##name(const char *command, const char *params,                         \
				  struct rte_tel_data *data)                                       \
	{                                                                                          \
		struct question question = {                                                       \
			.params = params, .data = data, .answer = answer_##name};                  \
                                                                                                   \
		(void)command;                                                                     \
		return ask(&question);                                                             \
	}

COMMAND(ports)
COMMAND(port)
COMMAND(worker)
COMMAND(fdb)

int telemetry_new(struct control *control, struct telemetry **out, struct err *err)
{
	struct telemetry *telemetry = calloc(1, sizeof(*telemetry));

	if (telemetry == NULL)
		return err_set(err, ENOMEM, "out of memory");
	telemetry->control = control;
	telemetry->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (telemetry->wake_fd >= 0)
		telemetry->wake = event_new(control->base, telemetry->wake_fd, EV_READ | EV_PERSIST,
					    asked, telemetry);
	if (telemetry->wake == NULL || event_add(telemetry->wake, NULL) != 0 ||
	    rte_telemetry_register_cmd("/netloom/ports", command_ports,
				       "Names of the ports. No parameters.") != 0 ||
	    rte_telemetry_register_cmd("/netloom/port", command_port,
				       "Counters of a port. Parameter: its name.") != 0 ||
	    rte_telemetry_register_cmd(
		    "/netloom/worker", command_worker,
		    "Counters of a datapath thread. Parameter: its number (0).") != 0 ||
	    rte_telemetry_register_cmd("/netloom/fdb", command_fdb,
				       "The forwarding database. No parameters.") != 0) {
		telemetry_free(telemetry);
		return err_set(err, EIO, "cannot register commands with DPDK's telemetry");
	}
	pthread_mutex_lock(&shared.lock);
	shared.telemetry = telemetry;
	pthread_mutex_unlock(&shared.lock);
	*out = telemetry;
	return 0;
}

void telemetry_free(struct telemetry *telemetry)
{
	if (telemetry == NULL)
		return;
	pthread_mutex_lock(&shared.lock);
	shared.telemetry = NULL;
	pthread_cond_broadcast(&shared.answered);
	pthread_mutex_unlock(&shared.lock);
	if (telemetry->wake != NULL)
		event_free(telemetry->wake);
	if (telemetry->wake_fd >= 0)
		close(telemetry->wake_fd);
	free(telemetry);
}
