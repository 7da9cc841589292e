/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/top.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lab/term.h"

#define DROPS_SHOWN   6
#define WORKERS_SHOWN 16
#define BAR_WIDTH     10

struct row {
	const char *name, *link;
	double rx_bps, tx_bps, rx_pps, tx_pps, drops;
	double utilisation; /* of the busier direction, 0..1 */
};

struct loss {
	const char *port, *reason;
	double rate;
	json_int_t total;
};

static const char *const codes[] = {
	[TERM_PLAIN] = "\033[0m", [TERM_GOOD] = "\033[32m", [TERM_BAD] = "\033[31m",
	[TERM_WARN] = "\033[33m", [TERM_DIM] = "\033[2m",   [TERM_BOLD] = "\033[1m",
};

struct writer {
	const struct top_screen *screen;
	unsigned int row;
};

/* One line, cut to the screen; nothing is written below its last row. */
static void line(struct writer *writer, enum term_colour colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void line(struct writer *writer, enum term_colour colour, const char *format, ...)
{
	const struct top_screen *screen = writer->screen;
	char text[512];
	va_list args;

	if (writer->row >= screen->rows)
		return;
	writer->row++;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	term_clean_line(text);
	fprintf(screen->out, "%s%.*s%s\n", screen->colour ? codes[colour] : "",
		(int)screen->columns, text, screen->colour ? codes[TERM_PLAIN] : "");
}

static const char *rate_text(double value, const char *unit, char text[24])
{
	static const char prefixes[] = " kMGT";
	size_t i = 0;

	while (value >= 1000 && i < 4) {
		value /= 1000;
		i++;
	}
	if (i == 0)
		snprintf(text, 24, "%.0f  %s", value, unit);
	else
		snprintf(text, 24, "%.*f %c%s",
			 value < 10    ? 2
			 : value < 100 ? 1
				       : 0,
			 value, prefixes[i], unit);
	return text;
}

/* ASCII, as a serial line shows it too. */
static const char *bar_text(double part, char text[BAR_WIDTH + 3])
{
	int full = (int)(part * BAR_WIDTH + 0.5);

	text[0] = '[';
	for (int i = 0; i < BAR_WIDTH; i++)
		text[1 + i] = i < full ? '|' : ' ';
	text[BAR_WIDTH + 1] = ']';
	text[BAR_WIDTH + 2] = '\0';
	return text;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static double number_in(const json_t *object, const char *outer, const char *key)
{
	return (double)json_integer_value(json_object_get(json_object_get(object, outer), key));
}

static const json_t *port_before(const struct top *top, const char *name, size_t guess)
{
	const json_t *list = json_object_get(top->ports[0], "ports"), *port;
	size_t i;

	port = json_array_get(list, guess);
	if (port != NULL && strcmp(text_of(port, "name"), name) == 0)
		return port;
	json_array_foreach (list, i, port) {
		if (strcmp(text_of(port, "name"), name) == 0)
			return port;
	}
	return NULL;
}

/* A counter that went back was another port's of the same name. */
static double rate_of(const json_t *before, const json_t *now, const char *outer, const char *key,
		      double seconds)
{
	double difference = number_in(now, outer, key) - number_in(before, outer, key);

	return before == NULL || difference < 0 ? 0 : difference / seconds;
}

/* The rate limit of a direction, or what a link is taken for. */
static double speed_of(const struct top *top, const json_t *port, const char *way)
{
	const json_t *direction = json_object_get(json_object_get(port, "impair"), way);
	double kbps = (double)json_integer_value(json_object_get(direction, "rate_kbps"));

	return kbps > 0 ? kbps * 1000 : top->speed_bps;
}

static bool is_shown(const struct top *top, const char *name)
{
	size_t len = top->lab != NULL ? strlen(top->lab) : 0;

	return top->lab == NULL || (strncmp(name, top->lab, len) == 0 && name[len] == '/');
}

static void row_fill(const struct top *top, struct row *row, const json_t *before,
		     const json_t *port, double seconds)
{
	double rx, tx;
	json_t *value;
	const char *key;

	row->name = text_of(port, "name");
	row->link = strcmp(text_of(port, "admin"), "down") == 0 ? "cut" : text_of(port, "link");
	row->rx_bps = 8 * rate_of(before, port, "rx", "bytes", seconds);
	row->tx_bps = 8 * rate_of(before, port, "tx", "bytes", seconds);
	row->rx_pps = rate_of(before, port, "rx", "pkts", seconds);
	row->tx_pps = rate_of(before, port, "tx", "pkts", seconds);
	row->drops = 0;
	json_object_foreach (json_object_get(port, "drops"), key, value)
		row->drops += rate_of(before, port, "drops", key, seconds);
	rx = row->rx_bps / speed_of(top, port, "in");
	tx = row->tx_bps / speed_of(top, port, "out");
	row->utilisation = rx > tx ? rx : tx;
}

static int by_rate(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	double left = x->rx_bps + x->tx_bps, right = y->rx_bps + y->tx_bps;

	return left != right ? (left < right) - (left > right) : strcmp(x->name, y->name);
}

static int by_packets(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	double left = x->rx_pps + x->tx_pps, right = y->rx_pps + y->tx_pps;

	return left != right ? (left < right) - (left > right) : strcmp(x->name, y->name);
}

static int by_drops(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->drops != y->drops ? (x->drops < y->drops) - (x->drops > y->drops) : by_rate(a, b);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

static int by_loss(const void *a, const void *b)
{
	const struct loss *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	return (x->total < y->total) - (x->total > y->total);
}

const char *top_sort_name(enum top_sort sort)
{
	static const char *const names[] = {"rate", "packets", "drops", "name"};

	return names[sort];
}

static double seconds_between(const struct top *top)
{
	double seconds = (double)(top->at_ns[1] - top->at_ns[0]) / 1e9;

	return top->at_ns[0] > 0 && seconds > 0 ? seconds : 1;
}

static void head_draw(const struct top *top, struct writer *writer)
{
	const json_t *status = top->status[1], *fdb = json_object_get(status, "fdb");
	char up[32];

	line(writer, TERM_BOLD,
	     "netloom top - %s%slast %.1f s, netloomd %s up %s, %lld ports, %lld stations",
	     top->lab != NULL ? top->lab : "", top->lab != NULL ? ", " : "", seconds_between(top),
	     text_of(status, "version"),
	     term_duration(json_integer_value(json_object_get(status, "uptime_s")), up, sizeof(up)),
	     (long long)json_integer_value(json_object_get(status, "n_ports")),
	     (long long)json_integer_value(json_object_get(fdb, "entries")));
}

static void workers_draw(const struct top *top, struct writer *writer)
{
	const json_t *now = json_object_get(top->status[1], "workers");
	const json_t *before = json_object_get(top->status[0], "workers"), *worker;
	double ns = seconds_between(top) * 1e9;
	size_t i;

	json_array_foreach (now, i, worker) {
		const json_t *last = json_array_get(before, i);
		double load = 0, frames = 0;
		char bar[BAR_WIDTH + 3], rate[24];

		if (i >= WORKERS_SHOWN)
			break;
		if (last != NULL) {
			load = (double)(json_integer_value(json_object_get(worker, "cpu_ns")) -
					json_integer_value(json_object_get(last, "cpu_ns"))) /
			       ns;
			frames = (double)(json_integer_value(json_object_get(worker, "frames")) -
					  json_integer_value(json_object_get(last, "frames"))) *
				 1e9 / ns;
		}
		load = load < 0 ? 0 : load > 1 ? 1 : load;
		line(writer, load > 0.9 ? TERM_WARN : TERM_PLAIN,
		     "worker %-2zu %s %3.0f %%  %14s%s", i, bar_text(load, bar), load * 100,
		     rate_text(frames < 0 ? 0 : frames, "frames/s", rate),
		     json_is_true(json_object_get(worker, "asleep")) ? "  asleep" : "");
	}
}

static void ports_draw(struct top *top, struct writer *writer, const struct row *rows, size_t n,
		       unsigned int below)
{
	unsigned int room = writer->screen->rows > writer->row + below + 1
				    ? writer->screen->rows - writer->row - below - 1
				    : 0;
	/* A narrow terminal has no room for packets. */
	bool wide = writer->screen->columns >= 104;
	int name_width = (int)writer->screen->columns - (wide ? 78 : 56);

	if (name_width < 12)
		name_width = 12;
	top->n_ports = n;
	if (top->first + room > n)
		top->first = n > room ? n - room : 0;
	line(writer, TERM_DIM, "%-*s %-4s %11s %11s %*s %*s  %-*s %10s", name_width, "PORT", "LINK",
	     "IN", "OUT", wide ? 11 : 0, wide ? "IN" : "", wide ? 11 : 0, wide ? "OUT" : "",
	     BAR_WIDTH + 2, "UTILISED", "DROPS");
	for (size_t i = top->first; i < n && i < top->first + room; i++) {
		const struct row *row = &rows[i];
		char in[24], out[24], in_packets[24] = "", out_packets[24] = "", bar[BAR_WIDTH + 3];
		double part = row->utilisation > 1 ? 1 : row->utilisation;
		bool idle = row->rx_pps + row->tx_pps + row->drops == 0;
		char drops[24];

		if (wide) {
			rate_text(row->rx_pps, "p/s", in_packets);
			rate_text(row->tx_pps, "p/s", out_packets);
		}
		line(writer,
		     strcmp(row->link, "up") != 0 ? TERM_BAD
		     : row->drops > 0		  ? TERM_WARN
		     : idle			  ? TERM_DIM
						  : TERM_PLAIN,
		     "%-*.*s %-4s %11s %11s %*s %*s  %s %10s", name_width, name_width, row->name,
		     row->link, rate_text(row->rx_bps, "b/s", in),
		     rate_text(row->tx_bps, "b/s", out), wide ? 11 : 0, in_packets, wide ? 11 : 0,
		     out_packets, bar_text(part, bar), rate_text(row->drops, "/s", drops));
	}
}

static size_t losses_find(const struct top *top, struct loss **out)
{
	const json_t *list = json_object_get(top->ports[1], "ports"), *port;
	double seconds = seconds_between(top);
	size_t n = 0, room = 0, i;
	json_t *value;
	const char *key;

	*out = NULL;
	json_array_foreach (list, i, port) {
		const char *name = text_of(port, "name");
		const json_t *before = port_before(top, name, i);

		if (!is_shown(top, name))
			continue;
		json_object_foreach (json_object_get(port, "drops"), key, value) {
			if (n == room) {
				struct loss *more;

				room = room == 0 ? 64 : room * 2;
				more = realloc(*out, room * sizeof(*more));
				if (more == NULL)
					return n;
				*out = more;
			}
			(*out)[n].port = name;
			(*out)[n].reason = key;
			(*out)[n].total = json_integer_value(value);
			(*out)[n++].rate = rate_of(before, port, "drops", key, seconds);
		}
	}
	if (n > 0)
		qsort(*out, n, sizeof(**out), by_loss);
	return n;
}

static void losses_draw(const struct top *top, struct writer *writer, const struct loss *losses,
			size_t n)
{
	char rate[24];

	if (n == 0)
		return;
	line(writer, TERM_DIM, "%12s %10s  %-24s %s", "DROPS", "SO FAR", "PORT", "WHY");
	for (size_t i = 0; i < n && i < DROPS_SHOWN; i++)
		line(writer, losses[i].rate > 0 ? TERM_WARN : TERM_DIM,
		     "%12s %10lld  %-24.40s %s: %s", rate_text(losses[i].rate, "/s", rate),
		     (long long)losses[i].total, losses[i].port, losses[i].reason,
		     text_of(top->sentences, losses[i].reason));
}

void top_draw(struct top *top, const struct top_screen *screen)
{
	static int (*const compare[TOP_SORTS])(const void *, const void *) = {
		[TOP_BY_RATE] = by_rate,
		[TOP_BY_PACKETS] = by_packets,
		[TOP_BY_DROPS] = by_drops,
		[TOP_BY_NAME] = by_name,
	};
	const json_t *list = json_object_get(top->ports[1], "ports"), *port;
	struct row *rows = calloc(json_array_size(list) + 1, sizeof(*rows));
	struct writer writer = {.screen = screen};
	size_t n = 0, n_losses, i;
	struct loss *losses;

	if (rows == NULL)
		return;
	json_array_foreach (list, i, port) {
		const char *name = text_of(port, "name");

		if (is_shown(top, name))
			row_fill(top, &rows[n++], port_before(top, name, i), port,
				 seconds_between(top));
	}
	qsort(rows, n, sizeof(*rows), compare[top->sort]);
	n_losses = losses_find(top, &losses);
	head_draw(top, &writer);
	workers_draw(top, &writer);
	line(&writer, TERM_PLAIN, "%s", "");
	ports_draw(top, &writer, rows, n,
		   n_losses == 0
			   ? 0
			   : 2 + (unsigned int)(n_losses < DROPS_SHOWN ? n_losses : DROPS_SHOWN));
	if (n_losses > 0)
		line(&writer, TERM_PLAIN, "%s", "");
	losses_draw(top, &writer, losses, n_losses);
	free(losses);
	free(rows);
}

void top_look(struct top *top, uint64_t now_ns, json_t *status, json_t *ports, json_t *drops)
{
	const json_t *drop;
	size_t i;

	json_decref(top->status[0]);
	json_decref(top->ports[0]);
	top->status[0] = top->status[1];
	top->ports[0] = top->ports[1];
	top->at_ns[0] = top->at_ns[1];
	top->status[1] = status;
	top->ports[1] = ports;
	top->at_ns[1] = now_ns;
	if (top->sentences == NULL)
		top->sentences = json_object();
	json_array_foreach (json_object_get(drops, "drops"), i, drop)
		json_object_set(top->sentences, text_of(drop, "reason"),
				json_object_get(drop, "sentence"));
	json_decref(drops);
}

void top_forget(struct top *top)
{
	for (int i = 0; i < 2; i++) {
		json_decref(top->status[i]);
		json_decref(top->ports[i]);
	}
	json_decref(top->sentences);
	memset(top, 0, sizeof(*top));
}
