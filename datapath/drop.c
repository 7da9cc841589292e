/* SPDX-License-Identifier: BSD-3-Clause */
#include "drop.h"

#include <assert.h>

static const struct {
	const char *name;
	const char *sentence;
} reasons[] = {[DROP_NONE] = {"none", "not dropped"},
#define DROP_AS_TEXT(symbol, name, sentence) [symbol] = {name, sentence},
	       DROP_REASONS(DROP_AS_TEXT)
#undef DROP_AS_TEXT
};
static_assert(sizeof(reasons) / sizeof(reasons[0]) == DROP_N, "every reason has a text");

const char *drop_name(enum drop_reason reason)
{
	return reasons[reason < DROP_N ? reason : DROP_NONE].name;
}

const char *drop_sentence(enum drop_reason reason)
{
	return reasons[reason < DROP_N ? reason : DROP_NONE].sentence;
}
