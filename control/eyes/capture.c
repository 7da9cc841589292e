/* SPDX-License-Identifier: BSD-3-Clause */
/* See capture.h. */
#include "eyes/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "base/log.h"
#include "datapath.h"
#include "eyes/pcapng.h"
#include "model_vlan.h"

/* A port as an interface of the stream. Indices are given out anew, hence the generation. */
struct capture_interface {
	char name[MODEL_NAME_MAX];
	uint16_t port;
	uint64_t since;	      /* generation of the first snapshot in which it had that index */
	int32_t number;	      /* in the stream, -1 until its first frame */
	uint64_t n_read;      /* frames given to the reader */
	uint64_t lost_before; /* of that index, before it was this port's */
	uint64_t n_lost;
	char description[256];
};

struct capture {
	struct eyes_watcher watcher; /* first */
	struct filter *filter;
	uint32_t snaplen;
	uint32_t id;
	bool has_begun, has_stopped, is_over;
	uint32_t buffer_kb; /* of all its rings */
	int32_t n_numbers;
	size_t n_interfaces, room;
	struct capture_interface *interfaces;
	uint64_t start_ns, last_ns; /* since 1970 */
	uint64_t started;	    /* CLOCK_MONOTONIC */
	LIST_ENTRY(capture) next;
};

#define HOLD_MS 1

static LIST_HEAD(captures, capture) captures = LIST_HEAD_INITIALIZER(captures);
static unsigned int n_captures;
static uint32_t next_id, buffer_kb_used;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

void capture_spec_init(struct capture_spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	spec->select.points[PROBE_IN] = true;
	spec->select.points[PROBE_OUT] = true;
	spec->snaplen = CAPTURE_SNAPLEN_DEFAULT;
	spec->buffer_kb = CAPTURE_BUFFER_KB;
}

static uint64_t index_lost(const struct capture *capture, uint16_t port)
{
	const struct probe *probe = capture->watcher.probe;
	uint64_t sum = 0;

	for (uint16_t i = 0; i < probe->n_rings; i++)
		sum += stats_read(&probe->rings[i]->port_lost[port]);
	return sum;
}

/* The latest port that had this index by then. */
static struct capture_interface *interface_find(struct capture *capture, uint16_t port,
						uint64_t generation)
{
	for (size_t i = capture->n_interfaces; i-- > 0;) {
		struct capture_interface *interface = &capture->interfaces[i];

		if (interface->port == port && interface->since <= generation)
			return interface;
	}
	return NULL;
}

static void interface_describe(struct capture_interface *interface, const struct model_port *port)
{
	char vlan[80] = "";

	if (port->attachment == MODEL_ON_SWITCH)
		model_vlan_text(&port->vlan, vlan, sizeof(vlan));
	snprintf(interface->description, sizeof(interface->description),
		 "%s port%s%.63s%s%.70s; inbound is from its peer to netloomd", port->spec.type,
		 port->attachment == MODEL_ON_SWITCH ? " of switch "
		 : port->attachment == MODEL_ON_WIRE ? " wired to "
						     : "",
		 port->target, vlan[0] != '\0' ? ", " : "", vlan);
}

static void interface_add(struct capture *capture, const struct model_port *port, uint64_t since)
{
	struct capture_interface *interface = interface_find(capture, port->index, UINT64_MAX);

	if (interface != NULL && strcmp(interface->name, port->spec.name) == 0)
		return;
	if (interface != NULL)
		interface->n_lost = index_lost(capture, port->index) - interface->lost_before;
	if (capture->n_interfaces == capture->room) {
		size_t room = capture->room == 0 ? 8 : capture->room * 2;
		struct capture_interface *more =
			reallocarray(capture->interfaces, room, sizeof(*more));

		if (more == NULL)
			return; /* its frames are left out */
		capture->interfaces = more;
		capture->room = room;
	}
	interface = &capture->interfaces[capture->n_interfaces++];
	memset(interface, 0, sizeof(*interface));
	snprintf(interface->name, sizeof(interface->name), "%s", port->spec.name);
	interface->port = port->index;
	interface->since = since;
	interface->number = -1;
	interface->lost_before = index_lost(capture, port->index);
	interface_describe(interface, port);
}

static void capture_published(struct eyes_watcher *watcher, const struct model *model)
{
	struct capture *capture = (struct capture *)watcher;
	uint64_t generation = datapath_current()->generation;

	for (size_t i = 0; i < model->n_ports; i++) {
		if (eyes_matches(&watcher->select, model, model->ports[i]))
			interface_add(capture, model->ports[i], generation);
	}
}

int capture_open(struct eyes *eyes, const struct capture_spec *spec, struct capture **out,
		 struct err *err)
{
	struct capture *capture;
	int rc = eyes_check(eyes, &spec->select, err);

