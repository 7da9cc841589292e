/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "topo/suggest.h"

#define VALUE_ITEMS_MAX 256 /* of a list or map that every node may inherit */

bool value_is_kind(const struct value_reader *r, const char *key, const struct tree_node *value,
		   enum tree_kind kind)
{
	if (value->kind == kind)
		return true;
	diag_error(r->diags, value->line, "%s: `%s` must be %s, not %s", r->who, key,
		   tree_kind_name(kind), tree_kind_name(value->kind));
	return false;
}

bool value_string(const struct value_reader *r, const char *key, const struct tree_node *value,
		  const char **out)
{
	if (!value_is_kind(r, key, value, TREE_SCALAR))
		return false;
	if (value->text[0] == '\0') {
		diag_error(r->diags, value->line, "%s: `%s` has no value", r->who, key);
		return false;
	}
	*out = value->text;
	return true;
}

/* Decimal digits only, no sign, no spaces. */
static bool text_uint(const char *text, unsigned long long *out)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

bool value_uint(const struct value_reader *r, const char *key, const struct tree_node *value,
		unsigned int min, unsigned int max, unsigned int *out)
{
	unsigned long long number;
	const char *text;

	if (!value_string(r, key, value, &text))
		return false;
	if (!text_uint(text, &number) || number < min || number > max) {
		diag_error(r->diags, value->line,
			   "%s: `%s: %.40s` is not a whole number from %u to %u", r->who, key, text,
			   min, max);
		return false;
	}
	*out = (unsigned int)number;
	return true;
}

bool value_bool(const struct value_reader *r, const char *key, const struct tree_node *value,
		bool *out)
{
	static const char *const yes[] = {"true", "yes", "on"};
	static const char *const no[] = {"false", "no", "off"};
	const char *text;

	if (!value_string(r, key, value, &text))
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*out = true;
			return true;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*out = false;
			return true;
		}
	}
	diag_error(r->diags, value->line, "%s: `%s: %.40s` is neither true nor false", r->who, key,
		   text);
	return false;
}

bool value_memory(const struct value_reader *r, const struct tree_node *value, unsigned int *out)
{
	unsigned long long number;
	const char *text;
	char *end;

	if (!value_string(r, "memory", value, &text))
		return false;
	errno = 0;
	number = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 10) : (end = NULL, 0);
	if (end == NULL || errno != 0 || number > 1u << 24)
		goto bad;
	if (strcasecmp(end, "g") == 0 || strcasecmp(end, "gb") == 0 || strcasecmp(end, "gib") == 0)
		number *= 1024;
	else if (*end != '\0' && strcasecmp(end, "m") != 0 && strcasecmp(end, "mb") != 0 &&
		 strcasecmp(end, "mib") != 0)
		goto bad;
	if (number < TOPO_MEMORY_MIN_MIB) {
		diag_error(
			r->diags, value->line,
			"%s: `memory: %.40s` is less than the %d MiB that a kernel needs to boot",
			r->who, text, TOPO_MEMORY_MIN_MIB);
		return false;
	}
	if (number > 1u << 24)
		goto bad;
	*out = (unsigned int)number;
	return true;
bad:
	diag_error(r->diags, value->line, "%s: `memory: %.40s` is not a size; write 256M or 1G",
		   r->who, text);
	return false;
}

bool value_seconds(const struct value_reader *r, const char *key, const struct tree_node *value,
		   unsigned int max, unsigned int *out)
{
	unsigned long long number;
	const char *text;
	char *end;

	if (!value_string(r, key, value, &text))
		return false;
	errno = 0;
	number = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 10) : (end = NULL, 0);
	if (end != NULL && strcmp(end, "m") == 0 && number <= max)
		number *= 60;
	else if (end == NULL || (*end != '\0' && strcmp(end, "s") != 0))
		errno = EINVAL;
	if (errno != 0 || number > max) {
		diag_error(r->diags, value->line,
			   "%s: `%s: %.40s` is not a time up to %u seconds; write 5, 5s or 2m",
			   r->who, key, text, max);
		return false;
	}
	*out = (unsigned int)number;
	return true;
}

bool value_choice(const struct value_reader *r, const char *key, const struct tree_node *value,
		  const char *const *words, size_t n_words, unsigned int *out)
{
	char list[160] = "";
	const char *meant;
	const char *text;

	if (!value_string(r, key, value, &text))
		return false;
	for (size_t i = 0; i < n_words; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = (unsigned int)i;
			return true;
		}
		if (i > 0)
			strncat(list, i + 1 == n_words ? " or " : ", ",
				sizeof(list) - strlen(list) - 1);
		strncat(list, words[i], sizeof(list) - strlen(list) - 1);
	}
	meant = suggest_word(text, words, n_words);
	if (meant != NULL)
		diag_error(r->diags, value->line,
			   "%s: `%s: %.40s` is unknown (%s); did you mean \"%s\"?", r->who, key,
			   text, list, meant);
	else
		diag_error(r->diags, value->line, "%s: `%s: %.40s` is unknown; it is %s", r->who,
			   key, text, list);
	return false;
}

bool value_strings(const struct value_reader *r, const char *key, const struct tree_node *value,
		   struct topo_strings *out)
{
	size_t n = value->kind == TREE_SEQUENCE ? value->n : 1;
	bool good = true;

