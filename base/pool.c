/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that share out the items of a loop.
 *
 * Workers sleep until a job is set; the caller's thread works as worker 0.
 * One lock guards all of it: items here are utterances, files, blocks of
 * statistics, each milliseconds to seconds long, so that taking an item under
 * a lock costs nothing.
 *
 * ORDERED PIPELINE. Items are begun in the order of i and done in any; a
 * worker that finishes item i marks it. Whoever marks the item that emission
 * waits for emits it and all marked ones behind it (one thread at a time, in
 * the order of i), then goes on working. Nobody begins item i before
 * i < emitted + window.
 *
 * FAILURES. The failure of the smallest index is kept. Once there is one at f,
 * items above f are not begun any more; items below f have all been begun
 * already, so that f's rank can not be missed. */
#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "base/mat.h"
#include "base/mem.h"

enum { NOT_DONE, DONE };

typedef struct job {
  sn_pool_fn *work, *emit; /* emit may be NULL */
  void *user;
  size_t n, window;
  size_t next;         /* item to begin */
  size_t emitted;      /* items emitted (or done, without emit) */
  size_t running;      /* workers inside work or emit */
  bool emitting;       /* a worker is emitting */
  unsigned char *done; /* [window] ring: state of item i at i % window */
  size_t failed_at;    /* SIZE_MAX: none */
  sn_status status;
  sn_err err;
} job;

struct sn_pool {
  size_t n_threads; /* with the caller's */
  pthread_t *threads;
  size_t n_started;
  pthread_mutex_t lock;
  pthread_cond_t wake; /* a job was set, or the window moved */
  pthread_cond_t idle; /* the job came nearer its end */
  uint64_t generation; /* counts jobs */
  job *current;
  bool quit;
};

typedef struct start_arg {
  sn_pool *pool;
  size_t worker;
} start_arg;

static void keep_failure(job *j, size_t i, sn_status s, const sn_err *err) {
  if (s == SN_OK || i >= j->failed_at) return;
  j->failed_at = i;
  j->status = s;
  j->err = *err;
}

static bool may_begin(const job *j) {
  return j->next < j->n && j->failed_at == SIZE_MAX &&
         (j->emit == NULL || j->next - j->emitted < j->window);
}

static bool finished(const job *j) {
  if (j->running > 0) return false;
  return j->failed_at != SIZE_MAX ||
         (j->next == j->n && (j->emit == NULL || j->emitted == j->n));
}

/* Emits what is ready, in order. Lock held; let go of during emit(). */
static void emit_ready(sn_pool *p, job *j, size_t worker) {
  if (j->emitting) return;
  j->emitting = true;
  while (j->emitted < j->n && j->emitted < j->failed_at &&
         j->done[j->emitted % j->window] == DONE) {
    const size_t i = j->emitted;
    sn_err err = {0};
    (void)pthread_mutex_unlock(&p->lock);
    const sn_status s = j->emit(j->user, i, worker, &err);
    (void)pthread_mutex_lock(&p->lock);
    j->done[i % j->window] = NOT_DONE;
    j->emitted++;
    keep_failure(j, i, s, &err);
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_cond_broadcast(&p->idle);
  }
  j->emitting = false;
}

/* Works on items while there are any to begin. Lock held. */
static void work_on(sn_pool *p, job *j, size_t worker) {
  while (may_begin(j)) {
    const size_t i = j->next++;
    sn_err err = {0};
    j->running++;
    (void)pthread_mutex_unlock(&p->lock);
    const sn_status s = j->work(j->user, i, worker, &err);
    (void)pthread_mutex_lock(&p->lock);
    keep_failure(j, i, s, &err);
    if (j->emit != NULL && s == SN_OK) {
      j->done[i % j->window] = DONE;
      emit_ready(p, j, worker);
    }
    j->running--;
    (void)pthread_cond_broadcast(&p->idle);
  }
}

static void *worker_main(void *arg) {
  start_arg *const a = arg;
  sn_pool *const p = a->pool;
  const size_t worker = a->worker;
  sn_free(a);
  (void)pthread_mutex_lock(&p->lock);
  while (!p->quit) {
    job *const j = p->current;
    if (j != NULL && may_begin(j))
      work_on(p, j, worker);
    else
      (void)pthread_cond_wait(&p->wake, &p->lock);
  }
  (void)pthread_mutex_unlock(&p->lock);
  return NULL;
}

