/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/impair.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo/suggest.h"

#define DELAY_MAX_US	  60000000
#define QUEUE_MAX	  65536
#define QUEUE_BYTES_LEAST 64
#define ARRAY_SIZE(a)	  (sizeof(a) / sizeof((a)[0]))

static const char *const distributions[] = {"uniform", "normal", "pareto", NULL};
static const char *const orders[] = {"keep", "free", NULL};

const char *const *const topo_impair_choices[TOPO_IMPAIR_FIELDS] = {
	[TOPO_IMPAIR_DISTRIBUTION] = distributions,
	[TOPO_IMPAIR_ORDER] = orders,
};

const char *const topo_impair_keys[TOPO_IMPAIR_FIELDS] = {
	[TOPO_IMPAIR_DELAY] = "delay_us",
	[TOPO_IMPAIR_JITTER] = "jitter_us",
	[TOPO_IMPAIR_DISTRIBUTION] = "distribution",
	[TOPO_IMPAIR_ORDER] = "order",
	[TOPO_IMPAIR_LOSS] = "loss_ppm",
	[TOPO_IMPAIR_BURST_ENTER] = "burst_enter_ppm",
	[TOPO_IMPAIR_BURST_LEAVE] = "burst_leave_ppm",
	[TOPO_IMPAIR_BURST_LOSS] = "burst_loss_ppm",
	[TOPO_IMPAIR_GAP_LOSS] = "gap_loss_ppm",
	[TOPO_IMPAIR_RATE] = "rate_kbps",
	[TOPO_IMPAIR_QUEUE_FRAMES] = "queue_frames",
	[TOPO_IMPAIR_QUEUE_BYTES] = "queue_bytes",
	[TOPO_IMPAIR_DUPLICATE] = "duplicate_ppm",
	[TOPO_IMPAIR_REORDER] = "reorder_ppm",
	[TOPO_IMPAIR_CORRUPT] = "corrupt_ppm",
	[TOPO_IMPAIR_SEED] = "seed",
};

const char *const topo_impair_words[] = {
	"delay", "jitter",    "distribution", "order",	 "loss", "burst-loss", "rate",
	"queue", "duplicate", "reorder",      "corrupt", "seed", "preset",     NULL};

/* Access lines: what the subscriber, the first or named end, sends is the narrow side. */
static const struct {
	const char *name;
	const char *sides[2];
} presets[] = {
	{"lan", {"delay 100us rate 1gbit", "delay 100us rate 1gbit"}},
	{"wan",
	 {"delay 25ms jitter 2ms distribution normal loss 0.05% rate 100mbit",
	  "delay 25ms jitter 2ms distribution normal loss 0.05% rate 100mbit"}},
	{"dsl",
	 {"delay 12ms jitter 2ms distribution normal loss 0.02% rate 10mbit queue 128KB",
	  "delay 12ms jitter 2ms distribution normal loss 0.02% rate 50mbit queue 512KB"}},
	{"lte",
	 {"delay 30ms jitter 8ms distribution pareto loss 0.1% rate 15mbit queue 256KB",
	  "delay 30ms jitter 8ms distribution pareto loss 0.1% rate 40mbit queue 1MB"}},
	{"satellite",
	 {"delay 270ms jitter 5ms distribution normal loss 0.1% burst-loss 0.05%/20% rate 3mbit "
	  "queue "
	  "512KB",
	  "delay 270ms jitter 5ms distribution normal loss 0.1% burst-loss 0.05%/20% rate 20mbit "
	  "queue 2MB"}},
};

static void say(char *why, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
}

/* Digits with at most one point, then a unit. Return: the unit, NULL if there is no number. */
static const char *number_read(const char *text, double *out)
{
	size_t digits = strspn(text, "0123456789"), rest = 0;

	if (text[digits] == '.')
		rest = 1 + strspn(text + digits + 1, "0123456789");
	if (digits == 0 || rest == 1 || digits + rest > 18)
		return NULL;
	*out = strtod(text, NULL);
	return text + digits + rest;
}

struct unit {
	const char *name;
	double factor;
};

/* Return: false if there is no number, or no such unit. A bare 0 needs none. */
static bool quantity_read(const char *text, const struct unit *units, size_t n, double *out)
{
	const char *unit = number_read(text, out);

	if (unit == NULL)
		return false;
	if (*unit == '\0' && *out == 0)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(unit, units[i].name) == 0) {
			*out *= units[i].factor;
			return true;
		}
	}
	return false;
}

