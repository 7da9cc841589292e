/* SPDX-License-Identifier: BSD-3-Clause */
/* start, stop, restart and log: what is done to one VM of a lab that is up. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/boot.h"
#include "lab/cli.h"
#include "lab/file.h"
#include "lab/node.h"
#include "lab/progress.h"
#include "lab/rundir.h"
#include "lab/stored.h"
#include "lab/term.h"
#include "lab/vmm.h"

#define STOP_GRACE_MS	20000
#define START_TIMEOUT_S 120
#define LOG_LINES_ALL	0
#define LOG_LINES_MAX	100000
#define LOG_BYTES_MAX	(1u << 30) /* they are cut at 8 MiB, a little after they reach it */

enum node_change { NODE_START = 1, NODE_STOP = 2 };

static int one_boot(const struct stored_lab *stored, const struct topo_node *node, struct err *err)
{
	struct vmm_image image = {.kernel = ""};
	struct boot_vm vm = {.node = node};
	struct boot boot = {.topo = &stored->topo,
			    .vms = &vm,
			    .n_vms = 1,
			    .timeout_s = START_TIMEOUT_S,
			    .progress = progress_boot};
	struct progress progress;
	struct vmm_kvm kvm;
	int rc = 0;

	if (node->kernel == NULL || node->initrd == NULL)
		rc = vmm_image_default(&image, err);
	if (rc < 0)
		return rc;
	vmm_kvm_check(&kvm);
	vm.spec = vmm_spec(&stored->topo, node, stored->base, &image, &kvm, err);
	if (vm.spec == NULL)
		return -EINVAL;
	progress_init(&progress, false);
	boot.ctx = &progress;
	rc = boot_run(&boot);
	progress_end(&progress, &boot);
	json_decref(vm.spec);
	if (rc > 0)
		return err_set(err, EIO, "%s/%s: %s", stored->topo.name, node->name, vm.failure);
	return rc;
}

static int node_change_locked(const struct stored_lab *stored, const char *name, int change,
			      bool force, struct err *err)
{
	const struct topo_node *node = stored_vm(stored, name, err);
	const char *lab = stored->topo.name;
	bool runs;
	int rc = 0;

	if (node == NULL)
		return -ENOENT;
	runs = node_is_running(lab, name);
	if (change == NODE_START && runs)
		return err_set(err, EEXIST, "\"%s/%s\" runs already", lab, name);
	if (change == NODE_STOP && !runs)
		return err_set(err, ENOENT, "\"%s/%s\" does not run", lab, name);
	if ((change & NODE_STOP) && runs)
		rc = node_stop(lab, name, force ? 0 : STOP_GRACE_MS, err);
	if (rc == 0 && (change & NODE_START))
		rc = one_boot(stored, node, err);
	if (rc == 0)
		printf("%s/%s is %s\n", lab, name, change & NODE_START ? "up" : "stopped");
	return rc;
}

static int node_change_run(const struct command *command, int argc, char **argv, int change)
{
	static const struct option options[] = {{"force", no_argument, NULL, 'f'}, {0}};
	char node[TOPO_NAME_MAX + 1];
	char lab[TOPO_NAME_MAX + 1];
	struct err err = {.text = ""};
	struct stored_lab stored;
	bool force = false;
	int lock;
	int rc;

	while (cli_option(command, argc, argv, change & NODE_STOP ? "f" : "",
			  change & NODE_STOP ? options : NULL) != -1)
		force = true;
	if (argc - optind != 1)
		return cli_usage(command, "one node, please");
	if (cli_node_split(argv[optind], lab, node, NULL, &err) < 0)
		return cli_usage(command, "%s", err.text);
	rc = stored_load(lab, &stored, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	cli_catch_interrupts();
	lock = rundir_lab_lock(lab, &err);
	rc = lock < 0 ? lock : node_change_locked(&stored, node, change, force, &err);
	rundir_lab_unlock(lab, lock, false);
	topo_free(&stored.topo);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}

int cmd_start(const struct command *command, int argc, char **argv)
{
	return node_change_run(command, argc, argv, NODE_START);
}

int cmd_stop(const struct command *command, int argc, char **argv)
{
	return node_change_run(command, argc, argv, NODE_STOP);
}

int cmd_restart(const struct command *command, int argc, char **argv)
{
	return node_change_run(command, argc, argv, NODE_STOP | NODE_START);
}

/* As it is, unless it goes to a terminal: a guest must not speak to that. */
static int log_copy(const char *path, unsigned int lines)
{
	struct err err = {.text = ""};
	char *text;
	ssize_t n;

	if (lines == LOG_LINES_ALL && isatty(STDOUT_FILENO)) {
		size_t len = 0;

		text = file_read(path, LOG_BYTES_MAX, &len, &err);
		if (text == NULL)
			return cli_fail(access(path, R_OK) != 0 ? -ENOENT : -EIO, &err);
		for (size_t i = 0; i < len; i++) {
			if (text[i] == '\0')
				text[i] = ' ';
		}
		term_clean(text);
		fputs(text, stdout);
		free(text);
		return CLI_OK;
	}
	if (lines == LOG_LINES_ALL) {
		n = file_append_file(STDOUT_FILENO, path, &err);
		return n < 0 ? cli_fail((int)n, &err) : CLI_OK;
	}
	if (access(path, R_OK) != 0) {
		err_set(&err, ENOENT, "%s: %m", path);
		return cli_fail(-ENOENT, &err);
	}
	text = file_tail(path, lines);
	if (text != NULL && text[0] != '\0')
		puts(text);
	free(text);
	return CLI_OK;
}

int cmd_log(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"boot", no_argument, NULL, 'b'},
						{"console", no_argument, NULL, 'c'},
						{"vmm", no_argument, NULL, 'v'},
						{"lines", required_argument, NULL, 'n'},
						{0}};
	const char *name = "console.log";
	unsigned int lines = LOG_LINES_ALL;
	char node[TOPO_NAME_MAX + 1];
	char lab[TOPO_NAME_MAX + 1];
	struct err err = {.text = ""};
	struct stored_lab stored;
	char *end;
	int key;
	int rc;

	while ((key = cli_option(command, argc, argv, "bcvn:", options)) != -1) {
		if (key == 'n') {
			lines = (unsigned int)strtoul(optarg, &end, 10);
			if (*end != '\0' || lines == 0 || lines > LOG_LINES_MAX)
				return cli_usage(command, "-n: \"%s\" is no number of lines",
						 optarg);
		} else {
			name = key == 'b' ? "boot.log" : key == 'v' ? "vmm.log" : "console.log";
		}
	}
	if (argc - optind != 1)
		return cli_usage(command, "one node, please");
	if (cli_node_split(argv[optind], lab, node, NULL, &err) < 0)
		return cli_usage(command, "%s", err.text);
	rc = stored_load(lab, &stored, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	if (stored_vm(&stored, node, &err) == NULL)
		rc = -ENOENT;
	topo_free(&stored.topo);
	return rc < 0 ? cli_fail(rc, &err) : log_copy(rundir_node(lab, node, name).text, lines);
}
