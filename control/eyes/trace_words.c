/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See trace_words.h. What is said about a step comes from the event, which the stage's own decision is in; the configuration only adds
 * names, and what one would have to change.
 */
#include "eyes/trace_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "datapath.h"
#include "eyes/trace_pass.h"
#include "model_print.h"
#include "model_vlan.h"
#include "pipeline.h"

struct words {
	const struct trace *trace;
	const uint8_t *bytes;
	uint32_t n;
	const struct apply *apply;
	const struct model *model;
	json_t *steps, *sent, *drops;
};

static const struct model_port *port_of(const struct words *words, uint16_t index)
{
	for (size_t i = 0; i < words->model->n_ports; i++) {
		if (words->model->ports[i]->index == index)
			return words->model->ports[i];
	}
	return NULL;
}

static const char *name_of(const struct words *words, uint16_t index)
{
	const struct model_port *port = port_of(words, index);

	return port != NULL ? port->spec.name : "(a port that is gone)";
}

static void step_add(struct words *words, const char *stage, uint16_t port, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void step_add(struct words *words, const char *stage, uint16_t port, const char *format, ...)
{
	char text[640];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(words->steps, json_pack("{s:s, s:s, s:s}", "stage", stage, "port",
						      name_of(words, port), "text", text));
}

static const char *mac_text(const struct words *words, uint32_t at, char text[18])
{
	if (at + 6 > words->n)
		return "?";
	model_mac_print(fdb_mac(words->bytes + at), text);
	return text;
}

static const char *type_name(uint16_t ethertype)
{
	switch (ethertype) {
	case 0x0800:
		return " (IPv4)";
	case 0x0806:
		return " (ARP)";
	case 0x86dd:
		return " (IPv6)";
	case 0x88cc:
		return " (LLDP)";
	case 0x8809:
		return " (LACP)";
	default:
		return ethertype < 0x600 ? " (an 802.3 length)" : "";
	}
}

static void parse_say(struct words *words, const struct trace_event *event)
{
	static const char *const tags[] = {"no VLAN tag", "one VLAN tag", "two VLAN tags"};

	step_add(words, "parse", event->in_port, "%u bytes, %s, ethertype 0x%04x%s", event->len,
		 tags[event->n_tags < 2 ? event->n_tags : 2], event->ethertype,
		 type_name(event->ethertype));
}

static void admit_say(struct words *words, const struct trace_event *event)
{
	const struct model_port *port = port_of(words, event->in_port);
	char vlan[96] = "";

	if (event->vid == VLAN_NONE) {
		step_add(words, "admit", event->in_port,
			 "the port is the end of a wire: every frame may enter");
		return;
	}
	if (port != NULL)
		model_vlan_text(&port->vlan, vlan, sizeof(vlan));
	step_add(words, "admit", event->in_port, "VLAN %u, priority %u: %s (the port is %s)",
		 event->vid, event->prio >> 13,
		 event->strip != 0 ? "by its tag" : "it has no tag of the port's kind", vlan);
}

static void learn_say(struct words *words, const struct trace_event *event)
{
	const char *will = words->trace->dry ? "would be learned" : "is learned";
	char mac[18];

	mac_text(words, 6, mac);
	if (event->vid == VLAN_NONE)
		step_add(words, "learn", event->in_port, "a wire learns nothing");
	else if (event->source == FDB_KNOWN)
		step_add(words, "learn", event->in_port, "%s is known behind this port in VLAN %u",
			 mac, event->vid);
	else if (event->source == FDB_MOVED)
		step_add(words, "learn", event->in_port,
			 "%s was behind another port in VLAN %u; the move %s", mac, event->vid,
			 will);
	else
		step_add(words, "learn", event->in_port,
			 "%s is new in VLAN %u; it %s, if there is room", mac, event->vid, will);
}

/* The entry that the frame was sent by; learned ones have an age. */
static void entry_say(struct words *words, const struct trace_event *event, const char *mac)
{
	const struct model_port *in = port_of(words, event->in_port);
	const struct model_switch *sw =
		in != NULL ? model_switch_find(words->model, in->target) : NULL;
	uint8_t flags = 0;

	if (sw != NULL)
		fdb_lookup(datapath_fdb(), FDB_FID(sw->index, event->vid), fdb_mac(words->bytes),
			   &flags);
	step_add(words, "forward", event->in_port, "FDB: %s in VLAN %u is behind %s (%s entry)",
		 mac, event->vid, name_of(words, event->out_port),
		 (flags & FDB_STATIC) != 0   ? "static"
		 : (flags & FDB_STICKY) != 0 ? "sticky"
					     : "learned");
}

static void forward_say(struct words *words, const struct trace_event *event)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	char text[18];
	const char *mac = mac_text(words, 0, text);
	bool is_group = words->n > 0 && (words->bytes[0] & 1) != 0;

	if (event->vid == VLAN_NONE)
		step_add(words, "forward", event->in_port, "the wire's other end is %s",
			 name_of(words, event->out_port));
	else if (event->verdict == FRAME_TO_PORT && is_group)
		step_add(words, "forward", event->in_port,
			 "%s is reserved; the switch hands it to %s", mac,
			 name_of(words, event->out_port));
	else if (event->verdict == FRAME_TO_PORT)
		entry_say(words, event, mac);
	else if (is_group)
		step_add(words, "forward", event->in_port, "%s: to all other ports of VLAN %u",
			 words->n >= 6 && memcmp(words->bytes, broadcast, 6) == 0 ? "broadcast"
										  : "multicast",
			 event->vid);
	else
		step_add(words, "forward", event->in_port,
			 "FDB: %s is not in VLAN %u: to all other ports of it", mac, event->vid);
}