static const struct unit times[] = {{"us", 1},	 {"ms", 1e3},	{"s", 1e6},
				    {"m", 60e6}, {"min", 60e6}, {"h", 3600e6}};
static const struct unit rates[] = {{"kbit", 1}, {"mbit", 1e3}, {"gbit", 1e6}};
static const struct unit sizes[] = {{"B", 1}, {"KB", 1024}, {"MB", 1048576}};
static const struct unit percents[] = {{"%", 10000}};

bool topo_duration_us(const char *text, uint64_t *us)
{
	double value;

	if (!quantity_read(text, times, ARRAY_SIZE(times), &value) || value > 1e15)
		return false;
	*us = (uint64_t)llround(value);
	return true;
}

static void put(struct topo_impair *impair, enum topo_impair_field field, uint32_t value)
{
	impair->named |= 1u << field;
	impair->value[field] = value;
}

static bool time_set(struct topo_impair *impair, enum topo_impair_field field, const char *word,
		     const char *text, char *why, size_t size)
{
	uint64_t us;

	if (text[0] == '-') {
		say(why, size, "`%s: %.40s` is negative; frames cannot arrive before they are sent",
		    word, text);
	} else if (!topo_duration_us(text, &us)) {
		say(why, size, "`%s: %.40s` is no time; write 20ms, 500us or 1.5s", word, text);
	} else if (us > DELAY_MAX_US) {
		say(why, size, "`%s: %.40s` is longer than 60s, the most that frames are kept",
		    word, text);
	} else {
		put(impair, field, (uint32_t)us);
		return true;
	}
	return false;
}

static bool chance_read(const char *word, const char *text, uint32_t *ppm, char *why, size_t size)
{
	double value;

	if (text[0] == '-')
		say(why, size, "`%s: %.40s` is negative; write a share of the frames such as 1%%",
		    word, text);
	else if (!quantity_read(text, percents, 1, &value))
		say(why, size, "`%s: %.40s` is no share of the frames; write 1%% or 0.05%%", word,
		    text);
	else if (value > 1000000)
		say(why, size, "`%s: %.40s` is more than all frames (100%%)", word, text);
	else if (value > 0 && value < 1)
		say(why, size, "`%s: %.40s` is less than 0.0001%%, the least there is", word, text);
	else
		return *ppm = (uint32_t)llround(value), true;
	return false;
}

static bool chance_set(struct topo_impair *impair, enum topo_impair_field field, const char *word,
		       const char *text, char *why, size_t size)
{
	uint32_t ppm;

	if (!chance_read(word, text, &ppm, why, size))
		return false;
	put(impair, field, ppm);
	return true;
}

/* ENTER/LEAVE[/LOSS[/GAP-LOSS]] */
static bool burst_set(struct topo_impair *impair, const char *text, char *why, size_t size)
{
	uint32_t ppm[4] = {0, 0, 1000000, 0};
	char copy[80], *save = NULL, *part;
	int n = 0;

	if (strlen(text) >= sizeof(copy)) {
		say(why, size, "`burst-loss` is too long");
		return false;
	}
	strcpy(copy, text);
	for (part = strtok_r(copy, "/", &save); part != NULL && n < 4;
	     part = strtok_r(NULL, "/", &save)) {
		if (!chance_read("burst-loss", part, &ppm[n++], why, size))
			return false;
	}
	if (part != NULL || n < 2 || ppm[0] == 0 || ppm[1] == 0) {
		say(why, size,
		    "`burst-loss: %.40s` is not ENTER/LEAVE[/LOSS[/LOSS-BETWEEN]]: the chances, "
		    "per frame, that a "
		    "burst begins and that it ends, such as 0.5%%/25%%",
		    text);
		return false;
	}
	for (int i = 0; i < 4; i++)
		put(impair, TOPO_IMPAIR_BURST_ENTER + i, ppm[i]);
	return true;
}

static bool rate_set(struct topo_impair *impair, const char *text, char *why, size_t size)
{
	double kbps;

	if (!quantity_read(text, rates, ARRAY_SIZE(rates), &kbps))
		say(why, size, "`rate: %.40s` is no rate; write 10mbit, 512kbit or 1gbit", text);
	else if (kbps == 0)
		say(why, size,
		    "`rate: %.40s` would let nothing pass; `off` is no limit, and a link is cut by "
		    "`down` (in a lab file `admin: down`)",
		    text);
	else if (kbps < 1 || kbps > UINT32_MAX)
		say(why, size, "`rate: %.40s` is not within 1kbit and 4000gbit", text);
	else
		return put(impair, TOPO_IMPAIR_RATE, (uint32_t)llround(kbps)), true;
	return false;
}

