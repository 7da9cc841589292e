/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "lab/cli.h"
#include "lab/matrix.h"
#include "lab/stored.h"
#include "lab/term.h"

static int result_show(const struct matrix *matrix, bool json, double seconds)
{
	size_t n_wrong = matrix_n_wrong(matrix);

	if (json)
		cli_print_json(matrix_json(matrix));
	else
		matrix_print(matrix);
	if (matrix->failure[0] != '\0')
		fprintf(stderr, "netloom: %s\n", matrix->failure);
	if (!json && n_wrong == 0)
		printf("%severy pair is as the lab file says%s (%.1f s)\n",
		       term_paint(stdout, TERM_GOOD), term_paint(stdout, TERM_PLAIN), seconds);
	else if (!json)
		printf("%s%zu pair%s not as the lab file says%s (%.1f s); `netloom show drops %s` "
		       "tells why "
		       "frames were dropped\n",
		       term_paint(stdout, TERM_BAD), n_wrong, n_wrong == 1 ? " is" : "s are",
		       term_paint(stdout, TERM_PLAIN), seconds, matrix->topo->name);
	return n_wrong == 0 ? CLI_OK : CLI_FAILED;
}

int cmd_test(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct err err = {.text = ""};
	struct stored_lab stored;
	struct matrix matrix;
	bool json = false;
	uint64_t begin;
	int status;
	int rc;

	while (cli_option(command, argc, argv, "j", options) != -1)
		json = true;
	if (argc - optind != 1)
		return cli_usage(command, "which lab?");
	rc = stored_load(argv[optind], &stored, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	cli_catch_interrupts();
	begin = clock_now_ns();
	rc = matrix_new(&matrix, &stored.topo);
	if (rc == 0 && matrix.n_hosts < 2)
		rc = err_set(&err, EINVAL,
			     "lab \"%s\" has fewer than two VMs or TAPs with addresses",
			     argv[optind]);
	if (rc == 0)
		rc = matrix_measure(&matrix, &err);
	if (rc == 0)
		status = result_show(&matrix, json, (double)(clock_now_ns() - begin) / 1e9);
	else
		status = cli_fail(rc, &err);
	matrix_free(&matrix);
	topo_free(&stored.topo);
	return status;
}
