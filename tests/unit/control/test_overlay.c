/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The overlay as control runs it, over a datapath without workers and the real kernel: requests in, the workers' view and what tunnels
 * do with frames out. In a network namespace of this process's own:
 *
 *     u0 192.0.2.1/24 ---- p0        h2 = 192.0.2.2, h3 = 192.0.2.3, permanent neighbours
 *
 * Skipped where namespaces are not to be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "control.h"
#include "fake_datapath.h"
#include "l4.h"
#include "overlay.h"
#include "rpc/request.h"
#include "vxlan/announce.h"
#include "vxlan/snoop.h"

#define VID   10
#define VNI_7 "{\"vni\":7,\"switch\":\"s\",\"vlan\":10,\"vteps\":[\"h2\"]%s}"

static struct control control;
static char dir[32], state_path[64];
static struct evbuffer *output;
static json_t *answer;

static void sh(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* One request; the answer is kept until the next. Return: its error code, 0 for a result. */
static int ask(const char *method, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int ask(const char *method, const char *format, ...)
{
	char params[2048], line[4096];
	json_error_t error;
	va_list args;
	int n;

	va_start(args, format);
	vsnprintf(params, sizeof(params), format, args);
	va_end(args);
	n = snprintf(line, sizeof(line),
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
		     params);
	rpc_request_line(&control, NULL, line, (size_t)n, output);
	json_decref(answer);
	answer = json_loadb((const char *)evbuffer_pullup(output, -1), evbuffer_get_length(output),
			    0, &error);
	evbuffer_drain(output, evbuffer_get_length(output));
	assert_non_null(answer);
	return (int)json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

static void done(int code)
{
	if (code != 0)
		fail_msg("%s", json_string_value(json_object_get(json_object_get(answer, "error"),
								 "message")));
}

static int setup(void **state)
{
	static const struct datapath_options options = {.n_workers = 1, .fdb_capacity = 4096};
	struct err err = {0};

	(void)state;
	strcpy(dir, "/tmp/netloom-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(state_path, sizeof(state_path), "%s/state", dir);
	output = evbuffer_new();
	answer = NULL;
	assert_int_equal(datapath_start(&options, &err), 0);
	memset(&control, 0, sizeof(control));
	control.base = event_base_new();
	control.state_path = state_path;
	assert_int_equal(control_start(&control, &err), 0);
	sh("ip link set u0 mtu 1550");
	done(ask("switch.set", "{\"name\":\"s\"}"));
	done(ask("uplink.set", "{\"name\":\"up\",\"ifname\":\"u0\",\"local\":[\"192.0.2.1\"]}"));
	done(ask("vtep.set", "{\"name\":\"h2\",\"uplink\":\"up\",\"remote\":\"192.0.2.2\"}"));
	done(ask("vtep.set", "{\"name\":\"h3\",\"uplink\":\"up\",\"remote\":\"192.0.2.3\"}"));
	done(ask("port.set", "{\"name\":\"vm\",\"type\":\"vhost-user\",\"socket\":\"/x\","
			     "\"switch\":\"s\",\"vlan\":{\"access\":10}}"));
	return 0;
}

static int teardown(void **state)
{
	struct reply replies[FRAME_BURST];
	struct frame frames[FRAME_BURST];

	(void)state;
	while (overlay_reply_pop(frames, replies, FRAME_BURST) > 0)
		;
	control_stop(&control);
	event_base_free(control.base);
	json_decref(answer);
	evbuffer_free(output);
	unlink(state_path);
	rmdir(dir);
	return 0;
}

static const struct model_port *port_of(const char *name)
{
	const struct model_port *port = model_port_find(apply_model(control.apply), name);

	assert_non_null(port);
	return port;
}

static uint32_t fid(void)
{
	return FDB_FID(model_switch_find(apply_model(control.apply), "s")->index, VID);
}

static void sync_now(void)
{
	overlay_sync(apply_model(control.apply), apply_live_all(control.apply), control.overlay);
}

static json_t *vni(int number)
{
	json_t *item;
	size_t i;

	done(ask("vni.list", "{}"));
	json_array_foreach (json_object_get(json_object_get(answer, "result"), "vnis"), i, item) {
		if (json_integer_value(json_object_get(item, "vni")) == number)
			return item;
	}
	fail_msg("no VNI %d", number);
	return NULL;
}

static long long count(int number, const char *key)
{
	return json_integer_value(json_object_get(vni(number), key));
}

static long long drops(int number, const char *reason)
{
	return json_integer_value(json_object_get(json_object_get(vni(number), "drops"), reason));
}

/* A frame as stages hand it over, @len bytes of them. */
static void frame_make(struct frame *f, const uint8_t *bytes, uint16_t len, bool flood)
{
	memset(f, 0, sizeof(*f));
	f->hdr = f->buf + FRAME_HDR_ROOM;
	f->hdr_len = len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX;
	f->len = len;
	memcpy(f->hdr, bytes, f->hdr_len);
	assert_true(l4_parse_tags(f));
	f->vid = VID;
	f->in_port = port_of("vm")->index;
	f->verdict = flood ? FRAME_TO_FLOOD : FRAME_TO_PORT;
}

/* Return: why the tunnel did not take it. */
static int send_through(const char *tunnel, struct frame *f)
{
	struct port *port = apply_live(control.apply, port_of(tunnel))->port;
	struct frame_out out = {.f = f};

	port->ops->tx(port, 0, &out, 1);
	return out.drop;
}

static uint16_t replies_pop(struct frame *frames)
{
	static struct reply replies[FRAME_BURST];

	return overlay_reply_pop(frames, replies, FRAME_BURST);
}

static const uint8_t arp_request[42] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,	  0,  0, 0, 0, 0xaa, 8, 6, 0, 1, 8, 0,	6, 4, 0,
	1,    2,    0,	  0,	0,    0,    0xaa, 10, 0, 0, 1, 0,    0, 0, 0, 0, 0, 10, 0, 0, 2};
static const uint8_t udp_frame[60] = {2,    0, 0,  0,  0, 0xbb, 2, 0, 0,  0,  0, 0xaa, 8,  0,
				      0x45, 0, 0,  46, 0, 0,	0, 0, 64, 17, 0, 0,    10, 0,
				      0,    1, 10, 0,  0, 2,	0, 1, 0,  2,  0, 26};

static void slot_belongs_to_a_vni_while_it_lives(void **state)
{
	(void)state;
	done(ask("vni.set", VNI_7, ""));
	overlay_count((uint64_t *)&overlay_vni_counters(control.overlay, 7)->rx_pkts, 42);
	done(ask("vni.set", "{\"vni\":3,\"switch\":\"s\",\"vlan\":11,\"vteps\":[\"h2\"]}"));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(vni(7), "rx"), "pkts")),
			 42);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(vni(3), "rx"), "pkts")),
			 0);
	done(ask("vni.delete", "{\"vni\":7}"));
	done(ask("vni.set", "{\"vni\":9,\"switch\":\"s\",\"vlan\":12,\"vteps\":[\"h2\"]}"));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(vni(9), "rx"), "pkts")),
			 0);
}

