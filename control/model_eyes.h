/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the user says about watching: mirrors, sFlow agents, and the analysers (ports of type "erspan") that mirrors lead to.
 *
 * Both name what they watch (`of`: ports, switches, owners), and both stay when it goes and comes back: nothing that is
 * watched is kept from being removed.
 */
#ifndef CONTROL_MODEL_EYES_H
#define CONTROL_MODEL_EYES_H

#include <jansson.h>
#include <stdbool.h>

#include "mirror.h"
#include "port.h"
#include "probe/point.h"
#include "problems.h"
#include "tap/erspan_port.h"

#define MODEL_EYES_OF_MAX 16
#define MODEL_MIRRORS_MAX MIRRORS_MAX
#define MODEL_SFLOWS_MAX  8
#define MODEL_SFLOW_PORT  6343

struct json_reader;
struct model;

struct model_eyes_of {
	uint16_t n;
	char names[MODEL_EYES_OF_MAX][PORT_NAME_MAX];
};

struct model_mirror {
	char name[PORT_NAME_MAX];
	char owner[PORT_NAME_MAX];
	struct model_eyes_of of;
	bool in, out;
	uint16_t vid;		/* 0: all */
	char to[PORT_NAME_MAX]; /* port */
	uint32_t snaplen;	/* 0: whole frames */
	char filter[FILTER_TEXT_MAX];
};

struct model_sflow {
	char name[PORT_NAME_MAX];
	char owner[PORT_NAME_MAX];
	struct model_eyes_of of;
	struct vxlan_ip collector, agent;
	uint16_t udp_port;
	uint32_t rate;	     /* one frame of so many */
	uint32_t interval_s; /* of counters, 0: none */
	uint32_t header;     /* bytes of a frame */
};

/** model_mirror_parse() - Read {name, owner?, of, vlan?, direction?, to, filter?, snaplen?}; compiles the filter to see that it can be */
void model_mirror_parse(const json_t *value, const char *place, struct model_mirror *mirror,
			struct problems *problems);
json_t *model_mirror_print(const struct model_mirror *mirror);

/** model_sflow_parse() - Read {name, owner?, of, collector, udp_port?, agent?, rate?, interval_s?, header?} */
void model_sflow_parse(const json_t *value, const char *place, struct model_sflow *sflow,
		       struct problems *problems);
json_t *model_sflow_print(const struct model_sflow *sflow);

/** model_erspan_parse() - Read the `erspan` key of a port: {remote, session, type?, ttl?} */
void model_erspan_parse(const struct json_reader *reader, struct erspan_config *erspan);
json_t *model_erspan_print(const struct erspan_config *erspan);

/** model_mirror_equal() - Whether two say the same; likewise for the others */
bool model_mirror_equal(const struct model_mirror *a, const struct model_mirror *b);
bool model_sflow_equal(const struct model_sflow *a, const struct model_sflow *b);
bool model_erspan_equal(const struct erspan_config *a, const struct erspan_config *b);

/** model_eyes_parse() - Read lists of both, as model_objects_parse() does with switches and ports; NULL: empty */
void model_eyes_parse(struct model *model, const json_t *mirrors, const json_t *sflows,
		      const char *owner, struct problems *problems);

/** model_eyes_check() - How many there may be */
void model_eyes_check(const struct model *model, struct problems *problems);

/** model_eyes_refers() - Whether what one names is there and fits, at the time it is set; @what begins the sentences */
void model_eyes_refers(const struct model *model, const char *what, const struct model_eyes_of *of,
		       const char *to, struct problems *problems);

#endif
