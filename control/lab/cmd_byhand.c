/* SPDX-License-Identifier: BSD-3-Clause */
/* switch, port and wire: netloomd by hand, for people with VMs of their own. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/daemon.h"
#include "lab/rpc.h"

/* Paths are netloomd's to open, from a folder of its own: make them absolute, also those not there yet. */
static json_t *path_absolute(const char *path)
{
	char cwd[PATH_MAX];

	if (path[0] == '/' || realpath(".", cwd) == NULL)
		return json_string(path);
	return json_sprintf("%s/%s", cwd, path);
}

static int number_set(json_t *object, const char *key, const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (text[0] == '\0' || *end != '\0' || number > INT_MAX)
		return -EINVAL;
	return json_object_set_new(object, key, json_integer((json_int_t)number));
}

static json_t *trunk_list(const char *text)
{
	char *copy = strdup(text);
	json_t *list = json_array();
	char *saved = NULL;

	if (strcmp(text, "all") == 0) {
		json_decref(list);
		free(copy);
		return json_string("all");
	}
	for (char *word = strtok_r(copy, ",", &saved); word != NULL;
	     word = strtok_r(NULL, ",", &saved)) {
		char *end;
		unsigned long vid = strtoul(word, &end, 10);

		/* Ranges, and whatever is no number: netloomd says what is wrong with it. */
		if (*end == '\0' && vid <= INT_MAX)
			json_array_append_new(list, json_integer((json_int_t)vid));
		else
			json_array_append_new(list, json_string(word));
	}
	free(copy);
	return list;
}

/* What exists, by name, from a list method; new reference or NULL. */
static json_t *object_find(struct rpc *rpc, const char *method, const char *key, const char *name,
			   struct err *err)
{
	json_t *result = NULL;
	json_t *found = NULL;
	json_t *item;
	size_t i;

	if (rpc_call(rpc, method, NULL, &result, err) < 0)
		return NULL;
	json_array_foreach (json_object_get(result, key), i, item) {
		const char *this = json_string_value(json_object_get(item, "name"));

		if (this != NULL && strcmp(this, name) == 0)
			found = json_incref(item);
	}
	json_decref(result);
	return found;
}

struct byhand {
	const char *noun; /* "switch", "port" */
	const char *list; /* method and key of the list */
	const char *list_key;
	const char *set; /* method */
	const char *remove;
	const char *const
		*keys; /* of the object that a user sets; the rest of a list item is state */
};

static const char *const switch_keys[] = {"name",      "ageing_s", "learning", "reserved",
					  "peer_port", "owner",	   NULL};
static const char *const port_keys[] = {
	"name",	  "owner",  "type",    "mtu",	    "admin",  "fdb_limit", "sticky", "socket",
	"server", "queues", "rx_file", "tx_file",   "peer",   "switch",	   "vlan",   "wire",
	"ifname", "netns",  "mac",     "addresses", "erspan", NULL};
static const struct byhand by_switch = {"switch",     "switch.list",   "switches",
					"switch.set", "switch.delete", switch_keys};
static const struct byhand by_port = {"port",	  "port.list",	 "ports",
				      "port.set", "port.delete", port_keys};

/* In a list, rx and tx are counters, and a pcap port's files are rx_file and tx_file. */
static const char *set_key(const char *list_key)
{
	if (strcmp(list_key, "rx_file") == 0)
		return "rx";
	return strcmp(list_key, "tx_file") == 0 ? "tx" : list_key;
}

/* add: must not be there. set: what is there, with the changes laid over it. */
static int object_put(const struct byhand *by, const char *verb, const char *name, json_t *changes,
		      struct err *err)
{
	bool is_add = strcmp(verb, "add") == 0;
	json_t *object = json_object();
	struct rpc rpc;
	json_t *old;
	int rc = rpc_open(&rpc, err);

	if (rc < 0) {
		json_decref(object);
		return rc;
	}
	old = object_find(&rpc, by->list, by->list_key, name, err);
	if (is_add && old != NULL)
		rc = err_set(err, EEXIST, "%s \"%s\" is there already; `netloom %s set` changes it",
			     by->noun, name, by->noun);
	else if (!is_add && old == NULL)
		rc = err_set(err, ENOENT, "no %s \"%s\"", by->noun, name);
	for (size_t i = 0; old != NULL && by->keys[i] != NULL; i++) {
		json_t *value = json_object_get(old, by->keys[i]);

		if (value != NULL && !json_is_null(value))
			json_object_set(object, set_key(by->keys[i]), value);
	}
	json_decref(old);
	if (json_object_get(changes, "wire") != NULL ||
	    json_object_get(changes, "switch") != NULL) {
		json_object_del(object, "switch");
		json_object_del(object, "wire");
		json_object_del(object, "vlan");
	}
	json_object_update(object, changes);
	json_object_set_new(object, "name", json_string(name));
	if (rc == 0)
		rc = rpc_call(&rpc, by->set, object, NULL, err);
	else
		json_decref(object);
	rpc_close(&rpc);
	return rc;
}

