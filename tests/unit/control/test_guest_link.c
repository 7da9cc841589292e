/* SPDX-License-Identifier: BSD-3-Clause */
/* Telling a VMM of a carrier: VMMs that answer as they should, late, wrong, by halves, too much, or never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "guest_link.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n"
#define EVENT	 "{\"event\": \"NIC_RX_FILTER_CHANGED\", \"timestamp\": {\"seconds\": 1}}\n"
#define LATER	 "{\"event\": \"A\", \"data\": {}}\n"
#define ANSWERS	 "{\"return\": {}, \"id\": 2}\n{\"return\": {}, \"id\": 1}\n"

/* One VMM, what it was asked, and how the conversation with it ended. */
struct vmm {
	char path[64];
	int listener, fd;
	struct model_link link;
	struct guest_link *guest;
	struct event *chat; /* says something again and again */
	const char *chatter;
	char heard[4096];
	size_t n_heard;
	int n_done;
	char why[256]; /* "" for what went well */
};

static struct event_base *base;
static char dir[] = "/tmp/netloom-guest-link-XXXXXX";

static int group_setup(void **unused)
{
	(void)unused;
	base = event_base_new();
	return base == NULL || mkdtemp(dir) == NULL ? -1 : 0;
}

static int group_teardown(void **unused)
{
	(void)unused;
	event_base_free(base);
	return rmdir(dir);
}

static void ended(const char *why, void *arg)
{
	struct vmm *vmm = arg;

	vmm->n_done++;
	snprintf(vmm->why, sizeof(vmm->why), "%s", why != NULL ? why : "");
	guest_link_free(vmm->guest);
	vmm->guest = NULL;
}

static void vmm_begin(struct vmm *vmm, const char *name, enum model_guest protocol, bool up)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(vmm, 0, sizeof(*vmm));
	snprintf(vmm->path, sizeof(vmm->path), "%s/%s", dir, name);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", vmm->path);
	vmm->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(vmm->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(vmm->listener, 1), 0);
	vmm->link.guest = (uint8_t)protocol;
	strcpy(vmm->link.guest_socket, vmm->path);
	strcpy(vmm->link.guest_nic, "nic-eth1");
	vmm->guest = guest_link_tell(base, &vmm->link, up, ended, vmm);
	assert_non_null(vmm->guest);
	vmm->fd = accept4(vmm->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(vmm->fd >= 0);
}

static void vmm_end(struct vmm *vmm)
{
	if (vmm->chat != NULL)
		event_free(vmm->chat);
	guest_link_free(vmm->guest);
	if (vmm->fd >= 0)
		close(vmm->fd);
	close(vmm->listener);
	unlink(vmm->path);
}

