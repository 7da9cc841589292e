/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters: machine code and interpreter agree, tags and bytes far behind count, hostile text is refused. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eal.h"
#include "probe/filter.h"
#include "probe/filter_words.h"
#include "unit/datapath/frames.h"
#include "unit/datapath/packets.h"

/* More ways through it than librte_bpf's verifier would walk; matches nothing. */
#define MANY                                                                                       \
	"(ip6 host 2001:db8::1 or ip6 host 2001:db8::2 or ip6 host 2001:db8::3 or ip6 host "       \
	"2001:db8::4 or "                                                                          \
	"ip6 host 2001:db8::5 or ip6 host 2001:db8::6 or ip6 host 2001:db8::7 or ip6 host "        \
	"2001:db8::8 or "                                                                          \
	"ip6 host 2001:db8::9 or ip6 host 2001:db8::a or ip6 host 2001:db8::b or ip6 host "        \
	"2001:db8::c)"

static unsigned int n_lookups;

/* In the place of libc's, for libpcap: who is asked about a name would make the switch wait for a name server. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **found)
{
	struct in6_addr address;
	int (*libc)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	*(void **)&libc = dlsym(RTLD_NEXT, "getaddrinfo");
	if (node == NULL || inet_pton(AF_INET6, node, &address) == 1)
		return libc(node, service, hints, found);
	n_lookups++;
	return EAI_NONAME;
}

int getnetbyname_r(const char *name, struct netent *net, char *buffer, size_t size,
		   struct netent **found, int *error)
{
	(void)name;
	(void)net;
	(void)buffer;
	(void)size;
	(void)error;
	n_lookups++;
	*found = NULL;
	return HOST_NOT_FOUND;
}

static struct filter_scratch *scratch;
static struct packet packet;

static int set_up(void **state)
{
	struct err err = {.text = ""};

	(void)state;
	scratch = filter_scratch_new();
	return scratch == NULL ? -1 : eal_start(false, NULL, &err);
}

static int tear_down(void **state)
{
	(void)state;
	filter_scratch_free(scratch);
	return 0;
}

static struct filter *compile(const char *text)
{
	struct filter *filter = NULL;
	struct err err = {.text = ""};

	if (filter_compile(text, &filter, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(filter_text(filter), text);
	return filter;
}

static void refuse(const char *text, const char *sentence)
{
	struct filter *filter = NULL;
	struct err err = {.text = ""};

	assert_int_not_equal(filter_compile(text, &filter, &err), 0);
	if (strstr(err.text, sentence) == NULL)
		fail_msg("\"%s\": %s", text, err.text);
	assert_null(filter);
}

/* An untagged IPv4 TCP-ish frame of @len bytes, numbered, in pieces of @piece. */
static void frame_lay(uint32_t len, uint32_t piece)
{
	frames_make(packet.bytes, 1, 2, len, 0);
	packet_split(&packet, len, piece);
}

/* Machine code and the interpreter must both say @want. */
static void expect(const char *text, bool want, const struct frame_out *out)
{
	char slow[FILTER_TEXT_MAX];
	struct filter *native = compile(text), *interpreted;

	snprintf(slow, sizeof(slow), "(%s) or %s", text, MANY);
	interpreted = compile(slow);
	assert_true(filter_is_native(native));
	assert_false(filter_is_native(interpreted));
	if (filter_match(native, scratch, out) != want)
		fail_msg("machine code: \"%s\" is %s", text, want ? "false" : "true");
	if (filter_match(interpreted, scratch, out) != want)
		fail_msg("interpreter: \"%s\" is %s", text, want ? "false" : "true");
	filter_free(native);
	filter_free(interpreted);
}

static void no_filter_accepts_everything(void **state)
{
	struct frame_out out = {.f = &packet.f};

	(void)state;
	frame_lay(60, 60);
	assert_true(filter_match(NULL, scratch, &out));
}

static void headers_decide(void **state)
{
	struct frame_out out = {.f = &packet.f};

	(void)state;
	frame_lay(60, 60);
	expect("ether src 02:00:00:00:00:01", true, &out);
	expect("ether dst 02:00:00:00:00:01", false, &out);
	expect("ether proto 0x88b5", true, &out);
	expect("arp or ip", false, &out);
	expect("len = 60", true, &out);
	expect("greater 61", false, &out);
	expect("vlan", false, &out);
}

