/* SPDX-License-Identifier: Apache-2.0 */
/* The recordings of a corpus: lengths, rates, damage, silence.
 *
 * Recordings are opened in parallel; what they show is put into the corpus one
 * at a time in the order of wav.scp, so that the faults come in the same order
 * for any number of threads. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "frontend/audio.h"
#include "train/corpus_internal.h"

#define CHUNK 65536 /* samples at a time */

typedef struct extent {
  float low, high; /* of the samples seen */
  bool any;
} extent;

typedef struct seen {
  double length_s, rate_hz;
  bool failed;
  char text[400]; /* the failure, or the first warning */
} seen;

typedef struct measure {
  sn_corpus *c;
  sn_corpus_depth depth;
  sn_log *log;
  seen *recs;      /* [recs] */
  extent *extents; /* [utts] */
  size_t *first;   /* [recs + 1] into by_rec */
  size_t *by_rec;  /* [utts] utterances grouped by recording */
} measure;

static void keep_warning(void *user, sn_log_level level, const char *text) {
  seen *const r = user;
  if (level <= SN_LOG_WARN && r->text[0] == '\0')
    (void)snprintf(r->text, sizeof r->text, "%s", text);
}

/* Samples [at, at + n) into the extents of the recording's utterances. */
static void add_samples(measure *m, size_t rec, const float *x, int64_t at,
                        int64_t n) {
  const double rate = m->recs[rec].rate_hz;
  for (size_t k = m->first[rec]; k < m->first[rec + 1]; k++) {
    const sn_corpus_utt *const u = &m->c->utts.data[m->by_rec[k]];
    extent *const e = &m->extents[m->by_rec[k]];
    const double begin = u->begin_s * rate - (double)at;
    const double end = u->end_s < 0 ? (double)n : u->end_s * rate - (double)at;
    if (begin >= (double)n || end <= 0) continue;
    const int64_t from = begin > 0 ? (int64_t)begin : 0;
    const int64_t to = end < (double)n ? (int64_t)end : n;
    if (from < to && !e->any) {
      e->any = true;
      e->low = e->high = x[from];
    }
    for (int64_t i = from; i < to; i++) {
      e->low = x[i] < e->low ? x[i] : e->low;
      e->high = x[i] > e->high ? x[i] : e->high;
    }
  }
}

static sn_status read_samples(measure *m, size_t rec, sn_audio *a,
                              int64_t *total, sn_err *err) {
  float *const x = sn_calloc(CHUNK, sizeof *x);
  if (x == NULL) return sn_fail_nomem(err, "corpus");
  sn_status s = SN_OK;
  size_t got = 1;
  while (s == SN_OK && got > 0 && !sn_log_cancelled(m->log)) {
    s = sn_audio_read(a, x, CHUNK, &got, err);
    if (s != SN_OK) break;
    add_samples(m, rec, x, *total, (int64_t)got);
    *total += (int64_t)got;
  }
  sn_free(x);
  return s;
}

static sn_status open_and_read(measure *m, size_t i, sn_log *log, sn_err *err) {
  seen *const r = &m->recs[i];
  const sn_corpus_rec *const rec = &m->c->recs.data[i];
  sn_audio *a = NULL;
  SN_TRY(sn_audio_open(rec->path, NULL, log, &a, err));
  r->rate_hz = sn_audio_source_rate_hz(a);
  int64_t n = sn_audio_n_samples(a);
  sn_status s = SN_OK;
  if (m->depth == SN_CORPUS_SAMPLES || n < 0) {
    n = 0;
    s = read_samples(m, i, a, &n, err);
  }
  r->length_s = (double)n / sn_audio_rate_hz(a);
  if (s == SN_OK && n == 0)
    s = sn_fail(err, SN_EFORMAT, "%s: no samples", rec->path);
  sn_audio_destroy(a);
  return s;
}

