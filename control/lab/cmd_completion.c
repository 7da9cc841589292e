/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completion: `netloom completion SHELL` prints a few lines for the shell, which ask `netloom _complete WORD...` each time.
 * What may come is found in the commands' own argument lines, the ones that --help shows, and in what is up; so there is
 * nothing to keep in step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/rundir.h"
#include "lab/stored.h"

#define WORD_MAX 64

/* clang-format off */
static const struct {
	const char *shell, *script;
} scripts[] = {
	{"bash",
	 "# netloom completion bash\n"
	 "_netloom()\n{\n"
	 "\tlocal line=${COMP_LINE:0:COMP_POINT} cur words\n"
	 "\tread -ra words <<<\"$line\"\n"
	 "\t[[ $line != *' ' ]] || words+=('')\n"
	 "\tcur=${words[-1]}\n"
	 "\tlocal IFS=$'\\n'\n"
	 "\tCOMPREPLY=($(netloom _complete \"${words[@]:1}\" 2>/dev/null))\n"
	 "\t# readline takes the colon of LAB/NODE:IF for the beginning of a word\n"
	 "\t[[ $cur != *:* || $COMP_WORDBREAKS != *:* ]] || COMPREPLY=(\"${COMPREPLY[@]#\"${cur%:*}:\"}\")\n"
	 "}\n"
	 "complete -o default -F _netloom netloom\n"},
	{"zsh",
	 "#compdef netloom\n"
	 "# netloom completion zsh\n"
	 "_netloom()\n{\n"
	 "\tlocal -a found\n"
	 "\tfound=(${(f)\"$(netloom _complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
	 "\tif (( $#found )); then\n\t\tcompadd -Q -a found\n\telse\n\t\t_files\n\tfi\n"
	 "}\n"
	 "if [ \"$funcstack[1]\" = _netloom ]; then\n\t_netloom \"$@\"\nelse\n\tcompdef _netloom netloom\nfi\n"},
	{"fish",
	 "# netloom completion fish\n"
	 "function __netloom_complete\n"
	 "\tset -l words (commandline -opc)\n"
	 "\tset -l word (commandline -ct)\n"
	 "\t# In quotes: an empty word is one, too\n"
	 "\tset -l found (netloom _complete $words[2..-1] \"$word\" 2>/dev/null)\n"
	 "\tif set -q found[1]\n\t\tprintf '%s\\n' $found\n\telse\n\t\t__fish_complete_path \"$word\"\n\tend\n"
	 "end\n"
	 "complete -c netloom -f -a '(__netloom_complete)'\n"},
};
/* clang-format on */

int cmd_completion(const struct command *command, int argc, char **argv)
{
	while (cli_option(command, argc, argv, "", NULL) != -1)
		;
	if (argc - optind != 1)
		return cli_usage(command, "for which shell: bash, zsh or fish?");
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		if (strcmp(scripts[i].shell, argv[optind]) == 0) {
			fputs(scripts[i].script, stdout);
			return CLI_OK;
		}
	}
	return cli_usage(command, "\"%.20s\" is none of bash, zsh and fish", argv[optind]);
}

static void offer(const char *prefix, const char *word)
{
	if (strncmp(word, prefix, strlen(prefix)) == 0)
		puts(word);
}

/* The next word of an argument line: "[--format svg|dot]" is "--format", then "svg|dot". @text moves behind it. */
static bool word_next(const char **text, char word[WORD_MAX])
{
	size_t len;

	*text += strspn(*text, " \n[]|.");
	len = strcspn(*text, " \n[]");
	if (len == 0)
		return false;
	snprintf(word, WORD_MAX, "%.*s", (int)len, *text);
	*text += len;
	return true;
}

static bool is_choice(const char *word)
{
	return word[0] >= 'a' && word[0] <= 'z';
}

/* "svg|dot|mermaid", each */
static void choices_offer(const char *prefix, const char *word)
{
	char copy[WORD_MAX], *saved = NULL;

	snprintf(copy, sizeof(copy), "%s", word);
	for (char *one = strtok_r(copy, "|", &saved); one != NULL;
	     one = strtok_r(NULL, "|", &saved)) {
		if (is_choice(one) || strncmp(one, "--", 2) == 0)
			offer(prefix, one);
	}
}

static void names_of_lab(const char *prefix, const char *lab, const char *shape)
{
	struct stored_lab stored;
	char name[256];

	if (stored_load(lab, &stored, NULL) < 0)
		return;
	for (size_t i = 0; i < stored.topo.n_nodes; i++) {
		const struct topo_node *node = &stored.topo.nodes[i];

		snprintf(name, sizeof(name), "%s/%s", lab, node->name);
		if (strstr(shape, ":IF") == NULL && node->kind == TOPO_VM)
			offer(prefix, name);
	}
	for (size_t i = 0; i < stored.topo.n_links && strstr(shape, ":IF") != NULL; i++) {
		for (int end = 0; end < 2; end++) {
			const struct topo_end *own = &stored.topo.links[i].ends[end];

			snprintf(name, sizeof(name), "%s/%s:%s", lab, own->node, own->ifname);
			offer(prefix, name);
		}
	}
	topo_free(&stored.topo);
}

/* @shape: LAB, LAB/NODE, LAB/NODE:IF or several of them */
static void names_offer(const char *prefix, const char *shape)
{
	char **labs;
	int n = rundir_labs(&labs, NULL);

	for (int i = 0; i < n; i++) {
		if (strstr(shape, "LAB/NODE") != NULL)
			names_of_lab(prefix, labs[i], shape);
		else
			offer(prefix, labs[i]);
	}
	rundir_names_free(labs, n > 0 ? n : 0);
}

static void command_complete(const struct command *command, int n, char **words)
{
	const char *prefix = words[n - 1], *before = n > 1 ? words[n - 2] : "",
		   *text = command->arguments;
	char word[WORD_MAX], last[WORD_MAX] = "";
	bool has_choice = false;

	if (strncmp(prefix, "-", 1) == 0) {
		while (word_next(&text, word))
			choices_offer(prefix, strncmp(word, "--", 2) == 0 ? word : "");
		offer(prefix, "--help");
		return;
	}
	for (int i = 0; i < n - 1; i++)
		has_choice |= is_choice(words[i]) && strchr(words[i], '/') == NULL;
	for (; word_next(&text, word); strcpy(last, word)) {
		bool is_value = strncmp(last, "--", 2) == 0;

		if (is_value && strcmp(last, before) == 0) {
			choices_offer(prefix, word);
			return; /* what comes is this option's */
		}
		if (is_value && is_choice(word))
			continue;
		if (is_choice(word) && !has_choice)
			choices_offer(prefix, word);
		else if (strncmp(word, "LAB", 3) == 0)
			names_offer(prefix, word);
	}
}

int completion_main(int n, char **words)
{
	size_t n_commands;
	const struct command *commands = cli_commands(&n_commands);

	if (n == 0)
		return CLI_USAGE;
	for (size_t i = 0; i < n_commands; i++) {
		if (n == 1)
			offer(words[0], commands[i].name);
		else if (strcmp(commands[i].name, words[0]) == 0)
			command_complete(&commands[i], n - 1, words + 1);
	}
	if (n == 1) {
		offer(words[0], "--help");
		offer(words[0], "--version");
	}
	return CLI_OK;
}
