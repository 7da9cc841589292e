/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace: what becomes of a frame. netloomd runs the stages and finds the words; here a frame is made of what the user
 * said, and the answer is printed.
 */
#include <errno.h>
#include <jansson.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/describe.h"
#include "lab/jsonline.h"
#include "lab/rpc.h"
#include "lab/stored.h"
#include "lab/target.h"
#include "lab/term.h"

#define FRAMES_MAX 10000 /* of a file */

struct trace_options {
	struct describe frame;
	const char *hex, *pcap, *filter;
	bool json, live;
	uint32_t count;
};

/* Address of a lab's interface. Return: 0, or -ENOENT when @text names none. */
static int nic_find(const char *text, uint8_t mac[6], struct describe_ip *ip)
{
	char lab[TOPO_NAME_MAX + 1], name[TOPO_NAME_MAX + 1], ifname[TOPO_IFNAME_MAX + 1];
	struct stored_lab stored;
	int rc = -ENOENT;

	if (cli_node_split(text, lab, name, ifname, NULL) < 0 || !stored_exists(lab) ||
	    stored_load(lab, &stored, NULL) < 0)
		return -ENOENT;
	for (size_t i = 0; i < stored.topo.n_nodes; i++) {
		const struct topo_node *node = &stored.topo.nodes[i];

		if (strcmp(node->name, name) != 0)
			continue;
		for (size_t k = 0; k < node->n_nics; k++) {
			if (strcmp(node->nics[k].name, ifname) != 0)
				continue;
			memcpy(mac, node->nics[k].mac, 6);
			rc = 0;
		}
		for (size_t k = 0; k < node->n_addresses && ip->family == 0; k++) {
			if (strcmp(node->addresses[k].ifname, ifname) != 0)
				continue;
			ip->family = node->addresses[k].family;
			memcpy(ip->bytes, node->addresses[k].bytes, sizeof(ip->bytes));
		}
	}
	topo_free(&stored.topo);
	return rc;
}

static int address_read(const char *text, uint8_t mac[6], struct describe_ip *ip, struct err *err)
{
	if (describe_mac(text, mac) == 0 || nic_find(text, mac, ip) == 0)
		return 0;
	return err_set(
		err, EINVAL,
		"\"%.80s\" is no address like 52:54:00:12:34:56, nor an interface of a lab that "
		"is up",
		text);
}

static void steps_print(const json_t *words)
{
	const char *good = term_paint(stdout, TERM_GOOD), *bad = term_paint(stdout, TERM_BAD);
	const char *plain = term_paint(stdout, TERM_PLAIN);
	const json_t *steps = json_object_get(words, "steps"),
		     *drops = json_object_get(words, "drops");
	bool is_sent = json_array_size(json_object_get(words, "sent")) > 0;
	const char *last = "";
	json_t *item;
	size_t i;

	printf("%lld bytes at %s: %s%s%s\n",
	       (long long)json_integer_value(json_object_get(words, "length")),
	       json_string_value(json_object_get(words, "port")), is_sent ? good : bad,
	       json_string_value(json_object_get(words, "verdict")), plain);
	json_array_foreach (steps, i, item) {
		const char *port = json_string_value(json_object_get(item, "port"));
		const char *stage = json_string_value(json_object_get(item, "stage"));

		printf("  %-8s %-20s %s%s%s\n", stage, strcmp(port, last) == 0 ? "" : port,
		       strcmp(stage, "drop") == 0 ? bad : "",
		       json_string_value(json_object_get(item, "text")), plain);
		last = port;
	}
	json_array_foreach (drops, i, item)
		printf("  to pass  %-20s %s\n", json_string_value(json_object_get(item, "port")),
		       json_string_value(json_object_get(item, "pass")));
}

static int words_print(const json_t *words, bool json)
{
	if (json) {
		json_dumpf(words, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		steps_print(words);
	}
	return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}

static int predict(struct rpc *rpc, const char *port, const uint8_t *bytes, size_t n, bool json,
		   struct err *err)
{
	char *hex = malloc(2 * n + 1);
	json_t *words = NULL;
	int rc;

	if (hex == NULL)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	rc = rpc_call(rpc, "trace", json_pack("{s:s, s:s}", "port", port, "frame", hex), &words,
		      err);
	free(hex);
	if (rc == 0)
		rc = words_print(words, json);
	json_decref(words);
	return rc;
}

static int predict_file(struct rpc *rpc, const char *port, const char *path, bool json,
			struct err *err)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *header;
	const u_char *bytes;
	int rc = 0, got = 0, n = 0;

	if (pcap == NULL)
		return err_set(err, EINVAL, "cannot read %s: %s", path, why);
	if (pcap_datalink(pcap) != DLT_EN10MB)
		rc = err_set(err, EINVAL, "%s: its frames are not Ethernet", path);
	while (rc == 0 && !jsonline_interrupted &&
	       (got = pcap_next_ex(pcap, &header, &bytes)) == 1) {
		if (++n > FRAMES_MAX)
			rc = err_set(err, E2BIG, "%s: only the first %d frames are looked at", path,
				     FRAMES_MAX);
		else if (header->caplen == 0 || header->caplen > DESCRIBE_FRAME_MAX)
			rc = err_set(err, EINVAL, "%s: frame %d has %u bytes", path, n,
				     header->caplen);
		else
			rc = predict(rpc, port, bytes, header->caplen, json, err);
	}
	if (rc == 0 && got == PCAP_ERROR)
		rc = err_set(err, EINVAL, "%s: broken behind frame %d: %s", path, n,
			     pcap_geterr(pcap));
	if (rc == 0 && n == 0)
		rc = err_set(err, EINVAL, "%s has no frames", path);
	pcap_close(pcap);
	return rc;
}

