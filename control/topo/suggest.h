/* SPDX-License-Identifier: BSD-3-Clause */
/* "Did you mean ...?": the word of a list that is nearest to a mistyped one. Pure. */
#ifndef TOPO_SUGGEST_H
#define TOPO_SUGGEST_H

#include <stddef.h>

/**
 * suggest_word() - Find the word that was probably meant
 * @word:  what was written; long words are compared by their first 48 bytes
 * @words: candidates
 * @n:     how many
 *
 * Return: the nearest candidate by edit distance (transpositions count as one), or NULL when none is
 * near enough to be helpful: at most a third of the letters may differ.
 */
const char *suggest_word(const char *word, const char *const *words, size_t n);

#endif
