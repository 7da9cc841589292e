/* SPDX-License-Identifier: BSD-3-Clause */
#include "json_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "port.h"

bool json_reader_init(struct json_reader *reader, const json_t *object, struct problems *problems,
		      const char *what, ...)
{
	va_list args;

	reader->object = object;
	reader->problems = problems;
	va_start(args, what);
	vsnprintf(reader->what, sizeof(reader->what), what, args);
	va_end(args);
	if (json_is_object(object))
		return true;
	problems_add(problems, PROBLEM_PARAMS, "%s: must be a JSON object", reader->what);
	return false;
}

void json_read_keys(const struct json_reader *reader, const char *const known[])
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)reader->object, key, value) {
		bool found = false;

		for (size_t i = 0; known != NULL && known[i] != NULL && !found; i++)
			found = strcmp(known[i], key) == 0;
		if (!found)
			problems_add(reader->problems, PROBLEM_PARAMS, "%s: unknown key \"%.64s\"",
				     reader->what, key);
	}
}

bool json_read_has(const struct json_reader *reader, const char *key)
{
	return json_object_get(reader->object, key) != NULL;
}

bool json_read_need(const struct json_reader *reader, const char *key)
{
	if (json_read_has(reader, key))
		return true;
	problems_add(reader->problems, PROBLEM_PARAMS, "%s: key \"%s\" is missing", reader->what,
		     key);
	return false;
}

bool json_read_string(const struct json_reader *reader, const char *key, char *out, size_t size)
{
	const json_t *value = json_object_get(reader->object, key);

	if (value == NULL)
		return false;
	if (!json_is_string(value)) {
		problems_add(reader->problems, PROBLEM_PARAMS, "%s: \"%s\" must be a string",
			     reader->what, key);
		return false;
	}
	if (json_string_length(value) >= size) {
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"%s\" has %zu characters, at most %zu are possible",
			     reader->what, key, json_string_length(value), size - 1);
		return false;
	}
	memset(out, 0, size);
	memcpy(out, json_string_value(value), json_string_length(value));
	return true;
}

bool json_name_ok(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789._:/-");

	return len >= 1 && len < PORT_NAME_MAX && name[len] == '\0';
}

bool json_read_name(const struct json_reader *reader, const char *key, char *out, size_t size)
{
	char name[PORT_NAME_MAX];

	if (!json_read_string(reader, key, name, sizeof(name)))
		return false;
	if (!json_name_ok(name)) {
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"%s\": \"%s\" is no name: 1-63 of A-Z a-z 0-9 . _ : / -",
			     reader->what, key, name);
		return false;
	}
	memset(out, 0, size);
	memcpy(out, name, strlen(name) < size ? strlen(name) : size - 1);
	return true;
}

bool json_read_uint(const struct json_reader *reader, const char *key, uint32_t min, uint32_t max,
		    uint32_t *out)
{
	const json_t *value = json_object_get(reader->object, key);

	if (value == NULL)
		return false;
	if (!json_is_integer(value)) {
		problems_add(reader->problems, PROBLEM_PARAMS, "%s: \"%s\" must be an integer",
			     reader->what, key);
		return false;
	}
	if (json_integer_value(value) < (json_int_t)min ||
	    json_integer_value(value) > (json_int_t)max) {
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"%s\" is %lld, must be within %u..%u", reader->what, key,
			     (long long)json_integer_value(value), min, max);
		return false;
	}
	*out = (uint32_t)json_integer_value(value);
	return true;
}

bool json_read_bool(const struct json_reader *reader, const char *key, bool *out)
{
	const json_t *value = json_object_get(reader->object, key);

	if (value == NULL)
		return false;
	if (!json_is_boolean(value)) {
		problems_add(reader->problems, PROBLEM_PARAMS, "%s: \"%s\" must be true or false",
			     reader->what, key);
		return false;
	}
	*out = json_is_true(value);
	return true;
}

int json_read_choice(const struct json_reader *reader, const char *key, const char *const words[])
{
	const json_t *value = json_object_get(reader->object, key);
	char list[96] = "";
	size_t used = 0;

	if (value == NULL)
		return -1;
	for (int i = 0; words[i] != NULL; i++) {
		if (json_is_string(value) && strcmp(json_string_value(value), words[i]) == 0)
			return i;
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 i == 0 ? "" : ", ", words[i]);
		if (used >= sizeof(list))
			break;
	}
	problems_add(reader->problems, PROBLEM_PARAMS, "%s: \"%s\" must be one of: %s",
		     reader->what, key, list);
	return -1;
}
