/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The methods of the control socket. README.md is their contract.
 */
#include "control_methods.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "devices.h"
#include "machine.h"
#include "net_plug.h"
#include "virtio/net.h"

#define RPC_NOT_JSON	   (-32700)
#define RPC_NOT_A_REQUEST  (-32600)
#define RPC_UNKNOWN_METHOD (-32601)
#define RPC_BAD_PARAMS	   (-32602)
#define RPC_REFUSED	   1

/* The outcome of a method: a result, or a code and a sentence. */
struct outcome {
	json_t *result;
	int code;
	char sentence[256];
};

static void fail(struct outcome *outcome, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(struct outcome *outcome, int code, const char *format, ...)
{
	va_list args;

	outcome->code = code;
	va_start(args, format);
	vsnprintf(outcome->sentence, sizeof(outcome->sentence), format, args);
	va_end(args);
	/* A client's word may have been cut within a letter, and JSON is UTF-8. */
	for (char *at = outcome->sentence; *at; at++)
		if (*at & 0x80)
			*at = '?';
}

void control_methods_init(struct control_target *target, struct vm *vm, struct devices *devices)
{
	json_object_seed(0); /* opens a file when done later, which the sandbox forbids */
	*target = (struct control_target){
		.vm = vm, .devices = devices, .attached = -1, .start_ns = clock_now_ns()};
}

static json_t *nic_json(const struct devices *devices, struct virtio_dev *dev)
{
	struct net_status status;
	char mac[18], features[19];

	net_status(dev, &status);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", status.mac[0], status.mac[1],
		 status.mac[2], status.mac[3], status.mac[4], status.mac[5]);
	snprintf(features, sizeof(features), "0x%" PRIx64, status.features);
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:i, s:i, s:s, s:I, s:I, s:b}", "id",
			 status.id, "mac", mac, "link", status.link_up ? "up" : "down", "connected",
			 status.connected, "carrier", status.carrier, "running", status.running,
			 "queues", status.n_pairs, "active_queues", status.n_active_pairs,
			 "features", features, "connects", (json_int_t)status.n_connects, "refused",
			 (json_int_t)status.n_refused, "leaving",
			 net_plug_is_leaving(devices, dev));
}

static void method_status(struct control_target *target, json_t *params, struct outcome *outcome)
{
	const struct vm_config *config = &target->vm->config;
	json_t *nics = json_array();

	(void)params;
	for (unsigned int i = 0; i < target->devices->n_nets; i++)
		json_array_append_new(nics, nic_json(target->devices, target->devices->nets[i]));
	outcome->result = json_pack(
		"{s:s, s:i, s:s, s:f, s:i, s:I, s:o}", "name", config->name, "pid", (int)getpid(),
		"state", target->stopping ? "stopping" : "running", "uptime_s",
		(double)(clock_now_ns() - target->start_ns) / (double)CLOCK_NS_PER_SECOND, "cpus",
		(int)config->n_cpus, "memory_bytes", (json_int_t)config->memory_bytes, "nics",
		nics);
}

static void method_stop(struct control_target *target, json_t *params, struct outcome *outcome)
{
	json_t *force = json_object_get(params, "force");

	if (force && !json_is_boolean(force)) {
		fail(outcome, RPC_BAD_PARAMS, "stop: force is true or false");
		return;
	}
	if (json_is_true(force)) {
		vm_end(target->vm, VM_EXIT_KILLED, "stopped by force through the control socket");
	} else {
		vm_power_button_press(target->vm);
	}
	target->stopping = true;
	outcome->result = json_object();
}

/* The card that params name with id. Return: NULL, and the outcome says why. */
static struct virtio_dev *nic_named(struct control_target *target, const char *method,
				    json_t *params, struct outcome *outcome)
{
	const char *id = json_string_value(json_object_get(params, "id"));
	unsigned int at;

	if (!id) {
		fail(outcome, RPC_BAD_PARAMS, "%s: id is a string, the card's", method);
		return NULL;
	}
	at = devices_net_find(target->devices, id);
	if (at < target->devices->n_nets)
		return target->devices->nets[at];
	fail(outcome, RPC_REFUSED, "%s: there is no network card \"%.64s\"", method, id);
	return NULL;
}