static int predict_described(struct rpc *rpc, const char *text, const char *port,
			     struct trace_options *options, struct err *err)
{
	static uint8_t bytes[DESCRIBE_FRAME_MAX];
	struct describe *frame = &options->frame;
	int n;

	if (options->hex != NULL) {
		n = describe_hex(options->hex, bytes, err);
	} else {
		if (!frame->has_from && nic_find(text, frame->from, &frame->ip_from) < 0)
			return err_set(
				err, EINVAL,
				"from whom? --from ADDRESS (a lab's machine has one by itself)");
		if (!frame->has_to)
			memset(frame->to, 0xff, 6);
		if (frame->ip_from.family != frame->ip_to.family)
			frame->ip_from.family = frame->ip_to.family =
				0; /* of one side, or of two kinds */
		n = describe_frame(frame, bytes, err);
	}
	return n < 0 ? n : predict(rpc, port, bytes, (size_t)n, options->json, err);
}

static int watch_live(struct rpc *rpc, const char *port, const struct trace_options *options,
		      struct err *err)
{
	json_t *params = json_pack("{s:[s], s:i}", "targets", port, "count", (int)options->count);
	json_t *note;
	int rc;

	if (options->filter != NULL)
		json_object_set_new(params, "filter", json_string(options->filter));
	rc = rpc_call(rpc, "trace.live", params, NULL, err);
	if (rc == 0)
		fputs("waiting for frames; Ctrl-C ends it\n", stderr);
	while (rc == 0) {
		rc = jsonline_receive(&rpc->line, 1000, &note, err);
		if (rc == -ETIMEDOUT) {
			err->text[0] = '\0';
			rc = 0;
			continue;
		}
		if (rc == 0)
			rc = words_print(json_object_get(note, "params"), options->json);
		json_decref(note);
	}
	if (rc == -ECONNRESET)
		rc = 0; /* as many as were asked for */
	return rc;
}

static int options_read(const struct command *command, int argc, char **argv,
			struct trace_options *options)
{
	static const struct option longs[] = {{"from", required_argument, NULL, 'f'},
					      {"to", required_argument, NULL, 't'},
					      {"vlan", required_argument, NULL, 'v'},
					      {"type", required_argument, NULL, 'y'},
					      {"ip", required_argument, NULL, 'i'},
					      {"size", required_argument, NULL, 's'},
					      {"hex", required_argument, NULL, 'x'},
					      {"pcap", required_argument, NULL, 'p'},
					      {"live", no_argument, NULL, 'l'},
					      {"filter", required_argument, NULL, 'F'},
					      {"count", required_argument, NULL, 'c'},
					      {"json", no_argument, NULL, 'j'},
					      {0}};
	struct describe *frame = &options->frame;
	struct err err = {.text = ""};
	int key, rc = 0;

	while ((key = cli_option(command, argc, argv, "", longs)) != -1) {
		char *end = "";

		switch (key) {
		case 'f':
			rc = address_read(optarg, frame->from, &frame->ip_from, &err);
			frame->has_from = true;
			break;
		case 't':
			rc = address_read(optarg, frame->to, &frame->ip_to, &err);
			frame->has_to = true;
			break;
		case 'v':
			rc = describe_tag(frame, optarg, &err);
			break;
		case 'y':
			frame->type = optarg;
			break;
		case 'i':
			rc = describe_ip_pair(frame, optarg, &err);
			break;
		case 's':
			frame->size = (uint32_t)strtoul(optarg, &end, 10);
			break;
		case 'x':
			options->hex = optarg;
			break;
		case 'p':
			options->pcap = optarg;
			break;
		case 'l':
			options->live = true;
			break;
		case 'F':
			options->filter = optarg;
			break;
		case 'c':
			options->count = (uint32_t)strtoul(optarg, &end, 10);
			break;
		default:
			options->json = true;
		}
		if (rc < 0 || *end != '\0')
			return cli_usage(command, "%s",
					 rc < 0 ? err.text : "--size and --count take a number");
	}
	if (argc - optind != 1)
		return cli_usage(command, "at which port? One, like campus/h1:eth1");
	if ((options->filter != NULL || options->count != 1) && !options->live)
		return cli_usage(command, "--filter and --count belong to --live");
	return CLI_OK;
}

int cmd_trace(const struct command *command, int argc, char **argv)
{
	struct trace_options options = {.count = 1};
	struct err err = {.text = ""};
	char port[TARGET_MAX];
	struct rpc rpc;
	int rc = options_read(command, argc, argv, &options);

	if (rc != CLI_OK)
		return rc;
	cli_catch_interrupts();
	rc = target_name(argv[optind], port, &err);
	if (rc == 0)
		rc = rpc_open(&rpc, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	if (options.live)
		rc = watch_live(&rpc, port, &options, &err);
	else if (options.pcap != NULL)
		rc = predict_file(&rpc, port, options.pcap, options.json, &err);
	else
		rc = predict_described(&rpc, argv[optind], port, &options, &err);
	rpc_close(&rpc);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}