	if (value->kind == TREE_MAP)
		return value_is_kind(r, key, value, TREE_SEQUENCE);
	if (n > VALUE_ITEMS_MAX) {
		diag_error(r->diags, value->line, "%s: `%s` has %zu items; at most %d", r->who, key,
			   n, VALUE_ITEMS_MAX);
		return false;
	}
	out->items = arena_alloc(r->arena, n * sizeof(*out->items));
	out->n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct tree_node *item =
			value->kind == TREE_SEQUENCE ? value->items[i] : value;

		if (value_string(r, key, item, &out->items[out->n]))
			out->n++;
		else
			good = false;
	}
	return good;
}

bool value_pairs(const struct value_reader *r, const char *key, const struct tree_node *value,
		 struct topo_pairs *out)
{
	struct topo_pair *items;
	bool good = true;

	if (!value_is_kind(r, key, value, TREE_MAP))
		return false;
	if (out->n + value->n > VALUE_ITEMS_MAX) {
		diag_error(r->diags, value->line, "%s: `%s` has more than %d items", r->who, key,
			   VALUE_ITEMS_MAX);
		return false;
	}
	items = arena_grow(r->arena, out->items, out->n * sizeof(*items),
			   (out->n + value->n) * sizeof(*items));
	out->items = items;
	for (size_t i = 0; i < value->n; i++) {
		const struct tree_node *item = value->items[2 * i + 1];
		const char *name = value->items[2 * i]->text;
		bool known = false;

		for (size_t j = 0; j < out->n && !known; j++)
			known = strcmp(out->items[j].key, name) == 0;
		if (known)
			continue;
		if (!value_is_kind(r, name, item, TREE_SCALAR)) {
			good = false;
			continue;
		}
		out->items[out->n].key = name;
		out->items[out->n++].value = item->text;
	}
	return good;
}

bool value_vid(const struct value_reader *r, const struct tree_node *value, const char *text,
	       uint16_t *out)
{
	unsigned long long number;

	if (!text_uint(text, &number)) {
		diag_error(r->diags, value->line, "%s: VLAN \"%.40s\" is not a number from 1 to %d",
			   r->who, text, TOPO_VID_MAX);
		return false;
	}
	if (number == 0) {
		diag_error(r->diags, value->line,
			   "%s: VLAN 0 means \"priority only, no VLAN\"; use 1 to %d", r->who,
			   TOPO_VID_MAX);
		return false;
	}
	if (number == 4095) {
		diag_error(r->diags, value->line,
			   "%s: VLAN 4095 is reserved by IEEE 802.1Q; use 1 to %d", r->who,
			   TOPO_VID_MAX);
		return false;
	}
	if (number > 4095) {
		diag_error(r->diags, value->line,
			   "%s: VLAN %.40s does not fit the tag's 12 bits; use 1 to %d", r->who,
			   text, TOPO_VID_MAX);
		return false;
	}
	*out = (uint16_t)number;
	return true;
}

bool value_cidr(const struct value_reader *r, const char *key, const struct tree_node *value,
		int family, struct topo_address *out)
{
	unsigned int max = family == AF_INET ? 32 : 128;
	const char *example = family == AF_INET ? "10.0.10.1/24" : "2001:db8::1/64";
	unsigned long long prefix_len;
	const char *slash;
	const char *text;
	char host[64];

	if (!value_string(r, key, value, &text))
		return false;
	slash = strchr(text, '/');
	if (slash == NULL || (size_t)(slash - text) >= sizeof(host)) {
		diag_error(r->diags, value->line,
			   "%s: `%s: %.60s` has no prefix length; write it like %s", r->who, key,
			   text, example);
		return false;
	}
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	if (inet_pton(family, host, out->bytes) != 1 || !text_uint(slash + 1, &prefix_len) ||
	    prefix_len > max) {
		diag_error(r->diags, value->line, "%s: `%s: %.60s` is not an address like %s",
			   r->who, key, text, example);
		return false;
	}
	out->family = family;
	out->prefix_len = (uint8_t)prefix_len;
	out->text = text;
	out->line = value->line;
	return true;
}

void value_keys_check(const struct value_reader *r, const struct tree_node *map,
		      const char *const *keys, size_t n_keys)
{
	if (map->kind != TREE_MAP)
		return;
	for (size_t i = 0; i < map->n; i++) {
		const struct tree_node *key = map->items[2 * i];
		const char *meant;
		bool known = false;

		for (size_t k = 0; k < n_keys && !known; k++)
			known = strcmp(key->text, keys[k]) == 0;
		if (known)
			continue;
		meant = suggest_word(key->text, keys, n_keys);
		if (meant != NULL)
			diag_error(r->diags, key->line,
				   "%s: unknown key `%.60s`; did you mean `%s`?", r->who, key->text,
				   meant);
		else
			diag_error(r->diags, key->line, "%s: unknown key `%.60s`", r->who,
				   key->text);
	}
}

bool value_is_name(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len == 0 || len > max || text[0] == '.' || text[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80 || (!isalnum(c) && c != '.' && c != '_' && c != '-'))
			return false;
	}
	return true;
}
