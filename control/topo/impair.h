/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bad sides of a cable in words: `delay 20ms`, `loss 1%`, presets. The lab file and the command line share them.
 *
 * A direction is a set of named numbers, in the units of netloomd's RPC. What is not named is left as it is, or good. Pure.
 */
#ifndef TOPO_IMPAIR_H
#define TOPO_IMPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum topo_impair_field {
	TOPO_IMPAIR_DELAY,  /* us */
	TOPO_IMPAIR_JITTER, /* us */
	TOPO_IMPAIR_DISTRIBUTION,
	TOPO_IMPAIR_ORDER,
	TOPO_IMPAIR_LOSS, /* parts of a million, as all chances */
	TOPO_IMPAIR_BURST_ENTER,
	TOPO_IMPAIR_BURST_LEAVE,
	TOPO_IMPAIR_BURST_LOSS,
	TOPO_IMPAIR_GAP_LOSS,
	TOPO_IMPAIR_RATE, /* kbit/s */
	TOPO_IMPAIR_QUEUE_FRAMES,
	TOPO_IMPAIR_QUEUE_BYTES,
	TOPO_IMPAIR_DUPLICATE,
	TOPO_IMPAIR_REORDER,
	TOPO_IMPAIR_CORRUPT,
	TOPO_IMPAIR_SEED,
	TOPO_IMPAIR_FIELDS
};

struct topo_impair {
	uint32_t named; /* a bit per field */
	uint32_t value[TOPO_IMPAIR_FIELDS];
};

/* The names of the fields in RPC, by enum topo_impair_field. */
extern const char *const topo_impair_keys[TOPO_IMPAIR_FIELDS];
/* The words of fields that are choices; NULL for numbers. */
extern const char *const *const topo_impair_choices[TOPO_IMPAIR_FIELDS];

/* What may be written, ends with NULL: delay, jitter, ..., preset. */
extern const char *const topo_impair_words[];
#define TOPO_IMPAIR_WORDS_MAX 16

/**
 * topo_impair_set() - Read one `WORD VALUE`
 * @side: 0: what the end sends that is named (or comes first), 1: what it receives; presets of access lines differ
 * @why:  out, a sentence on what is wrong, without the object's name
 *
 * `off`, or 0 where that means none, names the field with a value of 0. A preset names all fields.
 * Return: false when the word or the value is wrong; @impair is as before then.
 */
bool topo_impair_set(struct topo_impair *impair, const char *word, const char *value, int side,
		     char *why, size_t size);

/** topo_impair_is_word() - `delay`, `loss`, ...: is it one of topo_impair_words[]? */
bool topo_impair_is_word(const char *word);

/** topo_impair_check() - What single values cannot tell. Return: NULL, or what is wrong. */
const char *topo_impair_check(const struct topo_impair *impair);

/** topo_impair_merge() - What @change names, over what @impair is already */
void topo_impair_merge(struct topo_impair *impair, const struct topo_impair *change);

/** topo_impair_is_good() - Nothing is wrong, whatever `seed`, `distribution` and `order` are */
bool topo_impair_is_good(const struct topo_impair *impair);

/** topo_impair_says_how() - `seed`, `distribution` or `order` is more than the usual */
bool topo_impair_says_how(const struct topo_impair *impair);

/** topo_impair_clear() - Name every field, with 0: a good direction */
void topo_impair_clear(struct topo_impair *impair);

/** topo_impair_text() - As it would be written: "delay 20ms loss 1%"; "" for a good direction */
void topo_impair_text(const struct topo_impair *impair, char *text, size_t size);

/** topo_duration_ms() - "30s", "500ms", "2m". Return: false if it is no time. */
bool topo_duration_us(const char *text, uint64_t *us);

#endif