static sn_status work(void *user, size_t i, size_t worker, sn_err *err) {
  measure *const m = user;
  seen *const r = &m->recs[i];
  (void)worker;
  sn_log *log = NULL;
  SN_TRY(sn_log_create(keep_warning, NULL, r, SN_LOG_WARN, &log, err));
  sn_err own = {SN_OK, ""};
  const sn_status s = open_and_read(m, i, log, &own);
  sn_log_destroy(log);
  if (s == SN_ENOMEM) return sn_fail_nomem(err, "corpus");
  if (s == SN_OK) return SN_OK;
  r->failed = true;
  (void)snprintf(r->text, sizeof r->text, "%.390s", own.msg);
  return SN_OK;
}

static sn_status emit(void *user, size_t i, size_t worker, sn_err *err) {
  measure *const m = user;
  sn_corpus *const c = m->c;
  seen *const r = &m->recs[i];
  sn_corpus_rec *const rec = &c->recs.data[i];
  (void)worker;
  sn_log_progress(m->log, "corpus", "recordings", (int64_t)i + 1,
                  (int64_t)c->recs.n, i + 1 == c->recs.n);
  if (sn_log_cancelled(m->log)) return sn_fail(err, SN_ECANCEL, "interrupted");
  rec->rate_hz = r->rate_hz;
  rec->length_s = r->failed ? -1 : r->length_s;
  const sn_corpus_fault_kind kind =
      r->failed ? SN_CORPUS_NO_AUDIO : SN_CORPUS_CUT_AUDIO;
  bool known = false; /* said already that there is no such file */
  for (size_t k = m->first[i]; k < m->first[i + 1]; k++) {
    sn_corpus_utt *const u = &c->utts.data[m->by_rec[k]];
    const extent *const e = &m->extents[m->by_rec[k]];
    if (m->depth == SN_CORPUS_SAMPLES && !r->failed)
      u->peak = e->any ? (e->high - e->low) / 2 : 0;
    known = known || (u->faults & 1u << SN_CORPUS_NO_AUDIO) != 0;
    if (r->failed) u->faults |= 1u << SN_CORPUS_NO_AUDIO;
  }
  if (r->text[0] == '\0' || known || m->first[i] == m->first[i + 1])
    return SN_OK;
  const sn_corpus_fault at = {kind, "wav.scp", rec->line, NULL};
  return sni_corpus_fault(c, NULL, at, err, "%s", r->text);
}

/* Utterances by recording, in their order. */
static void group(measure *m) {
  const sn_corpus *const c = m->c;
  for (size_t i = 0; i < c->utts.n; i++)
    if (c->utts.data[i].rec >= 0) m->first[c->utts.data[i].rec + 1]++;
  for (size_t r = 0; r < c->recs.n; r++) m->first[r + 1] += m->first[r];
  for (size_t i = 0; i < c->utts.n; i++)
    if (c->utts.data[i].rec >= 0)
      m->by_rec[m->first[c->utts.data[i].rec]++] = i;
  for (size_t r = c->recs.n; r > 0; r--) m->first[r] = m->first[r - 1];
  m->first[0] = 0;
}

sn_status sn_corpus_measure(sn_corpus *c, sn_corpus_depth depth, sn_pool *pool,
                            sn_log *log, sn_err *err) {
  measure m = {.c = c, .depth = depth, .log = log};
  m.recs = sn_calloc(c->recs.n, sizeof *m.recs);
  m.extents = sn_calloc(c->utts.n, sizeof *m.extents);
  m.first = sn_calloc(c->recs.n + 1, sizeof *m.first);
  m.by_rec = sn_calloc(c->utts.n, sizeof *m.by_rec);
  sn_status s = SN_ENOMEM;
  if (m.recs == NULL || m.extents == NULL || m.first == NULL ||
      m.by_rec == NULL) {
    (void)sn_fail_nomem(err, "corpus");
  } else {
    group(&m);
    s = sn_pool_ordered(pool, c->recs.n, 0, work, emit, &m, err);
  }
  sn_free(m.recs);
  sn_free(m.extents);
  sn_free(m.first);
  sn_free(m.by_rec);
  return s;
}

double sn_corpus_length_s(const sn_corpus *c, const sn_corpus_utt *u) {
  if (u->rec < 0 || c->recs.data[u->rec].length_s < 0) return -1;
  const double all = c->recs.data[u->rec].length_s;
  const double end = u->end_s < 0 || u->end_s > all ? all : u->end_s;
  return end > u->begin_s ? end - u->begin_s : 0;
}