static void say(const struct vmm *vmm, const char *text)
{
	assert_int_equal(send(vmm->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Let the loop do what it can do now. */
static void turn(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static const char *hear(struct vmm *vmm)
{
	ssize_t n;

	turn();
	while ((n = recv(vmm->fd, vmm->heard + vmm->n_heard, sizeof(vmm->heard) - 1 - vmm->n_heard,
			 MSG_DONTWAIT)) > 0)
		vmm->n_heard += (size_t)n;
	vmm->heard[vmm->n_heard] = '\0';
	return vmm->heard;
}

static void run_until_done(struct vmm *vmm)
{
	while (vmm->n_done == 0)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
}

/* What was said was enough: it is over, and that is why. */
static void over(struct vmm *vmm, const char *why)
{
	turn();
	assert_int_equal(vmm->n_done, 1);
	assert_string_equal(vmm->why, why);
	vmm_end(vmm);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

static void qemu_is_told_and_its_events_are_passed_over(void **unused)
{
	struct vmm vmm;

	(void)unused;
	vmm_begin(&vmm, "qemu", MODEL_GUEST_QMP, false);
	assert_string_equal(hear(&vmm), "");
	say(&vmm, GREETING EVENT);
	assert_non_null(strstr(hear(&vmm), "\"name\":\"nic-eth1\",\"up\":false"));
	say(&vmm, "{\"return\": {}, \"id\": 2}\n" EVENT);
	turn();
	assert_int_equal(vmm.n_done, 0);
	say(&vmm, "{\"return\": {}, \"id\": 1}\n");
	over(&vmm, "");
}

static void vm_runner_is_told(void **unused)
{
	struct vmm vmm;

	(void)unused;
	vmm_begin(&vmm, "runner", MODEL_GUEST_RUNNER, true);
	assert_non_null(strstr(hear(&vmm), "\"method\":\"nic.link\""));
	assert_non_null(strstr(hear(&vmm), "\"up\":true"));
	say(&vmm, "{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {}}\n");
	over(&vmm, "");
}

static void a_refusal_is_handed_on(void **unused)
{
	struct vmm vmm;

	(void)unused;
	vmm_begin(&vmm, "no", MODEL_GUEST_QMP, true);
	say(&vmm,
	    GREETING "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no such card\"}}\n");
	over(&vmm, "the VMM says: no such card");
	vmm_begin(&vmm, "oddly", MODEL_GUEST_RUNNER, true);
	say(&vmm, "{\"id\": 1, \"error\": [7]}\n");
	over(&vmm, "the VMM says: no");
}

static void answers_to_what_was_not_asked_do_not_count(void **unused)
{
	static const char *const wrong[] = {ANSWERS,
					    "nonsense\n",
					    "[]\n",
					    "7\n",
					    "\n",
					    "{\n",
					    "{\"return\": {}}\n",
					    "{\"return\": {}, \"id\": \"1\"}\n"};
	struct vmm vmm;

	(void)unused;
	vmm_begin(&vmm, "early", MODEL_GUEST_QMP, true);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		say(&vmm, wrong[i]);
	assert_string_equal(hear(&vmm), "");
	assert_int_equal(vmm.n_done, 0);
	say(&vmm, GREETING);
	hear(&vmm);
	for (size_t i = 1; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		say(&vmm, wrong[i]);
	turn();
	assert_int_equal(vmm.n_done, 0);
	say(&vmm, ANSWERS);
	over(&vmm, "");
}

static void one_who_greets_again_is_not_asked_again(void **unused)
{
	struct vmm vmm;

	(void)unused;
	vmm_begin(&vmm, "greeter", MODEL_GUEST_QMP, true);
	for (int i = 0; i < 100; i++)
		say(&vmm, GREETING);
	assert_int_equal(count(hear(&vmm), "set_link"), 1);
	vmm_end(&vmm);
	vmm_begin(&vmm, "stranger", MODEL_GUEST_RUNNER, true);
	say(&vmm, GREETING);
	assert_int_equal(count(hear(&vmm), "qmp"), 0);
	vmm_end(&vmm);
}

static void who_goes_in_the_middle_of_a_word_is_noticed_at_once(void **unused)
{
	struct vmm vmm;

	(void)unused;
	vmm_begin(&vmm, "half", MODEL_GUEST_QMP, true);
	say(&vmm, GREETING "{\"return\": {}, \"id\"");
	hear(&vmm);
	assert_int_equal(vmm.n_done, 0);
	close(vmm.fd);
	vmm.fd = -1;
	turn();
	assert_int_equal(vmm.n_done, 1);
	assert_non_null(strstr(vmm.why, "was closed"));
	vmm_end(&vmm);
}

/* @line may have no end. */
static void flood(const char *name, const char *line)
{
	struct vmm vmm;

	vmm_begin(&vmm, name, MODEL_GUEST_RUNNER, true);
	for (size_t sent = 0; vmm.n_done == 0; turn()) {
		ssize_t n = send(vmm.fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		assert_in_range(sent, 0, 4 << 20);
	}
	assert_non_null(strstr(vmm.why, "says much"));
	vmm_end(&vmm);
}

static void who_says_much_is_left(void **unused)
{
	static char endless[65537];

	(void)unused;
	memset(endless, 'x', sizeof(endless) - 1);
	flood("endless", endless);
	flood("talker", EVENT EVENT EVENT EVENT EVENT EVENT EVENT EVENT EVENT EVENT EVENT EVENT);
}

static void chat(evutil_socket_t fd, short what, void *arg)
{
	struct vmm *vmm = arg;

	(void)fd;
	(void)what;
	if (vmm->guest != NULL)
		say(vmm, vmm->chatter);
}

static void chat_begin(struct vmm *vmm, const char *text)
{
	static const struct timeval pause = {.tv_usec = 50000};

	vmm->chatter = text;
	vmm->chat = event_new(base, -1, EV_PERSIST, chat, vmm);
	event_add(vmm->chat, &pause);
}

/* None of them keeps the loop, or a VMM that answers, waiting. */
static void who_never_comes_to_the_point_is_left(void **unused)
{
	struct vmm mute, trickling, chatting, half, good;
	struct vmm *const bad[] = {&mute, &trickling, &chatting, &half};

	(void)unused;
	vmm_begin(&mute, "mute", MODEL_GUEST_RUNNER, true);
	vmm_begin(&trickling, "trickling", MODEL_GUEST_QMP, true);
	chat_begin(&trickling, " ");
	vmm_begin(&chatting, "chatting", MODEL_GUEST_QMP, true);
	say(&chatting, GREETING);
	chat_begin(&chatting, LATER);
	vmm_begin(&half, "halves", MODEL_GUEST_QMP, true);
	say(&half, GREETING "{\"return\": {}, \"id\": 2}\n");
	vmm_begin(&good, "good", MODEL_GUEST_QMP, true);
	say(&good, GREETING ANSWERS);
	run_until_done(&good);
	assert_string_equal(good.why, "");
	for (size_t i = 0; i < 4; i++) {
		run_until_done(bad[i]);
		assert_string_equal(bad[i]->why, "the VMM's control socket does not answer");
		assert_int_equal(bad[i]->n_done, 1);
		vmm_end(bad[i]);
	}
	vmm_end(&good);
}

static void nobody_hears_of_a_conversation_that_is_cut(void **unused)
{
	struct vmm vmm;

	(void)unused;
	vmm_begin(&vmm, "cut", MODEL_GUEST_QMP, true);
	say(&vmm, GREETING);
	hear(&vmm);
	say(&vmm, ANSWERS);
	guest_link_free(vmm.guest);
	vmm.guest = NULL;
	turn();
	assert_int_equal(vmm.n_done, 0);
	vmm_end(&vmm);
}

static void nobody_there_is_said_at_once(void **unused)
{
	struct model_link link = {.guest = MODEL_GUEST_QMP};

	(void)unused;
	snprintf(link.guest_socket, sizeof(link.guest_socket), "%s/nobody", dir);
	assert_null(guest_link_tell(base, &link, true, ended, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_is_told_and_its_events_are_passed_over),
		cmocka_unit_test(vm_runner_is_told),
		cmocka_unit_test(a_refusal_is_handed_on),
		cmocka_unit_test(answers_to_what_was_not_asked_do_not_count),
		cmocka_unit_test(one_who_greets_again_is_not_asked_again),
		cmocka_unit_test(who_goes_in_the_middle_of_a_word_is_noticed_at_once),
		cmocka_unit_test(who_says_much_is_left),
		cmocka_unit_test(who_never_comes_to_the_point_is_left),
		cmocka_unit_test(nobody_hears_of_a_conversation_that_is_cut),
		cmocka_unit_test(nobody_there_is_said_at_once),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
