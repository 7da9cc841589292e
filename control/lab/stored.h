/* SPDX-License-Identifier: BSD-3-Clause */
/* The lab file as it was brought up, kept in the run directory: what `ps`, `show`, `test` and `restart` go by. */
#ifndef LAB_STORED_H
#define LAB_STORED_H

#include <stdbool.h>

#include "base/err.h"
#include "topo/topo.h"

struct stored_lab {
	struct topo topo;
	char base[4096]; /* folder that relative paths in the file start from */
	char file[4096]; /* where the user's file is, or was */
};

/**
 * stored_load() - Read back a lab
 * @lab:  name
 * @out:  filled on success; topo_free(&out->topo)
 *
 * Return: 0; -ENOENT when there is no such lab, with the names of those that there are.
 */
int stored_load(const char *lab, struct stored_lab *out, struct err *err);

/** stored_exists() - The lab is up, or partly up */
bool stored_exists(const char *lab);

/** stored_save() - Keep a copy of the lab file @file, and which of its hosts this is. Return: 0 or -errno */
int stored_save(const struct topo *topo, const char *file, const char *base, struct err *err);

/**
 * stored_vm() - A VM of the lab that is on this host
 *
 * Return: NULL with a sentence: there is none, it is no VM, or it is on another host.
 */
const struct topo_node *stored_vm(const struct stored_lab *stored, const char *name,
				  struct err *err);

/** stored_base() - The absolute folder of a lab file, for relative paths in it */
void stored_base(const char *file, char *base, size_t size);

#endif