static void stage_say(struct words *words, const struct trace_event *event)
{
	const char *stage = stages[event->stage].name;

	if (strcmp(stage, "parse") == 0)
		parse_say(words, event);
	else if (strcmp(stage, "admit") == 0)
		admit_say(words, event);
	else if (strcmp(stage, "learn") == 0)
		learn_say(words, event);
	else if (strcmp(stage, "forward") == 0)
		forward_say(words, event);
	/* What output decides, it says per port. */
}

static void tag_print(uint32_t tag, char *text, size_t size)
{
	if (tag == 0)
		snprintf(text, size, "untagged");
	else
		snprintf(text, size, "tagged %u%s%s", tag & 0xfff,
			 tag >> 16 == VLAN_TPID_S ? " (802.1ad)" : "",
			 (tag >> 13 & 7) != 0 ? ", with priority" : "");
}

static void drop_add(struct words *words, const struct trace_event *event, uint16_t port,
		     enum drop_reason reason)
{
	char pass[512];

	trace_pass(words->model, event, port_of(words, port), reason, pass, sizeof(pass));
	json_array_append_new(words->drops,
			      json_pack("{s:s, s:s, s:s, s:s}", "port", name_of(words, port),
					"reason", drop_name(reason), "text", drop_sentence(reason),
					"pass", pass));
}

static void drop_say(struct words *words, const struct trace_event *event, uint16_t port,
		     enum drop_reason reason)
{
	step_add(words, "drop", port, "%s: %s", drop_name(reason), drop_sentence(reason));
	drop_add(words, event, port, reason);
}

/* A prediction ends where the peer begins; whether there is one can be seen. */
static bool is_attached(const struct words *words, uint16_t index)
{
	const struct model_port *port = port_of(words, index);
	const struct live_port *live = port != NULL ? apply_live(words->apply, port) : NULL;
	struct port_status status = {.running = true};

	if (live == NULL || live->port == NULL || live->port->ops->status == NULL)
		return true;
	live->port->ops->status(live->port, &status);
	return status.running;
}

static bool is_patch(const struct words *words, uint16_t index)
{
	const struct model_port *port = port_of(words, index);

	return port != NULL && model_port_is_patch(port);
}

static void sent_add(struct words *words, const struct trace_event *event)
{
	json_t *sent = json_pack("{s:s, s:i}", "port", name_of(words, event->port), "length",
				 (int)event->len);

	if (event->tag != 0)
		json_object_set_new(sent, "vlan", json_integer(event->tag & 0xfff));
	json_array_append_new(words->sent, sent);
}

static void event_say(struct words *words, const struct trace_event *event)
{
	char tag[48];

	tag_print(event->tag, tag, sizeof(tag));
	switch (event->kind) {
	case TRACE_STAGE:
		stage_say(words, event);
		break;
	case TRACE_DROP:
		drop_say(words, event, event->port, event->reason);
		break;
	case TRACE_SKIP:
		if (event->reason != DROP_SAME_PORT)
			step_add(words, "output", event->port, "left out: %s",
				 event->reason == DROP_PORT_DOWN ? "it is down"
				 : event->reason == DROP_VLAN_NOT_MEMBER
					 ? "it does not carry this VLAN"
					 : drop_sentence(event->reason));
		break;
	case TRACE_OUT:
		step_add(words, "output", event->port, "%s, %u bytes", tag, event->len);
		if (!words->trace->dry || is_patch(words, event->port))
			break;
		if (is_attached(words, event->port))
			sent_add(words, event);
		else
			drop_say(words, event, event->port, DROP_NOT_CONNECTED);
		break;
	case TRACE_SENT:
		step_add(words, "sent", event->port, "its peer has taken %u bytes", event->len);
		sent_add(words, event);
		break;
	case TRACE_CROSS:
		step_add(words, "cross", event->port, "over the link between the switches, %s",
			 tag);
		break;
	case TRACE_MIRROR:
		step_add(words, "mirror", event->port, "a copy goes to it");
		break;
	default:
		break;
	}
}

static json_t *verdict_of(const struct words *words)
{
	size_t n_sent = json_array_size(words->sent), n_drops = json_array_size(words->drops);
	const json_t *first =
		n_sent > 0 ? json_array_get(words->sent, 0) : json_array_get(words->drops, 0);
	const char *port = json_string_value(json_object_get(first, "port"));
	const char *where = words->trace->dry ? "would reach" : "reached";

	if (n_sent == 1)
		return json_sprintf("%s %s", where, port);
	if (n_sent > 1)
		return json_sprintf("%s %zu ports", where, n_sent);
	if (n_drops > 0)
		return json_sprintf("%s at %s: %s",
				    words->trace->dry ? "would be dropped" : "was dropped", port,
				    json_string_value(json_object_get(first, "reason")));
	return json_string("waits in an impaired link, where a trace ends");
}

json_t *trace_words(const struct trace *trace, const uint8_t *bytes, uint32_t n, uint32_t length,
		    uint16_t port, const struct apply *apply)
{
	struct words words = {
		.trace = trace,
		.bytes = bytes,
		.n = n,
		.apply = apply,
		.model = apply_model(apply),
		.steps = json_array(),
		.sent = json_array(),
		.drops = json_array(),
	};
	char hex[2 * 64 + 1] = "";

	for (uint16_t i = 0; i < trace->n; i++)
		event_say(&words, &trace->events[i]);
	if (trace->n_more > 0)
		step_add(&words, "trace", port, "and %u steps more", trace->n_more);
	for (uint32_t i = 0; i < n && i < 64; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:o}", "port", name_of(&words, port),
			 "length", (json_int_t)length, "frame", hex, "verdict", verdict_of(&words),
			 "steps", words.steps, "sent", words.sent, "drops", words.drops);
}
