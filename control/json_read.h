/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading JSON objects strictly: every key has a type, unknown keys are faults, every fault names object and key.
 *
 * The readers leave the output as it was when the key is absent, so callers put the default there first.
 */
#ifndef CONTROL_JSON_READ_H
#define CONTROL_JSON_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problems.h"

struct json_reader {
	const json_t *object;	   /* borrowed */
	char what[96];		   /* `port "web"`, begins every sentence */
	struct problems *problems; /* borrowed */
};

/**
 * json_reader_init() - Begin to read @object
 * @what: printf format of what the sentences begin with
 * Return: false, with the fault noted, if it is no JSON object.
 */
bool json_reader_init(struct json_reader *reader, const json_t *object, struct problems *problems,
		      const char *what, ...) __attribute__((format(printf, 4, 5)));

/** json_read_keys() - Refuse keys that are not in @known, a NULL-terminated list; NULL: there are none */
void json_read_keys(const struct json_reader *reader, const char *const known[]);

/** json_read_has() - Whether the key is there at all */
bool json_read_has(const struct json_reader *reader, const char *key);

/** json_read_need() - Note a fault unless the key is there. Return: whether it is. */
bool json_read_need(const struct json_reader *reader, const char *key);

/**
 * json_read_string() - A string that fits
 * @size: of @out with the NUL; a longer string is a fault
 * Return: false if the key is absent or wrong.
 */
bool json_read_string(const struct json_reader *reader, const char *key, char *out, size_t size);

/** json_read_name() - A string that is a valid object name, see json_name_ok() */
bool json_read_name(const struct json_reader *reader, const char *key, char *out, size_t size);

/** json_read_uint() - An integer within bounds; 1.0 and "1" are faults */
bool json_read_uint(const struct json_reader *reader, const char *key, uint32_t min, uint32_t max,
		    uint32_t *out);

bool json_read_bool(const struct json_reader *reader, const char *key, bool *out);

/**
 * json_read_choice() - One of a list of words
 * @words: NULL-terminated
 * Return: index in @words, or -1 if the key is absent or wrong.
 */
int json_read_choice(const struct json_reader *reader, const char *key, const char *const words[]);

/** json_name_ok() - 1-63 characters of A-Z a-z 0-9 . _ : / - */
bool json_name_ok(const char *name);

#endif
