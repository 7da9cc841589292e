/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_eyes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "json_read.h"
#include "model.h"
#include "model_parse.h"
#include "probe/filter.h"

#define RATE_MAX     (1u << 24)
#define HEADER_MAX   512
#define INTERVAL_MAX 3600

static const char *const direction_words[] = {"both", "in", "out", NULL};

static bool reader_open(struct json_reader *reader, const json_t *value, const char *kind,
			const char *place, struct problems *problems)
{
	const char *name = json_string_value(json_object_get(value, "name"));

	if (name != NULL && json_name_ok(name))
		return json_reader_init(reader, value, problems, "%s \"%s\"", kind, name);
	return json_reader_init(reader, value, problems, "%s", place);
}

static void of_parse(const struct json_reader *reader, struct model_eyes_of *of)
{
	const json_t *list = json_object_get(reader->object, "of");

	if (!json_read_need(reader, "of"))
		return;
	if (!json_is_array(list) || json_array_size(list) == 0 ||
	    json_array_size(list) > MODEL_EYES_OF_MAX) {
		problems_add(
			reader->problems, PROBLEM_PARAMS,
			"%s: \"of\" must be a list of 1 to %d names of ports, switches or labs",
			reader->what, MODEL_EYES_OF_MAX);
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (name == NULL || !json_name_ok(name)) {
			problems_add(reader->problems, PROBLEM_PARAMS,
				     "%s: \"of\": an item is no name", reader->what);
			return;
		}
		memcpy(of->names[of->n++], name, strlen(name));
	}
}

static json_t *of_print(const struct model_eyes_of *of)
{
	json_t *list = json_array();

	for (uint16_t i = 0; i < of->n; i++)
		json_array_append_new(list, json_string(of->names[i]));
	return list;
}

static bool ip_parse(const char *text, struct vxlan_ip *ip)
{
	memset(ip, 0, sizeof(*ip));
	if (inet_pton(AF_INET, text, ip->b) == 1)
		return true;
	ip->is_v6 = 1;
	return inet_pton(AF_INET6, text, ip->b) == 1;
}

static void address_read(const struct json_reader *reader, const char *key, struct vxlan_ip *ip)
{
	char text[64];

	if (json_read_string(reader, key, text, sizeof(text)) && !ip_parse(text, ip))
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"%s\": \"%s\" is no address such as \"192.0.2.2\" or "
			     "\"2001:db8::2\"",
			     reader->what, key, text);
}

void model_mirror_parse(const json_t *value, const char *place, struct model_mirror *mirror,
			struct problems *problems)
{
	static const char *const keys[] = {"name", "owner",  "of",	"vlan", "direction",
					   "to",   "filter", "snaplen", NULL};
	struct filter *filter = NULL;
	struct err err = {.text = ""};
	struct json_reader reader;
	uint32_t vid = 0;
	int direction;

	memset(mirror, 0, sizeof(*mirror));
	if (!reader_open(&reader, value, "mirror", place, problems))
		return;
	json_read_keys(&reader, keys);
	json_read_need(&reader, "name");
	json_read_name(&reader, "name", mirror->name, sizeof(mirror->name));
	json_read_name(&reader, "owner", mirror->owner, sizeof(mirror->owner));
	of_parse(&reader, &mirror->of);
	json_read_uint(&reader, "vlan", 1, VLAN_VID_MAX, &vid);
	mirror->vid = (uint16_t)vid;
	/* A VLAN's frames come in once and go out often: one copy of each is what is meant. */
	direction = json_read_choice(&reader, "direction", direction_words);
	mirror->in = direction < 0 || direction == 0 || direction == 1;
	mirror->out = direction < 0 ? vid == 0 : direction != 1;
	if (json_read_need(&reader, "to"))
		json_read_name(&reader, "to", mirror->to, sizeof(mirror->to));
	json_read_uint(&reader, "snaplen", 14, FRAME_LEN_MAX, &mirror->snaplen);
	if (!json_read_string(&reader, "filter", mirror->filter, sizeof(mirror->filter)) ||
	    mirror->filter[0] == '\0')
		return;
	if (filter_compile(mirror->filter, &filter, &err) != 0)
		problems_add(problems, PROBLEM_PARAMS, "%s: %s", reader.what, err.text);
	filter_free(filter);
}

