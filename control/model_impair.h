/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bad sides of a port's link as JSON: `impair: {in: {...}, out: {...}}`, by what the port receives from and sends to its peer.
 * Control thread only.
 */
#ifndef CONTROL_MODEL_IMPAIR_H
#define CONTROL_MODEL_IMPAIR_H

#include "impair/impair.h"
#include "json_read.h"

/**
 * model_impair_parse() - Read a port's `impair`
 * @what:   begins the sentences, `port "web"`
 * @impair: out, [IMPAIR_DIRECTIONS]; all zero where nothing is asked for
 */
void model_impair_parse(const json_t *value, const char *what, struct impair_params *impair,
			struct problems *problems);

/** model_impair_print() - Return: a new object, or NULL when neither direction is impaired */
json_t *model_impair_print(const struct impair_params *impair);

/**
 * model_impair_merge() - What a port has, with some keys changed
 * @before: as from model_impair_print(), NULL for nothing; borrowed
 * @change: `{in?: {..}|null, out?: {..}|null}`; a key with null goes, `"in": null` clears the direction; borrowed
 * Return: a new object for model_impair_parse().
 */
json_t *model_impair_merge(const json_t *before, const json_t *change);

/** model_impair_text() - One direction in a line: "delay 20 ms, loss 1 %", "none" */
void model_impair_text(const struct impair_params *params, char *text, size_t size);

/** model_impair_equal() - Both directions */
bool model_impair_equal(const struct impair_params *a, const struct impair_params *b);

#endif
