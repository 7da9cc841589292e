/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_impair.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define DELAY_MAX_US ((uint32_t)(IMPAIR_DELAY_MAX_NS / CLOCK_NS_PER_US))

static const char *const directions[] = {[IMPAIR_IN] = "in", [IMPAIR_OUT] = "out", NULL};
static const char *const distributions[] = {
	[IMPAIR_UNIFORM] = "uniform", [IMPAIR_NORMAL] = "normal", [IMPAIR_PARETO] = "pareto", NULL};
static const char *const orders[] = {"keep", "free", NULL};

/* Chances in parts of a million. */
static const struct {
	const char *key;
	size_t offset;
	const char *word; /* in model_impair_text() */
} chances[] = {
	{"loss_ppm", offsetof(struct impair_params, loss_ppm), "loss"},
	{"burst_enter_ppm", offsetof(struct impair_params, burst_enter_ppm), "burst-enter"},
	{"burst_leave_ppm", offsetof(struct impair_params, burst_leave_ppm), "burst-leave"},
	{"burst_loss_ppm", offsetof(struct impair_params, burst_loss_ppm), "burst-loss"},
	{"gap_loss_ppm", offsetof(struct impair_params, gap_loss_ppm), "gap-loss"},
	{"duplicate_ppm", offsetof(struct impair_params, duplicate_ppm), "duplicate"},
	{"reorder_ppm", offsetof(struct impair_params, reorder_ppm), "reorder"},
	{"corrupt_ppm", offsetof(struct impair_params, corrupt_ppm), "corrupt"},
};
#define N_CHANCES (sizeof(chances) / sizeof(chances[0]))

static uint32_t *chance_of(struct impair_params *params, size_t i)
{
	return (uint32_t *)((char *)params + chances[i].offset);
}

static uint32_t chance_get(const struct impair_params *params, size_t i)
{
	return *(const uint32_t *)((const char *)params + chances[i].offset);
}

static void us_read(const struct json_reader *reader, const char *key, uint64_t *ns)
{
	uint32_t us = (uint32_t)(*ns / CLOCK_NS_PER_US);

	json_read_uint(reader, key, 0, DELAY_MAX_US, &us);
	*ns = us * CLOCK_NS_PER_US;
}

/* What single keys cannot tell. */
static void together_check(const struct json_reader *reader, const struct impair_params *p)
{
	const char *fault = NULL;

	if (p->jitter_ns > p->delay_ns)
		fault = "\"jitter_us\" is larger than \"delay_us\"; a frame cannot arrive before "
			"it was "
			"sent, raise the delay";
	else if (p->reorder_ppm != 0 && p->delay_ns == 0)
		fault = "\"reorder_ppm\" needs \"delay_us\": frames overtake those that wait";
	else if (p->burst_enter_ppm == 0 && (p->burst_leave_ppm != 0))
		fault = "\"burst_leave_ppm\" needs \"burst_enter_ppm\"";
	else if (p->burst_enter_ppm != 0 && p->burst_leave_ppm == 0)
		fault = "\"burst_enter_ppm\" needs \"burst_leave_ppm\", or a burst never ends";
	else if (p->rate_bps == 0 && (p->queue_frames != 0 || p->queue_bytes != 0))
		fault = "\"queue_frames\" and \"queue_bytes\" need \"rate_kbps\": without it "
			"nothing queues";
	if (fault != NULL)
		problems_add(reader->problems, PROBLEM_PARAMS, "%s: %s", reader->what, fault);
}

static void direction_parse(const json_t *value, const char *what, const char *direction,
			    struct impair_params *p, struct problems *problems)
{
	static const char *const keys[] = {"delay_us",
					   "jitter_us",
					   "distribution",
					   "order",
					   "loss_ppm",
					   "burst_enter_ppm",
					   "burst_leave_ppm",
					   "burst_loss_ppm",
					   "gap_loss_ppm",
					   "rate_kbps",
					   "queue_frames",
					   "queue_bytes",
					   "duplicate_ppm",
					   "reorder_ppm",
					   "corrupt_ppm",
					   "seed",
					   NULL};
	uint32_t rate_kbps = 0, queue_bytes = 0, seed = 0;
	struct json_reader reader;
	int choice;

	if (!json_reader_init(&reader, value, problems, "%s: impair: %s", what, direction))
		return;
	json_read_keys(&reader, keys);
	us_read(&reader, "delay_us", &p->delay_ns);
	us_read(&reader, "jitter_us", &p->jitter_ns);
	choice = json_read_choice(&reader, "distribution", distributions);
	p->distribution = choice < 0 ? IMPAIR_UNIFORM : (uint8_t)choice;
	p->may_overtake = json_read_choice(&reader, "order", orders) == 1;
	p->burst_loss_ppm = json_read_has(&reader, "burst_enter_ppm") ? IMPAIR_PPM : 0;
	for (size_t i = 0; i < N_CHANCES; i++)
		json_read_uint(&reader, chances[i].key, 0, IMPAIR_PPM, chance_of(p, i));
	json_read_uint(&reader, "rate_kbps", 1, UINT32_MAX, &rate_kbps);
	p->rate_bps = rate_kbps * UINT64_C(1000);
	json_read_uint(&reader, "queue_frames", 1, IMPAIR_QUEUE_MAX, &p->queue_frames);
	json_read_uint(&reader, "queue_bytes", 64, UINT32_MAX, &queue_bytes);
	p->queue_bytes = queue_bytes;
	json_read_uint(&reader, "seed", 0, UINT32_MAX, &seed);
	p->seed = seed;
	together_check(&reader, p);
	if (!impair_is_set(p))
		memset(p, 0, sizeof(*p)); /* a seed alone impairs nothing */
}

