/* SPDX-License-Identifier: Apache-2.0 */
/* Threads over a range of items.
 *
 * A pool runs one job at a time: a range [0, n), whose items are begun in
 * order by whoever is free, the caller included. One mutex guards all of the
 * state; an item is an utterance or a block of frames, so that a lock per item
 * costs nothing that can be measured.
 *
 * Failures. Items are begun in order, so when item i fails, all below it have
 * been begun and will end; nothing above needs to be begun any more. The
 * failure of the smallest item is kept: it does not depend on timing.
 *
 * Ordered pipeline. state[i % window] says whether item i is worked out. Who
 * ends the work of the oldest item not yet emitted becomes the emitter and
 * emits as long as the next one is there; there is never a second emitter. An
 * item is begun only while i < n_emitted + window. */
#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "base/mat.h"
#include "base/mem.h"

typedef struct job {
  size_t n;
  sn_pool_fn *work, *emit; /* emit: NULL for a plain loop */
  void *user;

  size_t next;        /* the first item not begun */
  size_t n_emitted;   /* of an ordered job */
  bool emitting;      /* some thread is the emitter */
  size_t window;      /* */
  bool *ready;        /* [window] worked out, not emitted */
  size_t failed_item; /* SIZE_MAX: none */
  sn_status status;
  sn_err err;
} job;

typedef struct worker {
  sn_pool *pool;
  size_t index;
  pthread_t thread;
} worker;

struct sn_pool {
  pthread_mutex_t lock;
  pthread_cond_t start, change; /* a job came; something in it moved */
  worker *workers;              /* [n_threads - 1] */
  size_t n_threads, n_started;
  job *job;
  uint64_t n_jobs; /* started so far: what wakes a worker once per job */
  size_t n_busy;   /* workers within the job */
  bool stop;
};

/* ---- One job; p->lock is held outside of work and emit ---- */

static void note_failure(job *j, size_t i, sn_status s, const sn_err *err) {
  if (s == SN_OK || i >= j->failed_item) return;
  j->failed_item = i;
  j->status = s;
  j->err = *err;
}

static bool may_begin(const job *j) {
  return j->emit == NULL || j->next - j->n_emitted < j->window;
}

/* No item is left to begin. */
static bool is_used_up(const job *j) {
  return j->next >= j->n || j->next > j->failed_item;
}

static void emit_ready(sn_pool *p, job *j, size_t w) {
  if (j->emitting) return;
  j->emitting = true;
  while (j->n_emitted < j->n && j->n_emitted < j->failed_item &&
         j->ready[j->n_emitted % j->window]) {
    const size_t i = j->n_emitted;
    (void)pthread_mutex_unlock(&p->lock);
    sn_err err = {SN_OK, ""};
    const sn_status s = j->emit(j->user, i, w, &err);
    (void)pthread_mutex_lock(&p->lock);
    note_failure(j, i, s, &err);
    j->ready[i % j->window] = false;
    j->n_emitted++;
    (void)pthread_cond_broadcast(&p->change);
  }
  j->emitting = false;
}

static void work_on(sn_pool *p, job *j, size_t w) {
  for (;;) {
    while (!is_used_up(j) && !may_begin(j))
      (void)pthread_cond_wait(&p->change, &p->lock);
    if (is_used_up(j)) return;
    const size_t i = j->next++;
    (void)pthread_mutex_unlock(&p->lock);
    sn_err err = {SN_OK, ""};
    const sn_status s = j->work(j->user, i, w, &err);
    (void)pthread_mutex_lock(&p->lock);
    note_failure(j, i, s, &err);
    if (s != SN_OK) (void)pthread_cond_broadcast(&p->change);
    if (j->emit == NULL) continue;
    j->ready[i % j->window] = s == SN_OK;
    emit_ready(p, j, w);
  }
}

static void *worker_main(void *arg) {
  const worker *const me = arg;
  sn_pool *const p = me->pool;
  uint64_t seen = 0;
  (void)pthread_mutex_lock(&p->lock);
  for (;;) {
    while (!p->stop && p->n_jobs == seen)
      (void)pthread_cond_wait(&p->start, &p->lock);
    if (p->stop) break;
    seen = p->n_jobs;
    if (p->job == NULL) continue; /* it ended before this thread woke up */
    p->n_busy++;
    work_on(p, p->job, me->index);
    p->n_busy--;
    (void)pthread_cond_broadcast(&p->change);
  }
  (void)pthread_mutex_unlock(&p->lock);
  return NULL;
}

