/* SPDX-License-Identifier: BSD-3-Clause */
/* Our side of the guest agent's protocol against an agent of our own, in a child process on a Unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lab/agent.h"
#include "lab/boot.h"
#include "lab/file.h"
#include "lab/rundir.h"

enum fake {
	FAKE_GOOD,
	FAKE_SILENT,
	FAKE_HANGS_UP,
	FAKE_STALE,
	FAKE_REFUSES,
	FAKE_NONSENSE,
	FAKE_ENDLESS, /* one line without an end */
	FAKE_FLOOD,   /* lines and lines, none the answer */
	FAKE_NOISE,   /* the same, and no JSON */
};

static char folder[64];
static pid_t server;

static void line_write(FILE *out, const char *text)
{
	fprintf(out, "%s\n", text);
	fflush(out);
}

/* One request at a time; answers as qemu-ga does. */
static void fake_serve(FILE *in, FILE *out, enum fake kind)
{
	int n_status = 0;
	char line[65536];

	while (kind == FAKE_ENDLESS && fputc('a', out) != EOF)
		;
	while (kind == FAKE_FLOOD && fputs("{\"event\": 1}\n", out) != EOF)
		;
	while (kind == FAKE_NOISE && fputs("a\n", out) != EOF)
		;
	if (kind == FAKE_STALE) /* the answer that somebody before us did not wait for */
		line_write(out, "{\"return\": {\"pid\": 99}}\n{\"half");
	while (fgets(line, sizeof(line), in) != NULL) {
		const char *id = strstr(line, "\"id\":");

		if (kind == FAKE_SILENT)
			continue;
		if (kind == FAKE_HANGS_UP)
			_exit(0);
		if (strstr(line, "guest-sync-delimited") != NULL) {
			fprintf(out,
				"{\"error\": {\"desc\": \"stray byte\"}}\n\xff{\"return\": %d}\n",
				atoi(id + 5));
			fflush(out);
		} else if (strstr(line, "guest-exec-status") != NULL) {
			if (kind == FAKE_NONSENSE)
				line_write(out, "this is no JSON");
			else if (++n_status < 3)
				line_write(out, "{\"return\": {\"exited\": false}}");
			else /* "out\n" and "err\n" */
				line_write(out, "{\"return\": {\"exited\": true, \"exitcode\": 7, "
						"\"out-data\": \"b3V0Cg==\", \"err-data\": "
						"\"ZXJyCg==\"}}");
		} else if (kind == FAKE_REFUSES) {
			line_write(
				out,
				"{\"error\": {\"class\": \"GenericError\", \"desc\": \"Failed to "
				"\\u001b[2Jexecute child\\u000aprocess\"}}");
		} else {
			line_write(out, "{\"return\": {\"pid\": 4711}}");
		}
	}
	_exit(0);
}

static void fake_start(enum fake kind)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct lab_path path = rundir_node("lab", "h1", "agent.sock");
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(listener >= 0);
	assert_true(strlen(path.text) < sizeof(address.sun_path));
	strcpy(address.sun_path, path.text);
	unlink(path.text);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		int fd = accept(listener, NULL, NULL);

		fake_serve(fdopen(fd, "r"), fdopen(dup(fd), "w"), kind);
	}
	close(listener);
}

static int folder_make(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/netloom-unit-XXXXXX");
	if (mkdtemp(folder) == NULL || setenv("NETLOOM_RUNDIR", folder, 1) < 0)
		return -1;
	return file_mkdir(rundir_node("lab", "h1", NULL).text, 0700, NULL);
}

static int folder_remove(void **state)
{
	(void)state;
	return file_remove_tree(folder, NULL);
}

static int fake_stop(void **state)
{
	(void)state;
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
	return 0;
}

static int run(struct agent_result *result, struct err *err)
{
	const char *argv[] = {"ls", "-l", NULL};
	struct agent agent;
	int rc = agent_open(&agent, "lab", "h1", 1000, err);

	if (rc == 0) {
		rc = agent_exec(&agent, argv, NULL, "in", 2, 5000, result, err);
		agent_close(&agent);
	}
	return rc;
}

static void command_gives_output_and_status(void **state)
{
	struct agent_result result;
	struct err err = {.text = ""};

	(void)state;
	fake_start(FAKE_GOOD);
	assert_int_equal(run(&result, &err), 0);
	assert_int_equal(result.status, 7);
	assert_string_equal(result.out, "out\n");
	assert_string_equal(result.errors, "err\n");
	assert_false(result.is_truncated);
	agent_result_free(&result);
}

static void what_an_earlier_user_left_is_skipped(void **state)
{
	struct agent_result result;
	struct err err = {.text = ""};

	(void)state;
	fake_start(FAKE_STALE);
	assert_int_equal(run(&result, &err), 0);
	assert_int_equal(result.status, 7);
	agent_result_free(&result);
}

static void silent_agent_is_given_up(void **state)
{
	struct agent_result result;
	struct err err = {.text = ""};

	(void)state;
	fake_start(FAKE_SILENT);
	assert_int_equal(run(&result, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "does not answer"));
}

static void agent_that_hangs_up_is_an_error(void **state)
{
	struct agent_result result;
	struct err err = {.text = ""};

	(void)state;
	fake_start(FAKE_HANGS_UP);
	assert_true(run(&result, &err) < 0);
	assert_true(err.text[0] != '\0');
}