/* 100 frames, or 64KB. */
static bool queue_set(struct topo_impair *impair, const char *text, char *why, size_t size)
{
	double number;
	const char *unit = number_read(text, &number);

	if (unit != NULL && *unit == '\0' && number == floor(number) && number >= 1 &&
	    number <= QUEUE_MAX) {
		put(impair, TOPO_IMPAIR_QUEUE_FRAMES, (uint32_t)number);
		return true;
	}
	if (unit != NULL && *unit != '\0' &&
	    quantity_read(text, sizes, ARRAY_SIZE(sizes), &number) && number >= QUEUE_BYTES_LEAST &&
	    number <= UINT32_MAX) {
		put(impair, TOPO_IMPAIR_QUEUE_BYTES, (uint32_t)number);
		return true;
	}
	say(why, size, "`queue: %.40s` is neither 1 to %d frames nor a size such as 64KB", text,
	    QUEUE_MAX);
	return false;
}

static bool choice_set(struct topo_impair *impair, enum topo_impair_field field, const char *word,
		       const char *text, char *why, size_t size)
{
	const char *const *words = topo_impair_choices[field];

	for (uint32_t i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0)
			return put(impair, field, i), true;
	}
	say(why, size, "`%s: %.40s` is unknown; it is %s", word, text,
	    field == TOPO_IMPAIR_ORDER ? "keep or free" : "uniform, normal or pareto");
	return false;
}

static bool seed_set(struct topo_impair *impair, const char *text, char *why, size_t size)
{
	char *end;
	unsigned long long number = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 10) : 0;

	if (!isdigit((unsigned char)text[0]) || *end != '\0' || number > UINT32_MAX) {
		say(why, size, "`seed: %.40s` is not a whole number from 0 to %u", text,
		    UINT32_MAX);
		return false;
	}
	put(impair, TOPO_IMPAIR_SEED, (uint32_t)number);
	return true;
}

void topo_impair_clear(struct topo_impair *impair)
{
	memset(impair, 0, sizeof(*impair));
	impair->named = (1u << TOPO_IMPAIR_FIELDS) - 1;
}

void topo_impair_merge(struct topo_impair *impair, const struct topo_impair *change)
{
	for (unsigned int i = 0; i < TOPO_IMPAIR_FIELDS; i++) {
		if ((change->named & 1u << i) != 0)
			put(impair, i, change->value[i]);
	}
}

static const uint32_t how =
	1u << TOPO_IMPAIR_DISTRIBUTION | 1u << TOPO_IMPAIR_ORDER | 1u << TOPO_IMPAIR_SEED;

static bool any_is_set(const struct topo_impair *impair, uint32_t fields)
{
	for (unsigned int i = 0; i < TOPO_IMPAIR_FIELDS; i++) {
		if ((fields & 1u << i) != 0 && impair->value[i] != 0)
			return true;
	}
	return false;
}

bool topo_impair_is_good(const struct topo_impair *impair)
{
	return !any_is_set(impair, ~how);
}

bool topo_impair_says_how(const struct topo_impair *impair)
{
	return any_is_set(impair, how);
}

static bool preset_set(struct topo_impair *impair, const char *name, int side, char *why,
		       size_t size)
{
	char copy[160], *save = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
		if (strcmp(presets[i].name, name) != 0)
			continue;
		topo_impair_clear(impair);
		snprintf(copy, sizeof(copy), "%s", presets[i].sides[side]);
		for (char *word = strtok_r(copy, " ", &save); word != NULL;
		     word = strtok_r(NULL, " ", &save))
			topo_impair_set(impair, word, strtok_r(NULL, " ", &save), side, why, size);
		return true;
	}
	say(why, size, "`preset: %.40s` is unknown; it is lan, wan, dsl, lte or satellite", name);
	return false;
}

