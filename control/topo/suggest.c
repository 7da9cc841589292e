/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/suggest.h"

#include <string.h>

#define SUGGEST_LEN_MAX 48

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Optimal string alignment distance with three rows. */
static size_t suggest_distance(const char *a, const char *b)
{
	size_t rows[3][SUGGEST_LEN_MAX + 1];
	size_t len_a = strnlen(a, SUGGEST_LEN_MAX);
	size_t len_b = strnlen(b, SUGGEST_LEN_MAX);

	for (size_t j = 0; j <= len_b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i - 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t cost = a[i - 1] != b[j - 1];

			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
				size_t swapped = rows[(i - 2) % 3][j - 2] + 1;

				if (swapped < row[j])
					row[j] = swapped;
			}
		}
	}
	return rows[len_a % 3][len_b];
}

const char *suggest_word(const char *word, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t best_distance = SUGGEST_LEN_MAX;

	for (size_t i = 0; i < n; i++) {
		size_t distance = suggest_distance(word, words[i]);
		size_t longest = strlen(words[i]) > strlen(word) ? strlen(words[i]) : strlen(word);

		if (distance < best_distance && distance * 3 <= longest + 1) {
			best = words[i];
			best_distance = distance;
		}
	}
	return best;
}