static void refusal_is_passed_on(void **state)
{
	struct agent_result result;
	struct err err = {.text = ""};

	(void)state;
	fake_start(FAKE_REFUSES);
	assert_int_equal(run(&result, &err), -EREMOTEIO);
	assert_non_null(strstr(err.text, "Failed to execute child process"));
}

static void nonsense_is_an_error_not_a_crash(void **state)
{
	struct agent_result result;
	struct err err = {.text = ""};

	(void)state;
	fake_start(FAKE_NONSENSE);
	assert_int_equal(run(&result, &err), -EPROTO);
}

static void second_user_waits_its_turn(void **state)
{
	struct err err = {.text = ""};
	struct agent first;
	struct agent second;

	(void)state;
	fake_start(FAKE_GOOD);
	assert_int_equal(agent_open(&first, "lab", "h1", 1000, &err), 0);
	assert_int_equal(agent_open(&second, "lab", "h1", 100, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "busy with another command"));
	agent_close(&first);
}

static void nobody_there_is_said(void **state)
{
	struct err err = {.text = ""};
	struct agent agent;

	(void)state;
	unlink(rundir_node("lab", "h1", "agent.sock").text);
	assert_int_equal(agent_open(&agent, "lab", "h1", 100, &err), -ENOENT);
	assert_int_equal(agent_open(&agent, "lab", "h9", 100, &err), -ENOENT);
}

/* Each of them kept its caller for ever once, deaf to Ctrl-C. */
static const enum fake hostile[] = {FAKE_ENDLESS, FAKE_FLOOD, FAKE_NOISE};

static void hostile_guest_does_not_keep_exec(void **state)
{
	(void)state;
	alarm(60);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct err err = {.text = ""};
		struct agent agent;
		int rc;

		fake_start(hostile[i]);
		rc = agent_open(&agent, "lab", "h1", 500, &err);
		assert_true(rc == -ETIMEDOUT || rc == -EMSGSIZE);
		fake_stop(NULL);
	}
	alarm(0);
}

static void interrupt_note(int signal)
{
	(void)signal;
	jsonline_interrupted = 1;
}

static void hostile_guest_does_not_keep_the_interrupted(void **state)
{
	(void)state;
	signal(SIGALRM, interrupt_note);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct err err = {.text = ""};
		struct agent agent;
		int rc;

		fake_start(hostile[i]);
		alarm(1);
		rc = agent_open(&agent, "lab", "h1", 60000, &err);
		assert_true(rc == -EINTR || rc == -EMSGSIZE);
		alarm(0);
		jsonline_interrupted = 0;
		fake_stop(NULL);
	}
	signal(SIGALRM, SIG_DFL);
}

/* A VM that has been started, as far as boot_run() can tell: somebody holds its monitor's lock. */
static int boot_one(unsigned int timeout_s, struct boot_vm *vm)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct topo_node node = {.name = "h1", .kind = TOPO_VM, .has_agent = true};
	struct topo topo = {.name = "lab", .nodes = &node, .n_nodes = 1};
	struct boot boot = {.topo = &topo, .vms = vm, .n_vms = 1, .timeout_s = timeout_s};
	int fd = open(rundir_node("lab", "h1", "lock").text, O_RDWR | O_CREAT, 0600);
	int rc;

	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	memset(vm, 0, sizeof(*vm));
	vm->node = &node;
	vm->state = BOOT_STARTED;
	vm->started_ns = clock_now_ns();
	rc = boot_run(&boot);
	close(fd);
	return rc;
}

static void answering_guest_is_up(void **state)
{
	struct boot_vm vm;

	(void)state;
	fake_start(FAKE_GOOD);
	assert_int_equal(boot_one(20, &vm), 0);
	assert_int_equal(vm.state, BOOT_UP);
}

static void hostile_guest_does_not_keep_up(void **state)
{
	struct boot_vm vm;

	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		alarm(60);
		fake_start(hostile[i]);
		assert_int_equal(boot_one(1, &vm), 1);
		assert_int_equal(vm.state, BOOT_FAILED);
		assert_non_null(strstr(vm.failure, "has not answered"));
		fake_stop(NULL);
		signal(SIGALRM, interrupt_note);
		fake_start(hostile[i]);
		alarm(1);
		assert_int_equal(boot_one(60, &vm), -EINTR);
		alarm(0);
		signal(SIGALRM, SIG_DFL);
		jsonline_interrupted = 0;
		fake_stop(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(command_gives_output_and_status, fake_stop),
		cmocka_unit_test_teardown(what_an_earlier_user_left_is_skipped, fake_stop),
		cmocka_unit_test_teardown(silent_agent_is_given_up, fake_stop),
		cmocka_unit_test_teardown(agent_that_hangs_up_is_an_error, fake_stop),
		cmocka_unit_test_teardown(refusal_is_passed_on, fake_stop),
		cmocka_unit_test_teardown(nonsense_is_an_error_not_a_crash, fake_stop),
		cmocka_unit_test_teardown(second_user_waits_its_turn, fake_stop),
		cmocka_unit_test(nobody_there_is_said),
		cmocka_unit_test_teardown(hostile_guest_does_not_keep_exec, fake_stop),
		cmocka_unit_test_teardown(hostile_guest_does_not_keep_the_interrupted, fake_stop),
		cmocka_unit_test_teardown(answering_guest_is_up, fake_stop),
		cmocka_unit_test_teardown(hostile_guest_does_not_keep_up, fake_stop),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