/* Which fields a word names: all from..to. */
static const struct {
	const char *word;
	enum topo_impair_field from, to;
} spans[] = {
	{"delay", TOPO_IMPAIR_DELAY, TOPO_IMPAIR_DELAY},
	{"jitter", TOPO_IMPAIR_JITTER, TOPO_IMPAIR_JITTER},
	{"distribution", TOPO_IMPAIR_DISTRIBUTION, TOPO_IMPAIR_DISTRIBUTION},
	{"order", TOPO_IMPAIR_ORDER, TOPO_IMPAIR_ORDER},
	{"loss", TOPO_IMPAIR_LOSS, TOPO_IMPAIR_LOSS},
	{"burst-loss", TOPO_IMPAIR_BURST_ENTER, TOPO_IMPAIR_GAP_LOSS},
	{"rate", TOPO_IMPAIR_RATE, TOPO_IMPAIR_QUEUE_BYTES}, /* without a rate nothing queues */
	{"queue", TOPO_IMPAIR_QUEUE_FRAMES, TOPO_IMPAIR_QUEUE_BYTES},
	{"duplicate", TOPO_IMPAIR_DUPLICATE, TOPO_IMPAIR_DUPLICATE},
	{"reorder", TOPO_IMPAIR_REORDER, TOPO_IMPAIR_REORDER},
	{"corrupt", TOPO_IMPAIR_CORRUPT, TOPO_IMPAIR_CORRUPT},
	{"seed", TOPO_IMPAIR_SEED, TOPO_IMPAIR_SEED},
};

static bool off_set(struct topo_impair *impair, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		if (strcmp(spans[i].word, word) != 0)
			continue;
		for (unsigned int field = spans[i].from; field <= spans[i].to; field++)
			put(impair, field, 0);
		return true;
	}
	return false;
}

bool topo_impair_is_word(const char *word)
{
	for (size_t i = 0; topo_impair_words[i] != NULL; i++) {
		if (strcmp(topo_impair_words[i], word) == 0)
			return true;
	}
	return false;
}

bool topo_impair_set(struct topo_impair *impair, const char *word, const char *value, int side,
		     char *why, size_t size)
{
	const char *meant;
	size_t n = 0;

	if (strcmp(value, "off") == 0 && off_set(impair, word))
		return true;
	if (strcmp(word, "delay") == 0)
		return time_set(impair, TOPO_IMPAIR_DELAY, word, value, why, size);
	if (strcmp(word, "jitter") == 0)
		return time_set(impair, TOPO_IMPAIR_JITTER, word, value, why, size);
	if (strcmp(word, "distribution") == 0)
		return choice_set(impair, TOPO_IMPAIR_DISTRIBUTION, word, value, why, size);
	if (strcmp(word, "order") == 0)
		return choice_set(impair, TOPO_IMPAIR_ORDER, word, value, why, size);
	if (strcmp(word, "loss") == 0)
		return chance_set(impair, TOPO_IMPAIR_LOSS, word, value, why, size);
	if (strcmp(word, "duplicate") == 0)
		return chance_set(impair, TOPO_IMPAIR_DUPLICATE, word, value, why, size);
	if (strcmp(word, "reorder") == 0)
		return chance_set(impair, TOPO_IMPAIR_REORDER, word, value, why, size);
	if (strcmp(word, "corrupt") == 0)
		return chance_set(impair, TOPO_IMPAIR_CORRUPT, word, value, why, size);
	if (strcmp(word, "burst-loss") == 0)
		return strcmp(value, "0") == 0 ? off_set(impair, word)
					       : burst_set(impair, value, why, size);
	if (strcmp(word, "rate") == 0)
		return rate_set(impair, value, why, size);
	if (strcmp(word, "queue") == 0)
		return queue_set(impair, value, why, size);
	if (strcmp(word, "seed") == 0)
		return seed_set(impair, value, why, size);
	if (strcmp(word, "preset") == 0)
		return preset_set(impair, value, side, why, size);
	while (topo_impair_words[n] != NULL)
		n++;
	meant = suggest_word(word, topo_impair_words, n);
	say(why, size, "\"%.40s\" is nothing that can be wrong with a link%s%s%s", word,
	    meant != NULL ? "; did you mean \"" : "", meant != NULL ? meant : "",
	    meant != NULL ? "\"?" : "");
	return false;
}