static void mtu_that_does_not_fit_is_refused_and_one_that_shrinks_is_said(void **state)
{
	(void)state;
	assert_int_not_equal(ask("vni.set", VNI_7, ",\"mtu\":1501"), 0);
	done(ask("vni.set", VNI_7, ",\"mtu\":1500"));
	assert_string_equal(json_string_value(json_object_get(vni(7), "state")), "up");
	sh("ip link set u0 mtu 1400");
	sync_now();
	assert_string_equal(json_string_value(json_object_get(vni(7), "state")), "degraded");
	assert_non_null(strstr(json_string_value(json_object_get(vni(7), "detail")),
			       "set the VNI's to 1350"));
	sh("ip link set u0 mtu 1550");
	sync_now();
	assert_string_equal(json_string_value(json_object_get(vni(7), "state")), "up");
}

static void uplink_that_goes_takes_the_vni_down_with_a_sentence(void **state)
{
	(void)state;
	done(ask("vni.set", VNI_7, ""));
	done(ask("port.admin", "{\"name\":\"up\",\"admin\":\"down\"}"));
	assert_string_equal(json_string_value(json_object_get(vni(7), "state")), "down");
	assert_non_null(strstr(json_string_value(json_object_get(vni(7), "detail")),
			       "administratively down"));
	done(ask("port.admin", "{\"name\":\"up\",\"admin\":\"up\"}"));
	assert_string_equal(json_string_value(json_object_get(vni(7), "state")), "up");
}