json_t *model_mirror_print(const struct model_mirror *mirror)
{
	json_t *object = json_object();
	int direction = mirror->in && mirror->out ? 0 : mirror->in ? 1 : 2;

	json_object_set_new(object, "name", json_string(mirror->name));
	if (mirror->owner[0] != '\0')
		json_object_set_new(object, "owner", json_string(mirror->owner));
	json_object_set_new(object, "of", of_print(&mirror->of));
	if (mirror->vid != 0)
		json_object_set_new(object, "vlan", json_integer(mirror->vid));
	json_object_set_new(object, "direction", json_string(direction_words[direction]));
	json_object_set_new(object, "to", json_string(mirror->to));
	if (mirror->filter[0] != '\0')
		json_object_set_new(object, "filter", json_string(mirror->filter));
	if (mirror->snaplen != 0)
		json_object_set_new(object, "snaplen", json_integer(mirror->snaplen));
	return object;
}

void model_sflow_parse(const json_t *value, const char *place, struct model_sflow *sflow,
		       struct problems *problems)
{
	static const char *const keys[] = {"name",  "owner", "of",	   "collector", "udp_port",
					   "agent", "rate",  "interval_s", "header",	NULL};
	uint32_t udp_port = MODEL_SFLOW_PORT;
	struct json_reader reader;

	memset(sflow, 0, sizeof(*sflow));
	sflow->rate = 1024;
	sflow->interval_s = 20;
	sflow->header = 128;
	if (!reader_open(&reader, value, "sflow", place, problems))
		return;
	json_read_keys(&reader, keys);
	json_read_need(&reader, "name");
	json_read_name(&reader, "name", sflow->name, sizeof(sflow->name));
	json_read_name(&reader, "owner", sflow->owner, sizeof(sflow->owner));
	of_parse(&reader, &sflow->of);
	if (json_read_need(&reader, "collector"))
		address_read(&reader, "collector", &sflow->collector);
	address_read(&reader, "agent", &sflow->agent);
	json_read_uint(&reader, "udp_port", 1, 65535, &udp_port);
	sflow->udp_port = (uint16_t)udp_port;
	json_read_uint(&reader, "rate", 1, RATE_MAX, &sflow->rate);
	json_read_uint(&reader, "interval_s", 0, INTERVAL_MAX, &sflow->interval_s);
	json_read_uint(&reader, "header", 14, HEADER_MAX, &sflow->header);
}

json_t *model_sflow_print(const struct model_sflow *sflow)
{
	static const struct vxlan_ip none;
	json_t *object = json_object();
	char text[46];

	json_object_set_new(object, "name", json_string(sflow->name));
	if (sflow->owner[0] != '\0')
		json_object_set_new(object, "owner", json_string(sflow->owner));
	json_object_set_new(object, "of", of_print(&sflow->of));
	model_ip_print(&sflow->collector, text);
	json_object_set_new(object, "collector", json_string(text));
	json_object_set_new(object, "udp_port", json_integer(sflow->udp_port));
	if (!vxlan_ip_equal(&sflow->agent, &none)) {
		model_ip_print(&sflow->agent, text);
		json_object_set_new(object, "agent", json_string(text));
	}
	json_object_set_new(object, "rate", json_integer(sflow->rate));
	json_object_set_new(object, "interval_s", json_integer(sflow->interval_s));
	json_object_set_new(object, "header", json_integer(sflow->header));
	return object;
}

void model_erspan_parse(const struct json_reader *reader, struct erspan_config *erspan)
{
	static const char *const keys[] = {"remote", "session", "type", "ttl", NULL};
	uint32_t session = 0, type = 2, ttl = 64;
	struct json_reader own;

	if (!json_read_need(reader, "erspan") ||
	    !json_reader_init(&own, json_object_get(reader->object, "erspan"), reader->problems,
			      "%.70s: erspan", reader->what))
		return;
	json_read_keys(&own, keys);
	if (json_read_need(&own, "remote"))
		address_read(&own, "remote", &erspan->remote);
	if (json_read_need(&own, "session"))
		json_read_uint(&own, "session", 0, ERSPAN_SESSION_MAX, &session);
	json_read_uint(&own, "type", 2, 3, &type);
	json_read_uint(&own, "ttl", 1, 255, &ttl);
	erspan->session = (uint16_t)session;
	erspan->type = (uint8_t)type;
	erspan->ttl = (uint8_t)ttl;
}

json_t *model_erspan_print(const struct erspan_config *erspan)
{
	char text[46];

	model_ip_print(&erspan->remote, text);
	return json_pack("{s:s, s:i, s:i, s:i}", "remote", text, "session", erspan->session, "type",
			 erspan->type, "ttl", erspan->ttl);
}

static bool of_equal(const struct model_eyes_of *a, const struct model_eyes_of *b)
{
	for (uint16_t i = 0; i < a->n && i < b->n; i++) {
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	}
	return a->n == b->n;
}

