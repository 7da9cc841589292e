/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model on disk, so that a restarted netloomd comes back with the same switches, ports, VLANs and static entries.
 *
 * A save has two halves around the change it records: state_write() puts the new state beside the old one and syncs it,
 * which finds a full disk before anything happened; state_commit() renames it into place, the one point at which the
 * change is decided. Control thread only.
 */
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include "base/err.h"
#include "model.h"

#define STATE_FORMAT	1
#define STATE_BYTES_MAX (256u << 20)

/** state_write() - Write @model to "@path.new" and sync it. Return: 0 or -errno with @err; nothing is left then. */
int state_write(const char *path, const struct model *model, struct err *err);

/** state_commit() - Rename "@path.new" to @path. Return: 0 or -errno with @err; the old state stays then. */
int state_commit(const char *path, struct err *err);

/** state_discard() - Remove "@path.new" */
void state_discard(const char *path);

/**
 * state_load() - Read what was saved
 * @model: out, owned by the caller; empty when there is no state
 *
 * A file that is not a state, or contradicts itself, is renamed to "@path.bad", logged, and the model is empty.
 * Return: 0, or -errno with @err when the file cannot be read or moved: then starting empty would destroy it.
 */
int state_load(const char *path, struct model **model, struct err *err);

#endif