static void run_in_pool(sn_pool *p, job *j) {
  (void)pthread_mutex_lock(&p->lock);
  SN_ASSERT(p->job == NULL); /* a job must not start another on its pool */
  p->job = j;
  p->n_jobs++;
  (void)pthread_cond_broadcast(&p->start);
  work_on(p, j, 0);
  while (p->n_busy > 0) (void)pthread_cond_wait(&p->change, &p->lock);
  p->job = NULL;
  (void)pthread_mutex_unlock(&p->lock);
}

static void run_alone(job *j) {
  for (size_t i = 0; i < j->n && j->status == SN_OK; i++) {
    sn_err err = {SN_OK, ""};
    sn_status s = j->work(j->user, i, 0, &err);
    if (s == SN_OK && j->emit != NULL) s = j->emit(j->user, i, 0, &err);
    note_failure(j, i, s, &err);
  }
}

static sn_status run(sn_pool *p, job *j, sn_err *err) {
  if (p == NULL || p->n_threads == 1 || j->n < 2)
    run_alone(j);
  else
    run_in_pool(p, j);
  if (j->status == SN_OK) return SN_OK;
  if (j->err.code == SN_OK)
    return sn_fail(err, j->status, "%s", sn_status_text(j->status));
  return sn_fail(err, j->status, "%s", j->err.msg);
}

/* ---- The pool ---- */

sn_status sn_pool_create(size_t n_threads, sn_pool **out, sn_err *err) {
  *out = NULL;
  if (n_threads == 0) {
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    n_threads = n > 0 ? (size_t)n : 1;
  }
  sn_pool *const p = sn_calloc(1, sizeof *p);
  worker *const workers = sn_calloc(n_threads, sizeof *workers);
  if (p == NULL || workers == NULL) {
    sn_free(p);
    sn_free(workers);
    return sn_fail_nomem(err, "thread pool");
  }
  p->workers = workers;
  p->n_threads = n_threads;
  /* With default attributes these fail for lack of resources only, which
   * Linux never reports. */
  int e = pthread_mutex_init(&p->lock, NULL);
  if (e == 0) e = pthread_cond_init(&p->start, NULL);
  if (e == 0) e = pthread_cond_init(&p->change, NULL);
  sn_blas_single_thread(); /* 1 thread: the same results as with more */
  while (e == 0 && p->n_started + 1 < n_threads) {
    worker *const w = &workers[p->n_started];
    w->pool = p;
    w->index = p->n_started + 1;
    e = pthread_create(&w->thread, NULL, worker_main, w);
    if (e == 0) p->n_started++;
  }
  if (e == 0) {
    *out = p;
    return SN_OK;
  }
  const size_t n_started = p->n_started;
  sn_pool_destroy(p);
  return sn_fail(err, SN_ELIMIT,
                 "only %zu of %zu threads could be started (error %d); ask for "
                 "fewer",
                 n_started + 1, n_threads, e);
}

void sn_pool_destroy(sn_pool *p) {
  if (p == NULL) return;
  (void)pthread_mutex_lock(&p->lock);
  p->stop = true;
  (void)pthread_cond_broadcast(&p->start);
  (void)pthread_mutex_unlock(&p->lock);
  for (size_t i = 0; i < p->n_started; i++)
    (void)pthread_join(p->workers[i].thread, NULL);
  (void)pthread_cond_destroy(&p->change);
  (void)pthread_cond_destroy(&p->start);
  (void)pthread_mutex_destroy(&p->lock);
  sn_free(p->workers);
  sn_free(p);
}

size_t sn_pool_n_threads(const sn_pool *p) {
  return p != NULL ? p->n_threads : 1;
}

sn_status sn_pool_for(sn_pool *p, size_t n, sn_pool_fn *fn, void *user,
                      sn_err *err) {
  job j = {.n = n, .work = fn, .user = user, .failed_item = SIZE_MAX};
  return run(p, &j, err);
}

sn_status sn_pool_ordered(sn_pool *p, size_t n, size_t window, sn_pool_fn *work,
                          sn_pool_fn *emit, void *user, sn_err *err) {
  job j = {.n = n,
           .work = work,
           .emit = emit,
           .user = user,
           .failed_item = SIZE_MAX,
           .window = window > 0 ? window : 4 * sn_pool_n_threads(p)};
  j.ready = sn_calloc(j.window, sizeof *j.ready);
  if (j.ready == NULL) return sn_fail_nomem(err, "pipeline");
  const sn_status s = run(p, &j, err);
  sn_free(j.ready);
  return s;
}

sn_status sn_pool_reduce(sn_pool *p, size_t n_parts, sn_pool_fn *acc,
                         sn_pool_add_fn *add, void *user, sn_err *err) {
  SN_TRY(sn_pool_for(p, n_parts, acc, user, err));
  for (size_t i = 1; i < n_parts; i++) SN_TRY(add(user, 0, i, err));
  return SN_OK;
}