sn_status sn_pool_create(size_t n_threads, sn_pool **out, sn_err *err) {
  *out = NULL;
  if (n_threads == 0) {
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    n_threads = n > 0 ? (size_t)n : 1;
  }
  if (n_threads > 1024)
    return sn_fail(err, SN_EARG, "%zu threads asked for; the limit is 1024",
                   n_threads);
  sn_blas_single_thread();
  sn_pool *const p = sn_calloc(1, sizeof *p);
  if (p == NULL) return sn_fail_nomem(err, "thread pool");
  p->n_threads = n_threads;
  (void)pthread_mutex_init(&p->lock, NULL);
  (void)pthread_cond_init(&p->wake, NULL);
  (void)pthread_cond_init(&p->idle, NULL);
  p->threads = sn_calloc(n_threads, sizeof *p->threads);
  for (size_t w = 1; p->threads != NULL && w < n_threads; w++) {
    start_arg *const a = sn_calloc(1, sizeof *a);
    if (a == NULL) break;
    *a = (start_arg){p, w};
    if (pthread_create(&p->threads[p->n_started], NULL, worker_main, a) != 0) {
      sn_free(a);
      break;
    }
    p->n_started++;
  }
  if (p->threads == NULL || p->n_started + 1 < n_threads) {
    sn_pool_destroy(p);
    return sn_fail(err, SN_ENOMEM,
                   "thread pool: %zu threads could not be started; ask for "
                   "fewer",
                   n_threads);
  }
  *out = p;
  return SN_OK;
}

void sn_pool_destroy(sn_pool *p) {
  if (p == NULL) return;
  (void)pthread_mutex_lock(&p->lock);
  p->quit = true;
  (void)pthread_cond_broadcast(&p->wake);
  (void)pthread_mutex_unlock(&p->lock);
  for (size_t i = 0; i < p->n_started; i++)
    (void)pthread_join(p->threads[i], NULL);
  sn_free(p->threads);
  (void)pthread_cond_destroy(&p->idle);
  (void)pthread_cond_destroy(&p->wake);
  (void)pthread_mutex_destroy(&p->lock);
  sn_free(p);
}

size_t sn_pool_n_threads(const sn_pool *p) {
  return p != NULL ? p->n_threads : 1;
}

static sn_status serial(size_t n, sn_pool_fn *work, sn_pool_fn *emit,
                        void *user, sn_err *err) {
  for (size_t i = 0; i < n; i++) {
    SN_TRY(work(user, i, 0, err));
    if (emit != NULL) SN_TRY(emit(user, i, 0, err));
  }
  return SN_OK;
}

static sn_status run(sn_pool *p, size_t n, size_t window, sn_pool_fn *work,
                     sn_pool_fn *emit, void *user, sn_err *err) {
  if (p == NULL || p->n_threads == 1) return serial(n, work, emit, user, err);
  if (window == 0) window = 4 * p->n_threads;
  job j = {.work = work,
           .emit = emit,
           .user = user,
           .n = n,
           .window = window,
           .failed_at = SIZE_MAX};
  j.done = sn_calloc(window, 1);
  if (j.done == NULL) return sn_fail_nomem(err, "thread pool");
  (void)pthread_mutex_lock(&p->lock);
  SN_ASSERT(p->current == NULL); /* one job at a time */
  p->current = &j;
  (void)pthread_cond_broadcast(&p->wake);
  while (!finished(&j)) {
    if (may_begin(&j))
      work_on(p, &j, 0);
    else
      (void)pthread_cond_wait(&p->idle, &p->lock);
  }
  p->current = NULL;
  (void)pthread_mutex_unlock(&p->lock);
  sn_free(j.done);
  if (j.failed_at == SIZE_MAX) return SN_OK;
  return sn_fail(err, j.status, "%s", j.err.msg);
}

sn_status sn_pool_for(sn_pool *p, size_t n, sn_pool_fn *fn, void *user,
                      sn_err *err) {
  return run(p, n, 0, fn, NULL, user, err);
}

sn_status sn_pool_ordered(sn_pool *p, size_t n, size_t window, sn_pool_fn *work,
                          sn_pool_fn *emit, void *user, sn_err *err) {
  return run(p, n, window, work, emit, user, err);
}

sn_status sn_pool_reduce(sn_pool *p, size_t n_parts, sn_pool_fn *acc,
                         sn_pool_add_fn *add, void *user, sn_err *err) {
  SN_TRY(sn_pool_for(p, n_parts, acc, user, err));
  for (size_t i = 1; i < n_parts; i++) SN_TRY(add(user, 0, i, err));
  return SN_OK;
}
