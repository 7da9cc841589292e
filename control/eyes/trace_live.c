/* SPDX-License-Identifier: BSD-3-Clause */
#include "eyes/trace_live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath.h"
#include "eyes/trace_words.h"

#define RING_BYTES (1u << 18)

struct trace_live {
	struct eyes_watcher watcher; /* first */
	struct filter *filter;
	uint32_t count, n_read;
	bool is_ended; /* by whoever asked */
};

static unsigned int n_lives;

int trace_live_open(struct eyes *eyes, const struct trace_live_spec *spec, struct trace_live **out,
		    struct err *err)
{
	struct trace_live *live;
	int rc = eyes_check(eyes, &spec->select, err);

	if (rc != 0)
		return rc;
	if (n_lives >= TRACE_LIVE_MAX)
		return err_set(err, EBUSY, "%d live traces run already: end one", TRACE_LIVE_MAX);
	live = calloc(1, sizeof(*live));
	if (live == NULL)
		return err_set(err, ENOMEM, "out of memory");
	if (spec->filter[0] != '\0')
		rc = filter_compile(spec->filter, &live->filter, err);
	if (rc == 0) {
		live->watcher.probe = probe_new(datapath_n_workers(), RING_BYTES);
		rc = live->watcher.probe == NULL ? err_set(err, ENOMEM, "out of memory") : 0;
	}
	if (rc == 0) {
		live->watcher.select = spec->select;
		memset(live->watcher.select.points, 0, sizeof(live->watcher.select.points));
		live->watcher.select.points[PROBE_IN] = true;
		live->watcher.probe->filter = live->filter;
		live->watcher.probe->trace = true;
		live->watcher.probe->snaplen = FRAME_HDR_MAX;
		live->watcher.probe->traces_left = spec->count;
		live->count = spec->count;
		rc = eyes_add(eyes, &live->watcher, err);
	}
	if (rc == 0) {
		n_lives++;
		*out = live;
		return 0;
	}
	probe_free(live->watcher.probe);
	filter_free(live->filter);
	free(live);
	return rc;
}

void trace_live_close(struct trace_live *live)
{
	if (live == NULL)
		return;
	n_lives--;
	eyes_remove(&live->watcher);
	if (live->watcher.probe != NULL)
		return; /* the workers still have it: see eyes_remove() */
	filter_free(live->filter);
	free(live);
}

json_t *trace_live_next(struct trace_live *live)
{
	struct probe_ring *ring = NULL;
	const struct probe_record *record = probe_next(live->watcher.probe, &ring);
	struct trace trace;
	json_t *words;

	if (record == NULL)
		return NULL;
	memcpy(&trace, record + 1, record->extra);
	words = trace_words(&trace, (const uint8_t *)(record + 1) + record->extra, record->cap_len,
			    record->wire_len, record->port, eyes_apply(live->watcher.eyes));
	live->n_read++;
	if (words != NULL && record->lost > 0)
		json_object_set_new(words, "lost", json_integer(record->lost));
	probe_ring_pop(ring, record);
	return words;
}

/* By what has arrived and what never will: a worker counts a frame before its record is there to be read. */
bool trace_live_is_over(const struct trace_live *live)
{
	uint64_t n_seen, n_frames, n_lost;

	probe_count(live->watcher.probe, &n_seen, &n_frames, &n_lost);
	return live->is_ended || live->n_read + n_lost >= live->count;
}

void trace_live_end(struct trace_live *live)
{
	live->is_ended = true;
}