static bool floods_to(uint16_t peer)
{
	return vtep_member_floods(overlay_view_current()->table, peer, 7);
}

static void vtep_joins_the_flood_list_with_its_first_station_and_leaves_with_the_last(void **state)
{
	uint64_t mac = 0x020000000099;

	(void)state;
	done(ask("vni.set", VNI_7, ",\"learn_vteps\":true"));
	assert_true(floods_to(0));
	assert_false(floods_to(1));
	assert_true(vtep_member_find(overlay_view_current()->table, 1, 7) >= 0); /* may send */
	fdb_learn(fake.fdb, fid(), mac, port_of("h3:s")->index, 0, 0, 1);
	overlay_station_seen(control.overlay, fid(), mac, port_of("h3:s")->index);
	event_base_loop(control.base, EVLOOP_ONCE); /* settles */
	for (int i = 0; i < 100 && !floods_to(1); i++) {
		usleep(10000);
		event_base_loop(control.base, EVLOOP_NONBLOCK);
	}
	assert_true(floods_to(1));
	fdb_delete(fake.fdb, fid(), mac);
	sync_now();
	assert_true(floods_to(0));
	assert_false(floods_to(1));
}

static void station_that_attaches_is_announced_as_if_it_spoke(void **state)
{
	struct frame frames[FRAME_BURST];

	(void)state;
	done(ask("vni.set", VNI_7, ""));
	overlay_station_seen(control.overlay, fid(), 0x0200000000aa, port_of("vm")->index);
	assert_int_equal(replies_pop(frames), 1);
	assert_int_equal(frames[0].in_port, port_of("vm")->index);
	assert_int_equal(frames[0].given_vid, VID);
	assert_false(frames[0].no_learn);
	assert_memory_equal(frames[0].hdr, "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\xaa\x80\x35", 14);
	assert_int_equal(count(7, "announced"), 1);
	overlay_station_seen(control.overlay, fid(), 0x0200000000ab, port_of("h2:s")->index);
	assert_int_equal(replies_pop(frames), 0); /* not ours to announce */
	done(ask("vni.set", VNI_7, ",\"announce\":false"));
	overlay_station_seen(control.overlay, fid(), 0x0200000000aa, port_of("vm")->index);
	assert_int_equal(replies_pop(frames), 0);
}

static void port_whose_machine_is_known_is_announced_when_it_comes_up(void **state)
{
	struct frame frames[FRAME_BURST];

	(void)state;
	done(ask("vni.set", VNI_7, ""));
	overlay_port_up(control.overlay, apply_model(control.apply), port_of("vm"));
	assert_int_equal(replies_pop(frames), 0); /* nobody said who it is */
	done(ask("port.set", "{\"name\":\"vm\",\"type\":\"vhost-user\",\"socket\":\"/x\","
			     "\"switch\":\"s\",\"vlan\":{\"access\":10},"
			     "\"mac\":\"02:00:00:00:00:cc\"}"));
	overlay_port_up(control.overlay, apply_model(control.apply), port_of("vm"));
	assert_int_equal(replies_pop(frames), 1);
	assert_memory_equal(frames[0].hdr + 6, "\x02\0\0\0\0\xcc\x80\x35", 8);
	done(ask("fdb.set", "{\"switch\":\"s\",\"vlan\":10,\"mac\":\"02:00:00:00:00:dd\","
			    "\"port\":\"vm\"}"));
	overlay_port_up(control.overlay, apply_model(control.apply), port_of("vm"));
	assert_int_equal(replies_pop(frames), 2);
	assert_int_not_equal(ask("port.set", "{\"name\":\"vm\",\"type\":\"vhost-user\","
					     "\"socket\":\"/x\",\"mac\":\"01:00:00:00:00:cc\"}"),
			     0);
}

/* Also where the new port has the memory, and the index, of the old one. */
static void port_that_comes_again_is_announced_again(void **state)
{
	struct frame frames[FRAME_BURST];

	(void)state;
	done(ask("vni.set", VNI_7, ""));
	for (int i = 0; i < 3; i++) {
		done(ask("port.set", "{\"name\":\"t\",\"type\":\"tap\",\"ifname\":\"t0\","
				     "\"switch\":\"s\",\"vlan\":{\"access\":10},"
				     "\"mac\":\"02:00:00:00:00:ee\"}"));
		assert_int_equal(replies_pop(frames), 1);
		assert_memory_equal(frames[0].hdr + 6, "\x02\0\0\0\0\xee\x80\x35", 8);
		done(ask("port.delete", "{\"name\":\"t\"}"));
	}
}

