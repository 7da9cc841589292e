/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Macros of other people's headers, which cppcheck does not read, in a form that it understands.
 */
#define json_object_foreach(object, key, value) for ((key) = 0, (value) = 0; (key) != 0;)
#define json_array_foreach(array, index, value) for ((index) = 0, (value) = 0; (value) != 0;)
#define LIST_HEAD(name, type)                                                                      \
	struct name {                                                                              \
		struct type *lh_first;                                                             \
	}
#define STAILQ_HEAD(name, type)                                                                    \
	struct name {                                                                              \
		struct type *stqh_first;                                                           \
		struct type **stqh_last;                                                           \
	}
#define TAILQ_HEAD(name, type)                                                                     \
	struct name {                                                                              \
		struct type *tqh_first;                                                            \
		struct type **tqh_last;                                                            \
	}
#define LIST_FOREACH(var, head, field)                                                             \
	for ((var) = (head)->lh_first; (var) != 0; (var) = (var)->field.le_next)
#define STAILQ_FOREACH(var, head, field)                                                           \
	for ((var) = (head)->stqh_first; (var) != 0; (var) = (var)->field.stqe_next)
#define TAILQ_FOREACH(var, head, field)                                                            \
	for ((var) = (head)->tqh_first; (var) != 0; (var) = (var)->field.tqe_next)
