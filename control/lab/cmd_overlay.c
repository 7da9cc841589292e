/* SPDX-License-Identifier: BSD-3-Clause */
/* uplink, vtep and vni, mirror and sflow: by hand, on a netloomd that runs or is started for it. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/daemon.h"
#include "lab/rpc.h"

enum value_kind {
	VALUE_TEXT,
	VALUE_NUMBER,
	VALUE_NUMBER_OR_WORD,
	VALUE_LIST,
	VALUE_NEIGHBOURS,
	VALUE_SWITCH
};

/* What a user may set of an object: option, key of the RPC, how it is written. */
struct field {
	const char *option, *key;
	enum value_kind kind;
};

struct object {
	const char *noun;	    /* and the RPC's prefix: noun.list, noun.set, noun.delete */
	const char *list_key;	    /* of the list's answer */
	const char *id_key;	    /* "name", or "vni", which is a number */
	const struct field *fields; /* ends with a NULL option */
};

#define FIELDS_MAX 18

static const struct field uplink_fields[] = {
	{"interface", "ifname", VALUE_TEXT},	      {"local", "local", VALUE_LIST},
	{"udp-port", "udp_port", VALUE_NUMBER},	      {"mode", "mode", VALUE_TEXT},
	{"source-ports", "source_ports", VALUE_TEXT}, {"pci", "pci", VALUE_TEXT},
	{"addresses", "addresses", VALUE_LIST},	      {"mtu", "mtu", VALUE_NUMBER},
	{"shortcut", "shortcut", VALUE_SWITCH},	      {NULL, NULL, VALUE_TEXT}};
static const struct field vtep_fields[] = {
	{"uplink", "uplink", VALUE_TEXT},	{"remote", "remote", VALUE_TEXT},
	{"udp-port", "udp_port", VALUE_NUMBER}, {"dscp", "dscp", VALUE_NUMBER_OR_WORD},
	{"checksum", "checksum", VALUE_TEXT},	{NULL, NULL, VALUE_TEXT}};
static const struct field vni_fields[] = {
	{"switch", "switch", VALUE_TEXT},
	{"vlan", "vlan", VALUE_NUMBER},
	{"vteps", "vteps", VALUE_LIST},
	{"mtu", "mtu", VALUE_NUMBER},
	{"bum-limit", "bum_limit", VALUE_NUMBER},
	{"flood", "flood", VALUE_SWITCH},
	{"learning", "learning", VALUE_SWITCH},
	{"tag", "tag", VALUE_TEXT},
	{"too-big-limit", "too_big_limit", VALUE_NUMBER},
	{"suppress", "suppress", VALUE_SWITCH},
	{"announce", "announce", VALUE_SWITCH},
	{"learn-vteps", "learn_vteps", VALUE_SWITCH},
	{"neighbours", "neighbours", VALUE_NEIGHBOURS},
	{"liveness", "liveness", VALUE_TEXT},
	{"liveness-interval", "liveness_ms", VALUE_NUMBER},
	{"liveness-multiplier", "liveness_multiplier", VALUE_NUMBER},
	{NULL, NULL, VALUE_TEXT}};

static const struct field mirror_fields[] = {
	{"of", "of", VALUE_LIST},	  {"vlan", "vlan", VALUE_NUMBER},
	{"to", "to", VALUE_TEXT},	  {"direction", "direction", VALUE_TEXT},
	{"filter", "filter", VALUE_TEXT}, {"snaplen", "snaplen", VALUE_NUMBER},
	{NULL, NULL, VALUE_TEXT}};
static const struct field sflow_fields[] = {{"of", "of", VALUE_LIST},
					    {"collector", "collector", VALUE_TEXT},
					    {"udp-port", "udp_port", VALUE_NUMBER},
					    {"agent", "agent", VALUE_TEXT},
					    {"rate", "rate", VALUE_NUMBER},
					    {"interval", "interval_s", VALUE_NUMBER},
					    {"header", "header", VALUE_NUMBER},
					    {NULL, NULL, VALUE_TEXT}};