/* The common end of `switch` and `port`. Steals @changes. */
static int byhand_run(const struct command *command, const struct byhand *by, int argc, char **argv,
		      json_t *changes)
{
	struct err err = {.text = ""};
	const char *verb = argv[optind];
	int hold = -1;
	int rc = 0;

	if (argc - optind != 2 ||
	    (strcmp(verb, "add") != 0 && strcmp(verb, "set") != 0 && strcmp(verb, "delete") != 0)) {
		json_decref(changes);
		return cli_usage(command, "add, set or delete, and a name");
	}
	if (strcmp(verb, "delete") == 0) {
		rc = rpc_once(by->remove, json_pack("{s:s}", "name", argv[optind + 1]), NULL, &err);
	} else {
		if (strcmp(verb, "add") == 0)
			rc = daemon_ensure(NULL, &hold, &err);
		if (rc == 0)
			rc = object_put(by, verb, argv[optind + 1], changes, &err);
		daemon_release(&hold);
	}
	json_decref(changes);
	/* Also after an `add` that was refused: it may have started netloomd. */
	if (strcmp(verb, rc == 0 ? "delete" : "add") == 0)
		daemon_stop_if_idle(NULL, NULL);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}

int cmd_switch(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"ageing", required_argument, NULL, 'a'},
						{"reserved", required_argument, NULL, 'r'},
						{"learning", required_argument, NULL, 'l'},
						{0}};
	json_t *changes = json_object();
	int rc = 0;
	int key;

	while ((key = cli_option(command, argc, argv, "", options)) != -1) {
		if (key == 'a')
			rc = number_set(changes, "ageing_s", optarg);
		else if (key == 'r')
			rc = json_object_set_new(changes, "reserved", json_string(optarg));
		else if (strcmp(optarg, "on") == 0 || strcmp(optarg, "off") == 0)
			json_object_set_new(changes, "learning",
					    json_boolean(strcmp(optarg, "on") == 0));
		else
			rc = -EINVAL;
		if (rc < 0) {
			json_decref(changes);
			return cli_usage(command, "\"%.40s\" is no good value", optarg);
		}
	}
	return byhand_run(command, &by_switch, argc, argv, changes);
}

static json_t *address_list(const char *text)
{
	char *copy = strdup(text), *saved = NULL;
	json_t *list = json_array();

	for (char *word = copy != NULL ? strtok_r(copy, ",", &saved) : NULL; word != NULL;
	     word = strtok_r(NULL, ",", &saved))
		json_array_append_new(list, json_string(word));
	free(copy);
	return list;
}

/* One option of `port`. Return: 0 or -EINVAL. */
static json_t *erspan_of(json_t *port)
{
	if (json_object_get(port, "erspan") == NULL)
		json_object_set_new(port, "erspan", json_object());
	return json_object_get(port, "erspan");
}

static int port_option(int key, const char *value, json_t *port, json_t *vlan)
{
	switch (key) {
	case 's':
		json_object_set_new(port, "type", json_string("vhost-user"));
		return json_object_set_new(port, "socket", path_absolute(value));
	case 'S':
		return json_object_set_new(port, "server", json_true());
	case 'w':
		return json_object_set_new(port, "switch", json_string(value));
	case 'a':
		return number_set(vlan, "access", value);
	case 't':
		return json_object_set_new(vlan, "trunk", trunk_list(value));
	case 'u':
		return number_set(vlan, "tunnel", value);
	case 'n':
		return number_set(vlan, "native", value);
	case 'T':
		return json_object_set_new(vlan, "tpid", json_string(value));
	case 'W':
		return json_object_set_new(port, "wire", json_string(value));
	case 'p':
		json_object_set_new(port, "type", json_string("patch"));
		return json_object_set_new(port, "peer", json_string(value));
	case 'i':
		json_object_set_new(port, "type", json_string("tap"));
		return json_object_set_new(port, "ifname", json_string(value));
	case 'N':
		return json_object_set_new(port, "netns", json_string(value));
	case 'D':
		return json_object_set_new(port, "addresses", address_list(value));
	case 'E':
		json_object_set_new(port, "type", json_string("erspan"));
		return json_object_set_new(erspan_of(port), "remote", json_string(value));
	case 'I':
		return number_set(erspan_of(port), "session", value);
	case 'Y':
		return number_set(erspan_of(port), "type", value);
	case 'm':
		return number_set(port, "mtu", value);
	case 'q':
		return number_set(port, "queues", value);
	default:
		return json_object_set_new(port, "admin", json_string(value));
	}
}