static void many_stations_are_not_multiplied(void **state)
{
	struct frame frames[FRAME_BURST];
	uint32_t n = 0;

	(void)state;
	done(ask("vni.set", VNI_7, ""));
	for (uint64_t mac = 0x020000000000; mac < 0x020000001000; mac++)
		overlay_station_seen(control.overlay, fid(), mac, port_of("vm")->index);
	for (int i = 0; i < 50; i++) {
		n += replies_pop(frames);
		usleep(1000);
		event_base_loop(control.base, EVLOOP_NONBLOCK);
	}
	assert_in_range(n, 50, 150);
}

static void request_that_is_known_is_answered_and_not_sent(void **state)
{
	struct frame f, frames[FRAME_BURST];

	(void)state;
	done(ask("vni.set",
		 "{\"vni\":7,\"switch\":\"s\",\"vlan\":10,\"vteps\":[\"h2\",\"h3\"],\"neighbours\":"
		 "[{\"ip\":\"10.0.0.2\",\"mac\":\"02:00:00:00:00:bb\"}]}"));
	fdb_learn(fake.fdb, fid(), 0x0200000000bb, port_of("h3:s")->index, 0, 0, 1);
	for (int i = 0; i < 100 && overlay_neigh_current() == NULL; i++) {
		usleep(10000);
		event_base_loop(control.base, EVLOOP_NONBLOCK);
	}
	frame_make(&f, arp_request, sizeof(arp_request), true);
	assert_int_equal(send_through("h2:s", &f), DROP_VXLAN_SUPPRESSED);
	assert_int_equal(send_through("h3:s", &f), DROP_VXLAN_SUPPRESSED);
	assert_int_equal(replies_pop(frames), 1); /* once, whatever the flood list */
	assert_int_equal(frames[0].in_port, port_of("h3:s")->index);
	assert_true(frames[0].no_learn);
	assert_memory_equal(frames[0].hdr, "\x02\0\0\0\0\xaa\x02\0\0\0\0\xbb\x08\x06", 14);
	assert_int_equal(count(7, "suppressed"), 1);
	/* A station of this host answers itself: its request is only not sent. */
	fdb_learn(fake.fdb, fid(), 0x0200000000bb, port_of("vm")->index, 0, 0, 1);
	overlay_station_seen(control.overlay, fid(), 0x0200000000bb, port_of("vm")->index);
	for (int i = 0; i < 30; i++) {
		usleep(10000);
		event_base_loop(control.base, EVLOOP_NONBLOCK);
	}
	replies_pop(frames); /* the announcement */
	assert_int_equal(send_through("h2:s", &f), DROP_VXLAN_SUPPRESSED);
	assert_int_equal(replies_pop(frames), 0);
}

static void request_for_somebody_unknown_is_sent(void **state)
{
	struct frame f;

	(void)state;
	done(ask("vni.set", VNI_7, ""));
	frame_make(&f, arp_request, sizeof(arp_request), true);
	assert_int_equal(send_through("h2:s", &f), DROP_NONE);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(vni(7), "tx"), "pkts")),
			 1);
}

static void floods_that_are_off_or_too_many_are_counted_by_reason(void **state)
{
	struct frame f;
	int limited = 0;

	(void)state;
	frame_make(&f, arp_request, sizeof(arp_request), true);
	done(ask("vni.set", VNI_7, ",\"flood\":false"));
	assert_int_equal(send_through("h2:s", &f), DROP_VXLAN_BUM_OFF);
	assert_int_equal(drops(7, "vxlan-bum-off"), 1);
	done(ask("vni.set", VNI_7, ",\"bum_limit\":1"));
	for (int i = 0; i < 10; i++)
		limited += send_through("h2:s", &f) == DROP_VXLAN_BUM_LIMIT;
	assert_in_range(limited, 8, 9);
	assert_int_equal(drops(7, "vxlan-bum-limit"), limited);
	assert_int_equal(count(7, "tx_drops"), 1 + limited);
}

