/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes named by pid and start time, and small files. The monitor itself is run by the end-to-end tests,
 * as it is the netloom program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/command.h"
#include "lab/file.h"
#include "lab/monitor.h"
#include "lab/proc.h"
#include "lab/term.h"

static char folder[64];

static int folder_make(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/netloom-unit-XXXXXX");
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int folder_remove(void **state)
{
	(void)state;
	return file_remove_tree(folder, NULL);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void process_is_ended_by_its_identity(void **state)
{
	pid_t pid = sleeper();
	struct proc_id id = proc_id_of(pid);

	(void)state;
	assert_int_equal(id.pid, pid);
	assert_true(proc_is_alive(id));
	assert_int_equal(proc_end(id, 2000), 0);
	assert_false(proc_is_alive(id));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void process_with_another_start_time_is_left_alone(void **state)
{
	pid_t pid = sleeper();
	struct proc_id id = proc_id_of(pid);
	struct proc_id other = id;

	(void)state;
	other.start_tick += 1;
	assert_false(proc_is_alive(other));
	assert_int_equal(proc_signal(other, SIGKILL), -ESRCH);
	assert_int_equal(proc_end(other, 100), 0);
	assert_true(proc_is_alive(id));
	assert_int_equal(proc_end(id, 2000), 0);
	waitpid(pid, NULL, 0);
}

static void process_that_ignores_sigterm_is_killed(void **state)
{
	int pipes[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGTERM, SIG_IGN);
		if (write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(proc_end(proc_id_of(pid), 50), 0);
	waitpid(pid, NULL, 0);
}

static void init_is_never_signalled(void **state)
{
	struct proc_id init = {.pid = 1, .start_tick = proc_id_of(1).start_tick};

	(void)state;
	assert_int_equal(proc_signal(init, 0), -ESRCH);
	assert_int_equal(proc_id_from_json(NULL).pid, 0);
}

static void tail_gives_the_last_lines_without_escapes(void **state)
{
	static const char log[] = "one\ntwo\r\n\033[31mthree\033[0m\nfour\0five\n\n";
	char path[128];
	char *text;

	(void)state;
	snprintf(path, sizeof(path), "%s/log", folder);
	assert_int_equal(file_write(path, log, sizeof(log) - 1, NULL), 0);
	text = file_tail(path, 2);
	assert_string_equal(text, "three\nfour five");
	free(text);
	text = file_tail("/nonexistent", 2);
	assert_string_equal(text, "");
	free(text);
}

static void what_a_guest_says_does_not_speak_to_the_terminal(void **state)
{
	char text[] = "a\033[2Jb\033]0;c\007\r\n\xc2\x9b\x33\x31mok\t\xc3\xa4\x7f\033[";
	char line[] = "one\ntwo\033[31m";

	(void)state;
	term_clean(text);
	assert_string_equal(text, "ab]0;c\n31mok\t\xc3\xa4");
	term_clean_line(line);
	assert_string_equal(line, "one two");
}

/* A guest that prints for ever must not fill the run directory. */
static void log_is_cut_and_its_end_is_kept(void **state)
{
	char path[128];
	char older[144];
	char *text;
	size_t len;
	FILE *out;

	(void)state;
	snprintf(path, sizeof(path), "%s/long.log", folder);
	snprintf(older, sizeof(older), "%s.1", path);
	assert_int_equal(file_log_cut(path, 1000), 0); /* none there */
	out = fopen(path, "ae");		       /* as a VMM has it open */
	assert_non_null(out);
	for (int i = 0; i < 100; i++)
		fprintf(out, "line %04d\n", i);
	fflush(out);
	assert_int_equal(file_log_cut(path, 1000), 0); /* 1000 bytes are not too many */
	fprintf(out, "line 0100\n");
	fflush(out);
	assert_int_equal(file_log_cut(path, 1000), 1);
	text = file_read(older, 4096, &len, NULL);
	assert_int_equal(len, 500);
	assert_int_equal(strncmp(text, "line 0051\n", 10), 0);
	assert_string_equal(text + 490, "line 0100\n");
	free(text);
	fprintf(out, "goes on\n");
	fclose(out);
	text = file_read(path, 4096, &len, NULL);
	assert_string_equal(text, "[netloom: the log had more than 1000 bytes; the end of that is "
				  "in long.log.1]\ngoes on\n");
	free(text);
}

static void file_that_cannot_be_written_says_so(void **state)
{
	struct err err = {.text = ""};

	(void)state;
	assert_true(file_write("/proc/nope/file", "x", 1, &err) < 0);
	assert_non_null(strstr(err.text, "cannot write"));
}

static void tree_removal_does_not_follow_links(void **state)
{
	char inside[128];
	char outside[128];
	char link[160];

	(void)state;
	snprintf(inside, sizeof(inside), "%s/tree/deep", folder);
	snprintf(outside, sizeof(outside), "%s/outside", folder);
	snprintf(link, sizeof(link), "%s/link", inside);
	assert_int_equal(file_mkdir(inside, 0700, NULL), 0);
	assert_int_equal(file_mkdir(outside, 0700, NULL), 0);
	assert_int_equal(symlink(outside, link), 0);
	snprintf(inside, sizeof(inside), "%s/tree", folder);
	assert_int_equal(file_remove_tree(inside, NULL), 0);
	assert_int_equal(access(inside, F_OK), -1);
	assert_int_equal(access(outside, F_OK), 0);
}

static void folder_without_a_monitor_is_not_running(void **state)
{
	struct monitor_state monitor;
	struct monitor_exit end;

	(void)state;
	monitor_state_read(folder, &monitor);
	assert_false(monitor.is_running);
	monitor_exit_read(folder, &end);
	assert_false(end.is_known);
	assert_int_equal(monitor_stop(folder, NULL), 0);
}

static void program_is_run_and_bounded(void **state)
{
	static const char *const echo[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
	static const char *const slow[] = {"sleep", "60", NULL};
	static const char *const none[] = {"/nonexistent/program", NULL};
	struct command_output output;
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(command_run(echo, 10000, &output, &err), 0);
	assert_int_equal(output.status, 3);
	assert_string_equal(output.text, "out\nerr\n");
	command_output_free(&output);
	assert_int_equal(command_run(slow, 100, &output, &err), -ETIMEDOUT);
	assert_int_equal(command_run(none, 1000, &output, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(process_is_ended_by_its_identity),
		cmocka_unit_test(process_with_another_start_time_is_left_alone),
		cmocka_unit_test(process_that_ignores_sigterm_is_killed),
		cmocka_unit_test(init_is_never_signalled),
		cmocka_unit_test(tail_gives_the_last_lines_without_escapes),
		cmocka_unit_test(what_a_guest_says_does_not_speak_to_the_terminal),
		cmocka_unit_test(log_is_cut_and_its_end_is_kept),
		cmocka_unit_test(file_that_cannot_be_written_says_so),
		cmocka_unit_test(tree_removal_does_not_follow_links),
		cmocka_unit_test(folder_without_a_monitor_is_not_running),
		cmocka_unit_test(program_is_run_and_bounded),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
