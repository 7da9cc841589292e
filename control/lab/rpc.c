/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/rpc.h"

#include <errno.h>
#include <string.h>

#include "lab/rundir.h"

#define RPC_LINE_MAX   (256u << 20) /* fdb.list of a million entries */
#define RPC_TIMEOUT_MS 20000

int rpc_open(struct rpc *rpc, struct err *err)
{
	struct lab_path path = rundir_file("netloomd.sock");
	struct err why = {.text = ""};
	int rc = jsonline_open(&rpc->line, path.text, "netloomd", RPC_LINE_MAX, &why);

	rpc->next_id = 1;
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return err_set(err, -rc,
			       "no netloomd answers on %s; `netloom up FILE` starts one, or run "
			       "`netloomd` yourself",
			       path.text);
	if (rc < 0)
		err_set(err, -rc, "%s", why.text);
	return rc;
}

void rpc_close(struct rpc *rpc)
{
	jsonline_close(&rpc->line);
}

int rpc_call(struct rpc *rpc, const char *method, json_t *params, json_t **result, struct err *err)
{
	int id = rpc->next_id++;
	json_t *request =
		json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", id, "method", method);
	struct err why = {.text = ""};
	json_t *answer = NULL;
	json_t *error;
	int rc;

	if (params != NULL && request != NULL)
		json_object_set_new(request, "params", params);
	else
		json_decref(params);
	if (request == NULL)
		return err_set(err, ENOMEM, "out of memory");
	rc = jsonline_send(&rpc->line, request, RPC_TIMEOUT_MS, &why);
	json_decref(request);
	/* Who has no place for us says so before he closes the connection, and may have closed it before we write. */
	if (rc == -EPIPE || rc == -ECONNRESET)
		rc = 0;
	else if (rc < 0)
		err_set(err, -rc, "%s", why.text);
	while (rc == 0) {
		rc = jsonline_receive(&rpc->line, RPC_TIMEOUT_MS, &answer, err);
		if (rc < 0 || json_integer_value(json_object_get(answer, "id")) == id)
			break;
		/* An answer without our id is a parse error of the other side, or an event. */
		error = json_object_get(answer, "error");
		if (json_is_object(error) && json_is_null(json_object_get(answer, "id")))
			break;
		json_decref(answer);
	}
	if (rc < 0)
		return rc;
	error = json_object_get(answer, "error");
	if (error != NULL) {
		const char *text = json_string_value(json_object_get(error, "message"));

		rc = err_set(err, EREMOTEIO, "%s", text != NULL ? text : "netloomd refused");
	} else if (result != NULL) {
		*result = json_incref(json_object_get(answer, "result"));
		if (*result == NULL)
			rc = err_set(err, EPROTO, "netloomd answered `%s` without a result",
				     method);
	}
	json_decref(answer);
	return rc;
}

int rpc_once(const char *method, json_t *params, json_t **result, struct err *err)
{
	struct rpc rpc;
	int rc = rpc_open(&rpc, err);

	if (rc < 0) {
		json_decref(params);
		return rc;
	}
	rc = rpc_call(&rpc, method, params, result, err);
	rpc_close(&rpc);
	return rc;
}