static void method_nic_link(struct control_target *target, json_t *params, struct outcome *outcome)
{
	json_t *up = json_object_get(params, "up");
	struct virtio_dev *nic = nic_named(target, "nic.link", params, outcome);

	if (!nic)
		return;
	if (!json_is_boolean(up)) {
		fail(outcome, RPC_BAD_PARAMS, "nic.link: up is true or false");
		return;
	}
	net_link_set(nic, json_is_true(up));
	outcome->result = json_object();
}

static void method_nic_add(struct control_target *target, json_t *params, struct outcome *outcome)
{
	const char *net = json_string_value(json_object_get(params, "net"));
	struct err err = {0};
	char *text;

	if (!net) {
		fail(outcome, RPC_BAD_PARAMS,
		     "nic.add: net is a string, as behind --net: socket=PATH,mac=MAC,id=NAME,...");
		return;
	}
	text = strdup(net);
	if (!text)
		return;
	if (net_plug_add(target->devices, text, &target->attached, &err))
		fail(outcome, RPC_REFUSED, "nic.add: %s", err.text);
	else
		outcome->result = json_object();
	free(text);
}

static void method_nic_remove(struct control_target *target, json_t *params,
			      struct outcome *outcome)
{
	struct virtio_dev *nic = nic_named(target, "nic.remove", params, outcome);
	struct err err = {0};

	if (!nic)
		return;
	if (net_plug_remove(target->devices, nic, &err))
		fail(outcome, RPC_REFUSED, "nic.remove: %s", err.text);
	else
		outcome->result = json_object();
}

static const struct {
	const char *name;
	void (*serve)(struct control_target *target, json_t *params, struct outcome *outcome);
} methods[] = {
	{"status", method_status},	   {"stop", method_stop},
	{"nic.link", method_nic_link},	   {"nic.add", method_nic_add},
	{"nic.remove", method_nic_remove},
};

static void request_serve(struct control_target *target, json_t *request, struct outcome *outcome)
{
	json_t *method = json_object_get(request, "method");
	json_t *params = json_object_get(request, "params");

	if (!json_is_string(method)) {
		fail(outcome, RPC_NOT_A_REQUEST, "not a request: an object with a method");
		return;
	}
	if (params && !json_is_object(params)) {
		fail(outcome, RPC_BAD_PARAMS, "params is an object");
		return;
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (!strcmp(methods[i].name, json_string_value(method))) {
			methods[i].serve(target, params, outcome);
			return;
		}
	}
	fail(outcome, RPC_UNKNOWN_METHOD, "unknown method \"%.64s\"", json_string_value(method));
}

/* Takes over the outcome's result. */
static char *response_line(const struct outcome *outcome, json_t *id)
{
	json_t *response = json_pack("{s:s, s:O}", "jsonrpc", "2.0", "id", id);
	char *text, *line = NULL;

	if (outcome->result)
		json_object_set_new(response, "result", outcome->result);
	else
		json_object_set_new(response, "error",
				    json_pack("{s:i, s:s}", "code", outcome->code, "message",
					      outcome->sentence));
	text = json_dumps(response, JSON_COMPACT);
	json_decref(response);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

char *control_methods_answer(struct control_target *target, const char *text, size_t bytes)
{
	struct outcome outcome = {.code = RPC_REFUSED, .sentence = "out of memory"};
	json_t *request, *id;
	json_error_t error;
	char *line;

	request = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
	id = json_object_get(request, "id");
	id = json_is_string(id) || json_is_integer(id) ? json_incref(id) : json_null();
	if (!request)
		fail(&outcome, RPC_NOT_JSON, "not JSON: %s", error.text);
	else
		request_serve(target, request, &outcome);
	line = response_line(&outcome, id);
	json_decref(id);
	json_decref(request);
	return line;
}