const char *topo_impair_check(const struct topo_impair *impair)
{
	const uint32_t *v = impair->value;

	if (v[TOPO_IMPAIR_JITTER] > v[TOPO_IMPAIR_DELAY])
		return "`jitter` is larger than `delay`; frames cannot arrive before they are "
		       "sent, raise "
		       "the delay";
	if (v[TOPO_IMPAIR_REORDER] != 0 && v[TOPO_IMPAIR_DELAY] == 0)
		return "`reorder` needs a `delay`: frames overtake those that wait";
	if (v[TOPO_IMPAIR_RATE] == 0 &&
	    (v[TOPO_IMPAIR_QUEUE_FRAMES] != 0 || v[TOPO_IMPAIR_QUEUE_BYTES] != 0))
		return "`queue` needs a `rate`: without it nothing queues";
	return NULL;
}

struct line {
	char *text;
	size_t size, used;
};

static void line_add(struct line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void line_add(struct line *line, const char *format, ...)
{
	va_list args;
	int n;

	if (line->used >= line->size)
		return;
	va_start(args, format);
	n = vsnprintf(line->text + line->used, line->size - line->used, format, args);
	va_end(args);
	line->used += n > 0 ? (size_t)n : 0;
}

static void time_add(struct line *line, const char *word, uint32_t us)
{
	if (us == 0)
		return;
	if (us % 1000 != 0 && us < 1000)
		line_add(line, " %s %" PRIu32 "us", word, us);
	else
		line_add(line, " %s %gms", word, us / 1e3);
}

static void chance_add(struct line *line, const char *word, uint32_t ppm)
{
	if (ppm != 0)
		line_add(line, " %s %g%%", word, ppm / 1e4);
}

static void size_add(struct line *line, const char *word, uint32_t value, uint32_t step,
		     const char *const *units)
{
	int i = 0;

	if (value == 0)
		return;
	for (; i < 2 && value % step == 0; i++)
		value /= step;
	line_add(line, " %s %" PRIu32 "%s", word, value, units[i]);
}

void topo_impair_text(const struct topo_impair *impair, char *text, size_t size)
{
	static const char *const rate_units[] = {"kbit", "mbit", "gbit"};
	static const char *const size_units[] = {"B", "KB", "MB"};
	struct line line = {.text = text, .size = size};
	const uint32_t *v = impair->value;

	text[0] = '\0';
	time_add(&line, "delay", v[TOPO_IMPAIR_DELAY]);
	time_add(&line, "jitter", v[TOPO_IMPAIR_JITTER]);
	if (v[TOPO_IMPAIR_JITTER] != 0 && v[TOPO_IMPAIR_DISTRIBUTION] != 0)
		line_add(&line, " distribution %s", distributions[v[TOPO_IMPAIR_DISTRIBUTION]]);
	if (v[TOPO_IMPAIR_JITTER] != 0 && v[TOPO_IMPAIR_ORDER] != 0)
		line_add(&line, " order %s", orders[v[TOPO_IMPAIR_ORDER]]);
	chance_add(&line, "loss", v[TOPO_IMPAIR_LOSS]);
	if (v[TOPO_IMPAIR_BURST_ENTER] != 0) {
		line_add(&line, " burst-loss %g%%/%g%%", v[TOPO_IMPAIR_BURST_ENTER] / 1e4,
			 v[TOPO_IMPAIR_BURST_LEAVE] / 1e4);
		if (v[TOPO_IMPAIR_BURST_LOSS] != 1000000 || v[TOPO_IMPAIR_GAP_LOSS] != 0)
			line_add(&line, "/%g%%", v[TOPO_IMPAIR_BURST_LOSS] / 1e4);
		if (v[TOPO_IMPAIR_GAP_LOSS] != 0)
			line_add(&line, "/%g%%", v[TOPO_IMPAIR_GAP_LOSS] / 1e4);
	}
	size_add(&line, "rate", v[TOPO_IMPAIR_RATE], 1000, rate_units);
	if (v[TOPO_IMPAIR_QUEUE_FRAMES] != 0)
		line_add(&line, " queue %" PRIu32, v[TOPO_IMPAIR_QUEUE_FRAMES]);
	size_add(&line, "queue", v[TOPO_IMPAIR_QUEUE_BYTES], 1024, size_units);
	chance_add(&line, "duplicate", v[TOPO_IMPAIR_DUPLICATE]);
	chance_add(&line, "reorder", v[TOPO_IMPAIR_REORDER]);
	chance_add(&line, "corrupt", v[TOPO_IMPAIR_CORRUPT]);
	if (v[TOPO_IMPAIR_SEED] != 0)
		line_add(&line, " seed %" PRIu32, v[TOPO_IMPAIR_SEED]);
	if (text[0] == ' ')
		memmove(text, text + 1, strlen(text));
}