static void bytes_behind_the_head_are_read_wherever_they_are(void **state)
{
	struct frame_out out = {.f = &packet.f};
	char text[64];

	(void)state;
	for (uint32_t piece = 25; piece < 2000; piece = piece * 3 + 1) {
		frame_lay(1400, piece);
		for (uint32_t at = 120; at < 1400; at += 131) {
			snprintf(text, sizeof(text), "ether[%u] = %u", at, at & 0xff);
			expect(text, true, &out);
			snprintf(text, sizeof(text), "ether[%u] = %u", at, (at + 1) & 0xff);
			expect(text, false, &out);
		}
		expect("ether[1398:4] = 0", false, &out); /* beyond the end: no match, no access */
	}
}

static void a_tag_that_is_put_on_the_way_out_counts(void **state)
{
	struct frame_out out = {.f = &packet.f};
	struct vlan_port trunk = {.mode = VLAN_TRUNK, .tpid = VLAN_TPID_C};

	(void)state;
	frame_lay(700, 200);
	packet.f.vid = 10;
	packet.f.strip = 0;
	vlan_egress(&trunk, &out);
	assert_int_equal(out.prefix_len, 16);
	expect("vlan 10", true, &out);
	expect("vlan 11", false, &out);
	expect("vlan 10 and ether proto 0x88b5", true, &out);
	expect("len = 704", true, &out);
	expect("ether[604] = 88", true, &out); /* byte 600 of the frame, 4 further on */
}

static void what_is_no_filter_is_refused(void **state)
{
	char text[3 * FILTER_TEXT_MAX];

	(void)state;
	refuse("host example.com", "not looked up");
	refuse("net lan", "not looked up");
	refuse("ether host printer", "not looked up");
	refuse("tcp and", "does not compile");
	refuse("host 10.0.0.256", "does not compile");
	refuse("ip6 protochain 6", "may loop");
	refuse("tcp\nport 80", "printable");
	refuse("tcp \xc3\xa4", "printable");
	memset(text, '(', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	refuse(text, "characters");
	text[FILTER_TEXT_MAX - 1] = '\0';
	refuse(text, "");
	memset(text, 'a', 100);
	text[100] = '\0';
	refuse(text, "a word of 100");
}

static void nothing_is_looked_up(void **state)
{
	/* What looks like an address, a slice or a protocol, and is a host to libpcap. */
	static const char *const tricks[] = {
		"host a:b",
		"host ab:1",
		"host 0x",
		"host 0xg",
		"host 1-2",
		"net 1-2",
		"host 1.",
		"host 1..2",
		"host 10.0.0.1.",
		"host 1.2.3.4.5",
		"host 1.2.3.4-5",
		"host 1.2.3.4.5.6.7",
		"src 12ab",
		"host aaaaaaaaaaaaa",
		"host aaaaaaaaaaaaaaaaa",
		"host aaa.bbb.ccc",
		"host 00000000000x",
		"host \\foo",
		"net \\foo",
		"host (192.0.2.1 or \\tcp)",
		"host port or proto or foo",
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++)
		refuse(tricks[i], "not looked up");
	for (size_t i = 0; filter_words_known[i] != NULL; i++) {
		struct err err = {.text = ""};
		struct filter *filter = NULL;

		snprintf(text, sizeof(text), "host %s", filter_words_known[i]);
		if (filter_compile(text, &filter, &err) == 0)
			filter_free(filter);
		if (n_lookups > 0)
			fail_msg("libpcap of this machine does not know \"%s\"",
				 filter_words_known[i]);
	}
}

static void words_of_the_language_are_not_names(void **state)
{
	static const char *const good[] = {
		"port http",
		"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
		"icmp[icmptype] = icmp-echo",
		"ip proto \\tcp",
		"ether host 52:54:00:12:34:56",
		"net 10.0.0.0/8",
		"host ::1",
		"portrange 1000-2000",
		"not (arp or rarp)",
		"ip[2:2] - ((ip[0]&0xf)<<2) > 100",
		"vlan 10 and vlan 20",
		"less 100",
		"ether multicast",
		"mpls 1000",
		"ip[6:2] & 0x1fff = 0",
		"ether[0x0c:2] = 0x800",
		"ip[2:2] -4 > 100",
		"net 10.0.0.0 mask 255.0.0.0",
		"ether host 5254.0012.3456",
		"ether host 52-54-0-12-34-56",
		"ether host 525400123456",
		"net 10",
		"llc",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		filter_free(compile(good[i]));
	filter_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_filter_accepts_everything),
		cmocka_unit_test(headers_decide),
		cmocka_unit_test(bytes_behind_the_head_are_read_wherever_they_are),
		cmocka_unit_test(a_tag_that_is_put_on_the_way_out_counts),
		cmocka_unit_test(what_is_no_filter_is_refused),
		cmocka_unit_test(nothing_is_looked_up),
		cmocka_unit_test(words_of_the_language_are_not_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