bool model_mirror_equal(const struct model_mirror *a, const struct model_mirror *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->owner, b->owner) == 0 &&
	       of_equal(&a->of, &b->of) && a->in == b->in && a->out == b->out && a->vid == b->vid &&
	       strcmp(a->to, b->to) == 0 && a->snaplen == b->snaplen &&
	       strcmp(a->filter, b->filter) == 0;
}

bool model_sflow_equal(const struct model_sflow *a, const struct model_sflow *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->owner, b->owner) == 0 &&
	       of_equal(&a->of, &b->of) && vxlan_ip_equal(&a->collector, &b->collector) &&
	       vxlan_ip_equal(&a->agent, &b->agent) && a->udp_port == b->udp_port &&
	       a->rate == b->rate && a->interval_s == b->interval_s && a->header == b->header;
}

bool model_erspan_equal(const struct erspan_config *a, const struct erspan_config *b)
{
	return vxlan_ip_equal(&a->remote, &b->remote) && a->session == b->session &&
	       a->type == b->type && a->ttl == b->ttl;
}

static void taken_say(const char *kind, const char *name, struct problems *problems)
{
	problems_add(problems, PROBLEM_STATE,
		     "%s \"%s\": the name is used already, perhaps by another owner", kind, name);
}

void model_eyes_parse(struct model *model, const json_t *mirrors, const json_t *sflows,
		      const char *owner, struct problems *problems)
{
	char place[MODEL_NAME_MAX + 16];
	json_t *item;
	size_t i;

	json_array_foreach (mirrors, i, item) {
		struct model_mirror mirror;

		snprintf(place, sizeof(place), "mirrors[%zu]", i);
		model_mirror_parse(item, place, &mirror, problems);
		snprintf(place, sizeof(place), "mirror \"%s\"", mirror.name);
		model_owner_settle(place, mirror.owner, owner, problems);
		if (mirror.name[0] != '\0' && model_mirror_add(model, &mirror) != 0)
			taken_say("mirror", mirror.name, problems);
	}
	json_array_foreach (sflows, i, item) {
		struct model_sflow sflow;

		snprintf(place, sizeof(place), "sflows[%zu]", i);
		model_sflow_parse(item, place, &sflow, problems);
		snprintf(place, sizeof(place), "sflow \"%s\"", sflow.name);
		model_owner_settle(place, sflow.owner, owner, problems);
		if (sflow.name[0] != '\0' && model_sflow_add(model, &sflow) != 0)
			taken_say("sflow", sflow.name, problems);
	}
}

void model_eyes_check(const struct model *model, struct problems *problems)
{
	if (model->n_mirrors > MODEL_MIRRORS_MAX)
		problems_add(problems, PROBLEM_PARAMS, "%zu mirrors, at most %d are possible",
			     model->n_mirrors, MODEL_MIRRORS_MAX);
	if (model->n_sflows > MODEL_SFLOWS_MAX)
		problems_add(problems, PROBLEM_PARAMS, "%zu sFlow agents, at most %d are possible",
			     model->n_sflows, MODEL_SFLOWS_MAX);
}

static bool of_exists(const struct model *model, const char *name)
{
	if (model_port_find(model, name) != NULL || model_switch_find(model, name) != NULL)
		return true;
	for (size_t i = 0; i < model->n_ports; i++) {
		if (strcmp(model->ports[i]->owner, name) == 0)
			return true;
	}
	return false;
}

void model_eyes_refers(const struct model *model, const char *what, const struct model_eyes_of *of,
		       const char *to, struct problems *problems)
{
	const struct model_port *port = to != NULL ? model_port_find(model, to) : NULL;

	for (uint16_t i = 0; i < of->n; i++) {
		if (!of_exists(model, of->names[i]))
			problems_add(problems, PROBLEM_STATE,
				     "%s: \"of\": there is no port, switch or lab \"%s\"", what,
				     of->names[i]);
		if (to != NULL && strcmp(of->names[i], to) == 0)
			problems_add(problems, PROBLEM_PARAMS,
				     "%s: \"to\": \"%s\" is what is mirrored", what, to);
	}
	if (to == NULL)
		return;
	if (port == NULL)
		problems_add(problems, PROBLEM_STATE, "%s: \"to\": there is no port \"%s\"", what,
			     to);
	else if (model_port_is_patch(port) || strcmp(port->spec.type, MODEL_TYPE_UPLINK) == 0 ||
		 strcmp(port->spec.type, MODEL_TYPE_VXLAN) == 0)
		problems_add(
			problems, PROBLEM_PARAMS,
			"%s: \"to\": port \"%s\" is of type %s, which takes no copies: name a port "
			"with a peer of its own, or one of type erspan",
			what, to, port->spec.type);
}