void model_impair_parse(const json_t *value, const char *what, struct impair_params *impair,
			struct problems *problems)
{
	struct json_reader reader;

	memset(impair, 0, IMPAIR_DIRECTIONS * sizeof(*impair));
	if (value == NULL || !json_reader_init(&reader, value, problems, "%s: impair", what))
		return;
	json_read_keys(&reader, directions);
	for (int i = 0; i < IMPAIR_DIRECTIONS; i++) {
		const json_t *side = json_object_get(value, directions[i]);

		if (side != NULL)
			direction_parse(side, what, directions[i], &impair[i], problems);
	}
}

static void put(json_t *object, const char *key, uint64_t value)
{
	if (value != 0)
		json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *direction_print(const struct impair_params *p)
{
	json_t *object = json_object();

	put(object, "delay_us", p->delay_ns / CLOCK_NS_PER_US);
	put(object, "jitter_us", p->jitter_ns / CLOCK_NS_PER_US);
	if (p->distribution != IMPAIR_UNIFORM)
		json_object_set_new(object, "distribution",
				    json_string(distributions[p->distribution]));
	if (p->may_overtake)
		json_object_set_new(object, "order", json_string(orders[1]));
	for (size_t i = 0; i < N_CHANCES; i++)
		put(object, chances[i].key, chance_get(p, i));
	if (p->burst_enter_ppm != 0) /* 0 is not what it is by itself */
		json_object_set_new(object, "burst_loss_ppm", json_integer(p->burst_loss_ppm));
	put(object, "rate_kbps", p->rate_bps / 1000);
	put(object, "queue_frames", p->queue_frames);
	put(object, "queue_bytes", p->queue_bytes);
	put(object, "seed", p->seed);
	return object;
}

json_t *model_impair_print(const struct impair_params *impair)
{
	json_t *object = NULL;

	for (int i = 0; i < IMPAIR_DIRECTIONS; i++) {
		if (!impair_is_set(&impair[i]))
			continue;
		if (object == NULL)
			object = json_object();
		json_object_set_new(object, directions[i], direction_print(&impair[i]));
	}
	return object;
}

json_t *model_impair_merge(const json_t *before, const json_t *change)
{
	json_t *merged = before != NULL ? json_deep_copy(before) : json_object();
	const char *side, *key;
	json_t *keys, *value;

	json_object_foreach ((json_t *)change, side, keys) {
		json_t *now = json_object_get(merged, side);

		if (json_is_null(keys)) {
			json_object_del(merged, side);
			continue;
		}
		if (now == NULL || !json_is_object(keys)) {
			json_object_set_new(merged, side,
					    json_is_object(keys) ? json_object()
								 : json_deep_copy(keys));
			now = json_object_get(merged, side);
		}
		json_object_foreach (keys, key, value) {
			if (json_is_null(value))
				json_object_del(now, key);
			else
				json_object_set(now, key, value);
		}
	}
	return merged;
}

void model_impair_text(const struct impair_params *p, char *text, size_t size)
{
	size_t used = 0;

	snprintf(text, size, "none");
#define ADD(...) (used += used < size ? (size_t)snprintf(text + used, size - used, __VA_ARGS__) : 0)
#define COMMA	 (used > 0 ? ", " : "")
	if (p->delay_ns != 0)
		ADD("delay %g ms", (double)p->delay_ns / 1e6);
	if (p->jitter_ns != 0)
		ADD(" jitter %g ms %s%s", (double)p->jitter_ns / 1e6,
		    distributions[p->distribution], p->may_overtake ? " order free" : "");
	if (p->rate_bps != 0)
		ADD("%srate %g Mbit/s", COMMA, (double)p->rate_bps / 1e6);
	if (p->queue_frames != 0)
		ADD(" queue %" PRIu32 " frames", p->queue_frames);
	if (p->queue_bytes != 0)
		ADD(" queue %" PRIu64 " bytes", p->queue_bytes);
	for (size_t i = 0; i < N_CHANCES; i++) {
		if (chance_get(p, i) != 0)
			ADD("%s%s %g %%", COMMA, chances[i].word, chance_get(p, i) / 1e4);
	}
	if (p->seed != 0)
		ADD("%sseed %" PRIu64, COMMA, p->seed);
#undef ADD
#undef COMMA
}

bool model_impair_equal(const struct impair_params *a, const struct impair_params *b)
{
	json_t *first = model_impair_print(a), *second = model_impair_print(b);
	bool equal = first == second || json_equal(first, second);

	json_decref(first);
	json_decref(second);
	return equal;
}