static const struct object object_mirror = {"mirror", "mirrors", "name", mirror_fields};
static const struct object object_sflow = {"sflow", "sflows", "name", sflow_fields};
static const struct object object_uplink = {"uplink", "uplinks", "name", uplink_fields};
static const struct object object_vtep = {"vtep", "vteps", "name", vtep_fields};
static const struct object object_vni = {"vni", "vnis", "vni", vni_fields};

/* New reference, or NULL for what is no number. */
static json_t *number_value(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	return text[0] < '0' || text[0] > '9' || *end != '\0' || number > INT_MAX
		       ? NULL
		       : json_integer((json_int_t)number);
}

/* ADDRESS=MAC, and "=router" behind it if it is one; NULL for anything else. */
static json_t *neighbour_value(const char *word)
{
	const char *mac = strchr(word, '='), *more = mac != NULL ? strchr(mac + 1, '=') : NULL;
	size_t mac_len;

	if (mac == NULL || (more != NULL && strcmp(more, "=router") != 0))
		return NULL;
	mac_len = more != NULL ? (size_t)(more - mac - 1) : strlen(mac + 1);
	return json_pack("{s:s%, s:s%, s:b}", "ip", word, (size_t)(mac - word), "mac", mac + 1,
			 mac_len, "router", more != NULL);
}

static json_t *text_value(const char *word)
{
	return json_string(word);
}