int cmd_port(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
						{"server", no_argument, NULL, 'S'},
						{"switch", required_argument, NULL, 'w'},
						{"access", required_argument, NULL, 'a'},
						{"trunk", required_argument, NULL, 't'},
						{"tunnel", required_argument, NULL, 'u'},
						{"native", required_argument, NULL, 'n'},
						{"tpid", required_argument, NULL, 'T'},
						{"wire", required_argument, NULL, 'W'},
						{"patch", required_argument, NULL, 'p'},
						{"mtu", required_argument, NULL, 'm'},
						{"queues", required_argument, NULL, 'q'},
						{"admin", required_argument, NULL, 'A'},
						{"tap", required_argument, NULL, 'i'},
						{"netns", required_argument, NULL, 'N'},
						{"address", required_argument, NULL, 'D'},
						{"erspan", required_argument, NULL, 'E'},
						{"session", required_argument, NULL, 'I'},
						{"erspan-type", required_argument, NULL, 'Y'},
						{0}};
	json_t *port = json_object();
	json_t *vlan = json_object();
	int key;

	while ((key = cli_option(command, argc, argv, "", options)) != -1) {
		if (port_option(key, optarg, port, vlan) < 0) {
			json_decref(port);
			json_decref(vlan);
			return cli_usage(command, "\"%.40s\" is no good value", optarg);
		}
	}
	if (json_object_size(vlan) > 0)
		json_object_set(port, "vlan", vlan);
	json_decref(vlan);
	return byhand_run(command, &by_port, argc, argv, port);
}

static json_t *wire_port(const char *name, int end, const char *socket)
{
	return json_pack("{s:o, s:s, s:o, s:o}", "name", json_sprintf("%s:%d", name, end), "type",
			 "vhost-user", "socket", path_absolute(socket), "wire",
			 json_sprintf("%s:%d", name, 3 - end));
}

/* A name nobody has: wire-1, wire-2, ... */
static int wire_name(char *name, size_t size, struct err *err)
{
	struct rpc rpc;
	int rc = rpc_open(&rpc, err);

	for (int i = 1; rc == 0 && i < 10000; i++) {
		json_t *old;
		char port[32];

		snprintf(name, size, "wire-%d", i);
		snprintf(port, sizeof(port), "%s:1", name);
		old = object_find(&rpc, "port.list", "ports", port, err);
		json_decref(old);
		if (old == NULL)
			break;
	}
	if (rc == 0)
		rpc_close(&rpc);
	return rc;
}

int cmd_wire(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"name", required_argument, NULL, 'n'},
						{"delete", required_argument, NULL, 'd'},
						{0}};
	struct err err = {.text = ""};
	const char *removed = NULL;
	char name[64] = "";
	int hold = -1;
	int key;
	int rc;

	while ((key = cli_option(command, argc, argv, "n:", options)) != -1) {
		if (key == 'd')
			removed = optarg;
		else
			snprintf(name, sizeof(name), "%s", optarg);
	}
	if (removed != NULL) {
		if (argc != optind)
			return cli_usage(command, "--delete takes only the wire's name");
		rc = rpc_once("apply",
			      json_pack("{s:s, s:[], s:[]}", "owner", removed, "switches", "ports"),
			      NULL, &err);
		if (rc == 0)
			daemon_stop_if_idle(NULL, &err);
		return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
	}
	if (argc - optind != 2)
		return cli_usage(command, "two sockets, please");
	rc = daemon_ensure(NULL, &hold, &err);
	if (rc == 0 && name[0] == '\0')
		rc = wire_name(name, sizeof(name), &err);
	/* Both ends in one transaction, as each must name the other. */
	if (rc == 0)
		rc = rpc_once("apply",
			      json_pack("{s:s, s:[], s:[o, o]}", "owner", name, "switches", "ports",
					wire_port(name, 1, argv[optind]),
					wire_port(name, 2, argv[optind + 1])),
			      NULL, &err);
	daemon_release(&hold);
	if (rc < 0) {
		daemon_stop_if_idle(NULL, NULL);
		return cli_fail(rc, &err);
	}
	printf("%s joins %s and %s; `netloom wire --delete %s` takes it away\n", name, argv[optind],
	       argv[optind + 1], name);
	return CLI_OK;
}