	if (rc != 0)
		return rc;
	if (n_captures >= CAPTURES_MAX)
		return err_set(err, EBUSY,
			       "%d captures run already, which is as many as there may be; end one "
			       "(`netloom capture --list` shows them)",
			       CAPTURES_MAX);
	if (buffer_kb_used + spec->buffer_kb * datapath_n_workers() > CAPTURE_BUFFER_KB_TOTAL)
		return err_set(
			err, ENOMEM,
			"captures have %u KiB already, and this one would have %u for each of %u "
			"workers; %d are possible in all: choose a smaller buffer",
			buffer_kb_used, spec->buffer_kb, datapath_n_workers(),
			CAPTURE_BUFFER_KB_TOTAL);
	capture = calloc(1, sizeof(*capture));
	if (capture == NULL)
		return err_set(err, ENOMEM, "out of memory");
	if (spec->filter[0] != '\0')
		rc = filter_compile(spec->filter, &capture->filter, err);
	if (rc == 0)
		capture->watcher.probe =
			probe_new(datapath_n_workers(), spec->buffer_kb * UINT32_C(1024));
	if (rc != 0 || capture->watcher.probe == NULL) {
		filter_free(capture->filter);
		free(capture);
		return err_set(err, rc != 0 ? -rc : ENOMEM, "no memory for a capture of %u KiB",
			       spec->buffer_kb);
	}
	capture->watcher.select = spec->select;
	capture->watcher.published = capture_published;
	capture->watcher.probe->filter = capture->filter;
	capture->watcher.probe->snaplen =
		spec->snaplen < FRAME_LEN_MAX ? spec->snaplen : FRAME_LEN_MAX;
	capture->snaplen = spec->snaplen;
	capture->start_ns = capture->last_ns = now_ns();
	capture->started = clock_now_ns();
	capture->id = ++next_id;
	capture->buffer_kb = spec->buffer_kb * datapath_n_workers();
	LIST_INSERT_HEAD(&captures, capture, next);
	n_captures++;
	buffer_kb_used += capture->buffer_kb;
	rc = eyes_add(eyes, &capture->watcher, err);
	if (rc == 0) {
		*out = capture;
		return 0;
	}
	LIST_REMOVE(capture, next);
	n_captures--;
	buffer_kb_used -= capture->buffer_kb;
	probe_free(capture->watcher.probe);
	filter_free(capture->filter);
	free(capture->interfaces);
	free(capture);
	return rc;
}

void capture_close(struct capture *capture)
{
	if (capture == NULL)
		return;
	LIST_REMOVE(capture, next);
	n_captures--;
	buffer_kb_used -= capture->buffer_kb;
	eyes_remove(&capture->watcher);
	if (capture->watcher.probe != NULL)
		return; /* no memory for a snapshot without it: the workers still use probe and filter */
	filter_free(capture->filter);
	free(capture->interfaces);
	free(capture);
}

static void begin(struct capture *capture, struct evbuffer *out)
{
	const struct eyes_select *select = &capture->watcher.select;
	char comment[FILTER_TEXT_MAX + 512];
	int n = snprintf(comment, sizeof(comment), "netloom capture of");

	for (uint16_t i = 0; i < select->n_targets && n < 300; i++)
		n += snprintf(comment + n, sizeof(comment) - (size_t)n, " %s", select->targets[i]);
	if (capture->filter != NULL)
		snprintf(comment + n, sizeof(comment) - (size_t)n, ", filter: %s",
			 filter_text(capture->filter));
	pcapng_section(out, "netloomd " NETLOOM_VERSION, comment);
	capture->has_begun = true;
}

static void interface_number(struct capture *capture, struct capture_interface *interface,
			     struct evbuffer *out)
{
	if (interface->number >= 0)
		return;
	pcapng_interface(out, interface->name, interface->description,
			 capture->filter != NULL ? filter_text(capture->filter) : NULL,
			 capture->snaplen);
	interface->number = capture->n_numbers++;
}

static void record_write(struct capture *capture, const struct probe_record *record,
			 uint64_t time_ns, struct evbuffer *out)
{
	struct capture_interface *interface =
		interface_find(capture, record->port, record->generation);
	char why[512], lost[96];
	struct pcapng_packet packet = {
		.time_ns = time_ns,
		.cap_len = record->cap_len,
		.wire_len = record->wire_len,
		.direction = record->inbound ? PCAPNG_INBOUND : PCAPNG_OUTBOUND,
		.lost = record->lost,
	};

	if (interface == NULL)
		return; /* a port for which there was no memory */
	interface_number(capture, interface, out);
	packet.interface = (uint32_t)interface->number;
	if (record->point == PROBE_DROP) {
		snprintf(why, sizeof(why), "dropped: %s: %s", drop_name(record->reason),
			 drop_sentence(record->reason));
		packet.comments[0] = why;
	}
	if (record->lost > 0) {
		snprintf(lost, sizeof(lost),
			 "%u frames were lost before this one: the reader was too slow",
			 record->lost);
		packet.comments[1] = lost;
	}
	interface->n_read++;
	pcapng_packet(out, &packet, (const uint8_t *)(record + 1));
}

