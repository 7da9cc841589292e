/* SPDX-License-Identifier: BSD-3-Clause */
#include "web/feed.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/event_source.h"
#include "lab/jsonline.h"
#include "lab/rundir.h"
#include "web/view.h"

#define PERIOD_NS     CLOCK_NS_PER_SECOND
#define QUESTIONS_MAX 64
#define WAIT_MS	      100 /* for an event, before a question is looked for */

struct feed_line {
	enum feed_kind kind;
	char *text;
	STAILQ_ENTRY(feed_line) next;
};

struct question {
	char kind[8];
	char name[128];
	void *who;
	char *text; /* the answer */
	char sentence[256];
	STAILQ_ENTRY(question) next;
};

STAILQ_HEAD(feed_lines, feed_line);
STAILQ_HEAD(questions, question);

struct feed {
	struct feed_options options;
	struct event *wake;
	int wake_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	bool wanted, ending;
	struct feed_lines lines;    /* for the loop */
	struct questions questions; /* for the thread */
	struct questions answers;   /* for the loop */
	unsigned int n_questions;
	/* The thread's own. */
	struct view view;
	struct event_source source;
	bool has_source;
	uint64_t next_ns;
};

static void loop_wake(struct feed *feed)
{
	const uint64_t one = 1;

	if (write(feed->wake_fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

/* Takes @text. */
static void line_put(struct feed *feed, enum feed_kind kind, char *text)
{
	struct feed_line *line = text != NULL ? malloc(sizeof(*line)) : NULL;

	if (line == NULL) {
		free(text);
		return;
	}
	line->kind = kind;
	line->text = text;
	pthread_mutex_lock(&feed->lock);
	STAILQ_INSERT_TAIL(&feed->lines, line, next);
	pthread_mutex_unlock(&feed->lock);
	loop_wake(feed);
}

static void event_put(struct feed *feed, json_t *event)
{
	json_t *line = json_pack("{s:s, s:o}", "type", "event", "event", event);

	line_put(feed, FEED_EVENT, view_line(line));
	json_decref(line);
}

static void questions_answer(struct feed *feed)
{
	for (;;) {
		struct err err = {.text = ""};
		struct question *question;
		json_t *answer = NULL;

		pthread_mutex_lock(&feed->lock);
		question = STAILQ_FIRST(&feed->questions);
		if (question != NULL)
			STAILQ_REMOVE_HEAD(&feed->questions, next);
		pthread_mutex_unlock(&feed->lock);
		if (question == NULL)
			return;
		if (view_ask(question->kind, question->name, &answer, &err) == 0)
			question->text = view_line(answer);
		json_decref(answer);
		snprintf(question->sentence, sizeof(question->sentence), "%.255s", err.text);
		pthread_mutex_lock(&feed->lock);
		STAILQ_INSERT_TAIL(&feed->answers, question, next);
		pthread_mutex_unlock(&feed->lock);
		loop_wake(feed);
	}
}

static void look(struct feed *feed)
{
	bool is_new;

	feed->next_ns = clock_now_ns() + PERIOD_NS;
	view_look(&feed->view, feed->options.lab);
	if (view_topology(&feed->view, &is_new) != NULL && is_new)
		line_put(feed, FEED_TOPOLOGY, strdup(view_topology(&feed->view, &is_new)));
	line_put(feed, FEED_STATE, view_state(&feed->view));
}

static void events_take(struct feed *feed)
{
	json_t *event = NULL;

	if (!feed->has_source)
		feed->has_source = event_source_open(&feed->source, feed->options.lab, NULL) == 0;
	if (!feed->has_source) {
		struct timespec pause = {.tv_nsec = WAIT_MS * 1000000};

		nanosleep(&pause, NULL);
		return;
	}
	for (int n = 0; n < 100; n++) {
		if (event_source_next(&feed->source, n == 0 ? WAIT_MS : 0, &event) < 0 ||
		    event == NULL)
			return;
		event_put(feed, event);
	}
}

static void *feed_run(void *arg)
{
	struct feed *feed = arg;
	bool wanted, ending;

	for (;;) {
		pthread_mutex_lock(&feed->lock);
		while (!feed->wanted && !feed->ending && STAILQ_EMPTY(&feed->questions))
			pthread_cond_wait(&feed->changed, &feed->lock);
		wanted = feed->wanted;
		ending = feed->ending;
		pthread_mutex_unlock(&feed->lock);
		if (ending)
			break;
		questions_answer(feed);
		if (wanted && clock_now_ns() >= feed->next_ns)
			look(feed);
		if (wanted) {
			events_take(feed);
		} else if (feed->has_source) {
			event_source_close(&feed->source);
			feed->has_source = false;
		}
	}
	if (feed->has_source)
		event_source_close(&feed->source);
	view_forget(&feed->view);
	return NULL;
}

/* On the loop's thread: hand out what the feed's has left. */
static void woken(evutil_socket_t fd, short what, void *arg)
{
	struct feed_lines lines = STAILQ_HEAD_INITIALIZER(lines);
	struct questions answers = STAILQ_HEAD_INITIALIZER(answers);
	struct feed *feed = arg;
	struct question *answer;
	struct feed_line *line;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&feed->lock);
	STAILQ_CONCAT(&lines, &feed->lines);
	STAILQ_CONCAT(&answers, &feed->answers);
	pthread_mutex_unlock(&feed->lock);
	while ((line = STAILQ_FIRST(&lines)) != NULL) {
		STAILQ_REMOVE_HEAD(&lines, next);
		feed->options.on_line(line->kind, line->text, feed->options.arg);
		free(line->text);
		free(line);
	}
	while ((answer = STAILQ_FIRST(&answers)) != NULL) {
		STAILQ_REMOVE_HEAD(&answers, next);
		feed->n_questions--;
		feed->options.on_answer(answer->who, answer->text, answer->sentence,
					feed->options.arg);
		free(answer->text);
		free(answer);
	}
}

int feed_new(struct event_base *base, const struct feed_options *options, struct feed **out,
	     struct err *err)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	int rc;

	if (feed == NULL)
		return err_set(err, ENOMEM, "out of memory");
	feed->options = *options;
	STAILQ_INIT(&feed->lines);
	STAILQ_INIT(&feed->questions);
	STAILQ_INIT(&feed->answers);
	pthread_mutex_init(&feed->lock, NULL);
	pthread_cond_init(&feed->changed, NULL);
	rundir_path(); /* read from the environment while there is one thread */
	feed->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (feed->wake_fd >= 0)
		feed->wake = event_new(base, feed->wake_fd, EV_READ | EV_PERSIST, woken, feed);
	if (feed->wake == NULL || event_add(feed->wake, NULL) != 0) {
		rc = ENOMEM;
		goto fail;
	}
	rc = pthread_create(&feed->thread, NULL, feed_run, feed);
	if (rc != 0)
		goto fail;
	*out = feed;
	return 0;
fail:
	if (feed->wake != NULL)
		event_free(feed->wake);
	if (feed->wake_fd >= 0)
		close(feed->wake_fd);
	free(feed);
	return err_set(err, rc, "cannot start the page's thread: %s", strerror(rc));
}

static void questions_free(struct questions *questions)
{
	struct question *question;

	while ((question = STAILQ_FIRST(questions)) != NULL) {
		STAILQ_REMOVE_HEAD(questions, next);
		free(question->text);
		free(question);
	}
}

void feed_free(struct feed *feed)
{
	struct feed_line *line;

	if (feed == NULL)
		return;
	pthread_mutex_lock(&feed->lock);
	feed->ending = true;
	jsonline_interrupted = 1; /* a call that waits for netloomd ends, too */
	pthread_cond_signal(&feed->changed);
	pthread_mutex_unlock(&feed->lock);
	pthread_join(feed->thread, NULL);
	while ((line = STAILQ_FIRST(&feed->lines)) != NULL) {
		STAILQ_REMOVE_HEAD(&feed->lines, next);
		free(line->text);
		free(line);
	}
	questions_free(&feed->questions);
	questions_free(&feed->answers);
	event_free(feed->wake);
	close(feed->wake_fd);
	pthread_cond_destroy(&feed->changed);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

void feed_want(struct feed *feed, bool wanted)
{
	pthread_mutex_lock(&feed->lock);
	feed->wanted = wanted;
	pthread_cond_signal(&feed->changed);
	pthread_mutex_unlock(&feed->lock);
}

bool feed_ask(struct feed *feed, const char *kind, const char *name, void *who)
{
	struct question *question = calloc(1, sizeof(*question));

	if (question == NULL || feed->n_questions >= QUESTIONS_MAX ||
	    strlen(kind) >= sizeof(question->kind) || strlen(name) >= sizeof(question->name)) {
		free(question);
		return false;
	}
	strcpy(question->kind, kind);
	strcpy(question->name, name);
	question->who = who;
	feed->n_questions++;
	pthread_mutex_lock(&feed->lock);
	STAILQ_INSERT_TAIL(&feed->questions, question, next);
	pthread_cond_signal(&feed->changed);
	pthread_mutex_unlock(&feed->lock);
	return true;
}