static void frame_that_does_not_fit_is_answered_as_often_as_allowed(void **state)
{
	static uint8_t rest[1600];
	struct frame f, frames[FRAME_BURST];
	struct frame_seg seg = {rest, 1600 - 60};

	(void)state;
	frame_make(&f, udp_frame, sizeof(udp_frame), false);
	f.len = 1600;
	f.segs = &seg;
	f.n_segs = 1;
	done(ask("vni.set", VNI_7, ",\"too_big_limit\":1"));
	for (int i = 0; i < 10; i++)
		assert_int_equal(send_through("h2:s", &f), DROP_VXLAN_TOO_BIG);
	assert_in_range(replies_pop(frames), 1, 2);
	assert_int_equal(drops(7, "vxlan-too-big"), 10);
	done(ask("vni.set", VNI_7, ",\"too_big_limit\":0"));
	assert_int_equal(send_through("h2:s", &f), DROP_VXLAN_TOO_BIG);
	assert_int_equal(replies_pop(frames), 0);
}

static void tag_behind_the_switchs_own_is_treated_as_configured(void **state)
{
	static const char *const tags[] = {"strip", "keep", "refuse"};
	uint8_t bytes[64];
	struct frame f;

	(void)state;
	memcpy(bytes, udp_frame, 12);
	memcpy(bytes + 12, "\x81\0\0\x14", 4);
	memcpy(bytes + 16, udp_frame + 12, 48);
	for (int i = 0; i < 3; i++) {
		char more[32];
		long long before, after;

		snprintf(more, sizeof(more), ",\"tag\":\"%s\"", tags[i]);
		done(ask("vni.set", VNI_7, more));
		before =
			json_integer_value(json_object_get(json_object_get(vni(7), "tx"), "bytes"));
		frame_make(&f, bytes, sizeof(bytes), false);
		assert_int_equal(send_through("h2:s", &f),
				 i == 2 ? DROP_VXLAN_INNER_TAGGED : DROP_NONE);
		after = json_integer_value(json_object_get(json_object_get(vni(7), "tx"), "bytes"));
		assert_int_equal(after - before, i == 0 ? 60 : i == 1 ? 64 : 0);
	}
}

static void second_daemon_is_told_who_has_the_port_and_the_first_runs_on(void **state)
{
	struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(4790)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	inet_pton(AF_INET, "192.0.2.1", &there.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&there, sizeof(there)), 0);
	done(ask("vni.set", VNI_7, ""));
	assert_int_not_equal(ask("uplink.set", "{\"name\":\"up\",\"ifname\":\"u0\",\"local\":"
					       "[\"192.0.2.1\"],\"udp_port\":4790}"),
			     0);
	assert_non_null(strstr(
		json_string_value(json_object_get(json_object_get(answer, "error"), "message")),
		"is in use: another netloomd"));
	assert_string_equal(json_string_value(json_object_get(vni(7), "state")), "up");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(slot_belongs_to_a_vni_while_it_lives),
		TEST(mtu_that_does_not_fit_is_refused_and_one_that_shrinks_is_said),
		TEST(uplink_that_goes_takes_the_vni_down_with_a_sentence),
		TEST(vtep_joins_the_flood_list_with_its_first_station_and_leaves_with_the_last),
		TEST(station_that_attaches_is_announced_as_if_it_spoke),
		TEST(port_whose_machine_is_known_is_announced_when_it_comes_up),
		TEST(port_that_comes_again_is_announced_again),
		TEST(many_stations_are_not_multiplied),
		TEST(request_that_is_known_is_answered_and_not_sent),
		TEST(request_for_somebody_unknown_is_sent),
		TEST(floods_that_are_off_or_too_many_are_counted_by_reason),
		TEST(frame_that_does_not_fit_is_answered_as_often_as_allowed),
		TEST(tag_behind_the_switchs_own_is_treated_as_configured),
		TEST(second_daemon_is_told_who_has_the_port_and_the_first_runs_on),
	};

	if (unshare(CLONE_NEWNET) != 0 ||
	    system("ip link add u0 mtu 1550 type veth peer name p0") != 0) {
		printf("skipped: needs the right to make a network namespace and veth\n");
		return 77;
	}
	if (system("for i in lo u0 p0; do ip link set $i up || exit 1; done; "
		   "ip address add 192.0.2.1/24 dev u0 && "
		   "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 nud permanent dev u0 && "
		   "ip neigh add 192.0.2.3 lladdr 02:00:00:00:00:03 nud permanent dev u0") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