static void statistics_write(struct capture *capture, struct capture_interface *interface,
			     struct evbuffer *out)
{
	struct capture_interface *latest = interface_find(capture, interface->port, UINT64_MAX);
	struct pcapng_statistics statistics = {.start_ns = capture->start_ns, .end_ns = now_ns()};
	char comment[128];

	if (latest == interface)
		interface->n_lost = index_lost(capture, interface->port) - interface->lost_before;
	interface_number(capture, interface, out); /* also that nothing came is to be seen */
	snprintf(comment, sizeof(comment),
		 "%llu frames captured, %llu lost because the reader was too slow",
		 (unsigned long long)interface->n_read, (unsigned long long)interface->n_lost);
	statistics.interface = (uint32_t)interface->number;
	statistics.received = interface->n_read + interface->n_lost;
	statistics.dropped = interface->n_lost;
	statistics.comment = comment;
	pcapng_statistics(out, &statistics);
}

size_t capture_read(struct capture *capture, struct evbuffer *out, size_t max)
{
	const size_t before = evbuffer_get_length(out);
	const uint64_t hz = rte_get_tsc_hz(), now = now_ns(), now_tsc = rte_rdtsc();
	const struct probe_record *record;
	struct probe_ring *ring = NULL;

	if (!capture->has_begun)
		begin(capture, out);
	while (evbuffer_get_length(out) - before < max &&
	       (record = probe_next(capture->watcher.probe, &ring)) != NULL) {
		uint64_t age_tsc = record->tsc < now_tsc ? now_tsc - record->tsc : 0;
		uint64_t time_ns = now - (age_tsc / hz * CLOCK_NS_PER_SECOND +
					  age_tsc % hz * CLOCK_NS_PER_SECOND / hz);

		/* Another worker may be about to write an older one. */
		if (age_tsc < hz / 1000 * HOLD_MS && !capture->has_stopped)
			break;
		/* The clock is read at every call, and may be set; what was written does not go back. */
		if (time_ns < capture->last_ns)
			time_ns = capture->last_ns;
		capture->last_ns = time_ns;
		record_write(capture, record, time_ns, out);
		probe_ring_pop(ring, record);
	}
	if (capture->has_stopped && !capture->is_over &&
	    probe_next(capture->watcher.probe, &ring) == NULL) {
		for (size_t i = 0; i < capture->n_interfaces; i++)
			statistics_write(capture, &capture->interfaces[i], out);
		capture->is_over = true;
	}
	return evbuffer_get_length(out) - before;
}

void capture_stop(struct capture *capture)
{
	struct eyes_select *select = &capture->watcher.select;

	if (capture->has_stopped)
		return;
	memset(select->points, 0, sizeof(select->points));
	if (eyes_refresh(&capture->watcher) != 0)
		log_error("out of memory: a capture goes on until it is closed");
	capture->has_stopped = true;
}

bool capture_is_over(const struct capture *capture)
{
	return capture->is_over;
}

json_t *capture_list(void)
{
	json_t *list = json_array();
	struct capture *capture;

	LIST_FOREACH (capture, &captures, next) {
		/* cppcheck-suppress uninitvar; it does not know LIST_FOREACH */
		const struct eyes_select *select = &capture->watcher.select;
		uint64_t n_seen, n_frames, n_lost;
		json_t *targets = json_array();

		for (uint16_t i = 0; i < select->n_targets; i++)
			json_array_append_new(targets, json_string(select->targets[i]));
		probe_count(capture->watcher.probe, &n_seen, &n_frames, &n_lost);
		json_array_append_new(
			list,
			json_pack("{s:I, s:o, s:b, s:b, s:b, s:s, s:b, s:I, s:I, s:I, s:I}", "id",
				  (json_int_t)capture->id, "targets", targets, "in",
				  select->points[PROBE_IN], "out", select->points[PROBE_OUT],
				  "drops", select->points[PROBE_DROP], "filter",
				  capture->filter != NULL ? filter_text(capture->filter) : "",
				  "native",
				  capture->filter == NULL || filter_is_native(capture->filter),
				  "frames", (json_int_t)n_frames, "lost", (json_int_t)n_lost,
				  "seen", (json_int_t)n_seen, "age_s",
				  (json_int_t)((clock_now_ns() - capture->started) /
					       CLOCK_NS_PER_SECOND)));
	}
	return list;
}