/* Comma-separated; "" is the empty list. NULL if one of them is no good. */
static json_t *list_value(const char *text, json_t *(*value)(const char *word))
{
	char *copy = strdup(text), *saved = NULL;
	json_t *list = json_array();
	bool good = copy != NULL;

	for (char *word = copy != NULL ? strtok_r(copy, ",", &saved) : NULL; word != NULL;
	     word = strtok_r(NULL, ",", &saved))
		good = json_array_append_new(list, value(word)) == 0 && good;
	free(copy);
	if (good)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *field_value(enum value_kind kind, const char *text)
{
	switch (kind) {
	case VALUE_NUMBER:
		return number_value(text);
	case VALUE_NUMBER_OR_WORD:
		return text[0] >= '0' && text[0] <= '9' ? number_value(text) : json_string(text);
	case VALUE_LIST:
		return list_value(text, text_value);
	case VALUE_NEIGHBOURS:
		return list_value(text, neighbour_value);
	case VALUE_SWITCH:
		if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
			return NULL;
		return json_boolean(strcmp(text, "on") == 0);
	default:
		return json_string(text);
	}
}

/* The settings of what is there, without its state and counters; NULL if it is not. */
static json_t *object_find(const struct object *object, struct rpc *rpc, const json_t *id,
			   struct err *err)
{
	char method[32];
	json_t *result = NULL, *found = NULL, *item, *value;
	size_t i;

	snprintf(method, sizeof(method), "%s.list", object->noun);
	if (rpc_call(rpc, method, NULL, &result, err) < 0)
		return NULL;
	json_array_foreach (json_object_get(result, object->list_key), i, item) {
		if (!json_equal(json_object_get(item, object->id_key), id))
			continue;
		found = json_object();
		for (const struct field *f = object->fields; f->option != NULL; f++) {
			value = json_object_get(item, f->key);
			if (value != NULL)
				json_object_set(found, f->key, value);
		}
		value = json_object_get(item, "owner");
		if (value != NULL)
			json_object_set(found, "owner", value);
	}
	json_decref(result);
	return found;
}

static int object_put(const struct object *object, bool is_add, const json_t *id,
		      const char *id_text, json_t *changes, struct err *err)
{
	char method[32];
	struct rpc rpc;
	json_t *merged;
	int rc = rpc_open(&rpc, err);

	if (rc < 0)
		return rc;
	merged = object_find(object, &rpc, id, err);
	if (is_add && merged != NULL)
		rc = err_set(err, EEXIST, "%s \"%s\" is there already; `netloom %s set` changes it",
			     object->noun, id_text, object->noun);
	else if (!is_add && merged == NULL)
		rc = err_set(err, ENOENT, "no %s \"%s\"", object->noun, id_text);
	if (merged == NULL)
		merged = json_object();
	json_object_update(merged, changes);
	json_object_set(merged, object->id_key, (json_t *)id);
	snprintf(method, sizeof(method), "%s.set", object->noun);
	if (rc == 0)
		rc = rpc_call(&rpc, method, merged, NULL, err); /* takes it */
	else
		json_decref(merged);
	rpc_close(&rpc);
	return rc;
}

static int object_run(const struct object *object, const char *verb, const char *id_text,
		      json_t *id, json_t *changes)
{
	struct err err = {.text = ""};
	char method[32];
	int rc = 0, hold = -1;

	if (strcmp(verb, "delete") == 0) {
		snprintf(method, sizeof(method), "%s.delete", object->noun);
		rc = rpc_once(method, json_pack("{s:O}", object->id_key, id), NULL, &err);
	} else {
		if (strcmp(verb, "add") == 0)
			rc = daemon_ensure(NULL, &hold, &err);
		if (rc == 0)
			rc = object_put(object, strcmp(verb, "add") == 0, id, id_text, changes,
					&err);
		daemon_release(&hold);
	}
	/* Also after an `add` that was refused: it may have started netloomd. */
	if (strcmp(verb, rc == 0 ? "delete" : "add") == 0)
		daemon_stop_if_idle(NULL, NULL);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}

static int object_command(const struct object *object, const struct command *command, int argc,
			  char **argv)
{
	struct option options[FIELDS_MAX] = {0};
	json_t *changes = json_object(), *id, *value;
	const char *verb;
	int key, rc, n = 0;

	for (const struct field *f = object->fields; f->option != NULL; f++, n++)
		options[n] = (struct option){f->option, required_argument, NULL, 256 + n};
	while ((key = cli_option(command, argc, argv, "", options)) != -1) {
		const struct field *field = &object->fields[key - 256];

		value = field_value(field->kind, optarg);
		if (value == NULL) {
			json_decref(changes);
			return cli_usage(command, "--%s: \"%.40s\" is no good value", field->option,
					 optarg);
		}
		json_object_set_new(changes, field->key, value);
	}
	verb = argc - optind == 2 ? argv[optind] : "";
	if (strcmp(verb, "add") != 0 && strcmp(verb, "set") != 0 && strcmp(verb, "delete") != 0) {
		json_decref(changes);
		return cli_usage(command, "add, set or delete, and a %s", object->id_key);
	}
	id = strcmp(object->id_key, "vni") == 0 ? number_value(argv[optind + 1])
						: json_string(argv[optind + 1]);
	if (id == NULL) {
		json_decref(changes);
		return cli_usage(command, "\"%.40s\" is no VNI: 1 to 16777215", argv[optind + 1]);
	}
	rc = object_run(object, verb, argv[optind + 1], id, changes);
	json_decref(changes);
	json_decref(id);
	return rc;
}

int cmd_uplink(const struct command *command, int argc, char **argv)
{
	return object_command(&object_uplink, command, argc, argv);
}

int cmd_vtep(const struct command *command, int argc, char **argv)
{
	return object_command(&object_vtep, command, argc, argv);
}

int cmd_mirror(const struct command *command, int argc, char **argv)
{
	return object_command(&object_mirror, command, argc, argv);
}

int cmd_sflow(const struct command *command, int argc, char **argv)
{
	return object_command(&object_sflow, command, argc, argv);
}

int cmd_vni(const struct command *command, int argc, char **argv)
{
	return object_command(&object_vni, command, argc, argv);
}
