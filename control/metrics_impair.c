/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stddef.h>

#include "impair/impair.h"
#include "metrics_parts.h"

/* clang-format off */
static const struct {
	const char *name;
	enum metric_type type;
	size_t field; /* of struct impair_stats */
	const char *help;
} metrics[] = {
	{"impair_frames_total", COUNTER, offsetof(struct impair_stats, frames), "Frames that came into an impaired direction."},
	{"impair_lost_total", COUNTER, offsetof(struct impair_stats, lost), "Frames lost because loss was asked for."},
	{"impair_queue_full_total", COUNTER, offsetof(struct impair_stats, queue_full), "Frames dropped by the queue of a rate."},
	{"impair_memory_full_total", COUNTER, offsetof(struct impair_stats, memory_full), "Frames dropped because too many wait."},
	{"impair_duplicated_total", COUNTER, offsetof(struct impair_stats, duplicated), "Frames sent twice."},
	{"impair_reordered_total", COUNTER, offsetof(struct impair_stats, reordered), "Frames that overtook those that wait."},
	{"impair_corrupted_total", COUNTER, offsetof(struct impair_stats, corrupted), "Frames of which a bit was flipped."},
	{"impair_held_frames", GAUGE, offsetof(struct impair_stats, held_frames), "Frames that wait now."},
	{"impair_held_bytes", GAUGE, offsetof(struct impair_stats, held_bytes), "Bytes of the frames that wait now."},
};
/* clang-format on */

/* The values of one metric. Return: how many there are. */
static size_t metric_print(const struct control *control, size_t metric, struct evbuffer *out)
{
	static const char *const directions[] = {[IMPAIR_IN] = "in", [IMPAIR_OUT] = "out"};
	const struct model *model = apply_model(control->apply);
	size_t n = 0;

	for (size_t i = 0; i < model->n_ports; i++) {
		const struct model_port *port = model->ports[i];
		const struct live_port *live = apply_live(control->apply, port);

		for (int k = 0; k < IMPAIR_DIRECTIONS; k++) {
			struct impair_stats stats;

			if (live->impair[k] == NULL)
				continue;
			if (n++ == 0)
				metrics_family(out, metrics[metric].name, metrics[metric].type,
					       metrics[metric].help);
			impair_stats_get(live->impair[k], &stats);
			evbuffer_add_printf(
				out,
				"netloom_%s{port=\"%s\",lab=\"%s\",direction=\"%s\"} %" PRIu64 "\n",
				metrics[metric].name, port->spec.name, port->owner, directions[k],
				*(const uint64_t *)((const char *)&stats + metrics[metric].field));
		}
	}
	return n;
}

void metrics_impair_print(const struct control *control, struct evbuffer *out)
{
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		if (metric_print(control, i, out) == 0)
			return;
	}
}
