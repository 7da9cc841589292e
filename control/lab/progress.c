/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/node.h"
#include "lab/term.h"

#define LAST_WORDS_LINES 6
#define LINE_COLUMNS	 78

void progress_init(struct progress *progress, bool is_quiet)
{
	memset(progress, 0, sizeof(*progress));
	progress->is_quiet = is_quiet;
	progress->is_terminal = isatty(STDERR_FILENO);
}

static void line_clear(const struct progress *progress)
{
	if (progress->is_terminal && !progress->is_quiet)
		fputs("\r\033[K", stderr);
}

static void vm_report(const struct progress *progress, const struct boot *boot,
		      const struct boot_vm *vm)
{
	char *words;

	if (vm->state == BOOT_UP) {
		if (!progress->is_quiet)
			fprintf(stderr, "%s%s%s is up, %.1f s\n", term_paint(stderr, TERM_GOOD),
				vm->node->name, term_paint(stderr, TERM_PLAIN),
				(double)(vm->up_ns - vm->started_ns) / 1e9);
		return;
	}
	fprintf(stderr, "%s%s%s: %s\n", term_paint(stderr, TERM_BAD), vm->node->name,
		term_paint(stderr, TERM_PLAIN), vm->failure);
	words = node_last_words(boot->topo->name, vm->node->name, LAST_WORDS_LINES);
	for (char *line = words; line != NULL && *line != '\0';) {
		char *end = strchrnul(line, '\n');
		bool more = *end == '\n';

		*end = '\0';
		fprintf(stderr, "  | %s\n", line);
		line = more ? end + 1 : NULL;
	}
	free(words);
}

void progress_boot(const struct boot *boot, void *ctx)
{
	struct progress *progress = ctx;
	char names[LINE_COLUMNS] = "";
	size_t n_up = 0;

	if (progress->reported == NULL)
		progress->reported = calloc(boot->n_vms, sizeof(*progress->reported));
	for (size_t i = 0; i < boot->n_vms && progress->reported != NULL; i++) {
		const struct boot_vm *vm = &boot->vms[i];
		size_t used = strlen(names);

		n_up += vm->state == BOOT_UP;
		if (vm->state == BOOT_STARTED)
			snprintf(names + used, sizeof(names) - used, " %s %.0f s,", vm->node->name,
				 (double)(clock_now_ns() - vm->started_ns) / 1e9);
		if (progress->reported[i] || (vm->state != BOOT_UP && vm->state != BOOT_FAILED))
			continue;
		progress->reported[i] = true;
		line_clear(progress);
		vm_report(progress, boot, vm);
	}
	if (!progress->is_terminal || progress->is_quiet)
		return;
	if (names[0] != '\0')
		names[strlen(names) - 1] = '\0';
	fprintf(stderr, "\r%zu of %zu up; booting:%.60s\033[K", n_up, boot->n_vms, names);
	fflush(stderr);
}

void progress_end(struct progress *progress, const struct boot *boot)
{
	(void)boot;
	line_clear(progress);
	free(progress->reported);
	progress->reported = NULL;
}
