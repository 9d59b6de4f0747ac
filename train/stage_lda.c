/* SPDX-License-Identifier: Apache-2.0 */
/* Stage lda: triphones on spliced cepstra, projected by LDA, then turned by
 * MLLT.
 *
 * 1. The corpus is aligned with the triphones; their pdfs are LDA's classes.
 *    Silence is no class: what matters is to tell phones apart.
 * 2. Features become frames t - C .. t + C side by side, times the LDA matrix.
 * 3. A new tree over these, and Gaussians grown in passes as in stage tri.
 * 4. At a few passes, before the update, MLLT: features are multiplied by its
 *    matrix, and the means with them, so that the model says what it said; the
 *    variances follow in the next update. All of it is one matrix in the end.
 *
 * Source: Gales 1999; the schedule (passes 2, 4, 6, 12; alignments at 10, 20,
 * 30; silence left out of both estimates) is that of Kaldi's train_lda_mllt.
 */
#include "am/lda.h"
#include "am/mllt.h"
#include "base/mem.h"
#include "train/train_internal.h"

enum { S = SNI_STATES };

/* Frames of the corpus by pdf, in the order of the corpus. */
typedef struct frame_ref {
  int32_t utt, frame;
} frame_ref;

typedef struct by_pdf {
  size_t *first; /* [N + 1] in refs */
  frame_ref *refs;
} by_pdf;

static void by_pdf_clear(by_pdf *b) {
  sn_free(b->first);
  sn_free(b->refs);
}

typedef void visit_fn(void *user, size_t utt, int32_t frame, int32_t pdf);

/* Every aligned frame that is not silence's. */
static void visit(const sni_trainer *t, visit_fn *fn, void *user) {
  for (size_t i = 0; i < t->corpus->n; i++) {
    const sni_utt *const u = &t->corpus->utts[i];
    for (size_t k = 0; !u->failed && k < u->segs.n; k++) {
      const sni_seg *const g = &u->segs.data[k];
      if (g->phone == 0) continue;
      const int32_t hmm = sni_tied_hmm(&t->tied, g);
      for (int32_t s = 0; s < S; s++)
        for (int32_t f = g->begin[s]; f < g->begin[s + 1]; f++)
          fn(user, i, f, t->tied.hmm_pdfs[hmm * S + s]);
    }
  }
}

static void count(void *user, size_t utt, int32_t frame, int32_t pdf) {
  (void)utt;
  (void)frame;
  ((by_pdf *)user)->first[pdf + 1]++;
}

static void place(void *user, size_t utt, int32_t frame, int32_t pdf) {
  by_pdf *const b = user;
  b->refs[b->first[pdf]++] = (frame_ref){(int32_t)utt, frame};
}

static sn_status sort_by_pdf(const sni_trainer *t, by_pdf *b, sn_err *err) {
  const size_t N = (size_t)t->tied.n_pdfs;
  b->first = sn_calloc(N + 1, sizeof *b->first);
  if (b->first == NULL) return sn_fail_nomem(err, "frames by pdf");
  visit(t, count, b);
  for (size_t i = 0; i < N; i++) b->first[i + 1] += b->first[i];
  b->refs = sn_calloc(b->first[N], sizeof *b->refs);
  if (b->refs == NULL) return sn_fail_nomem(err, "frames by pdf");
  visit(t, place, b); /* first[i] now is the end of i */
  for (size_t i = N; i > 0; i--) b->first[i] = b->first[i - 1];
  b->first[0] = 0;
  return SN_OK;
}

/* ---- 1: LDA ---- */

typedef struct lda {
  const sni_trainer *t;
  const by_pdf *frames;
  sn_lda_stats *parts; /* [window] of LDA_PDFS pdfs each */
  sn_lda_stats total;
  size_t window;
} lda;

enum { PDFS = 16 }; /* of a part; fixes the order of the sums */

static const float *frame_of(const sni_trainer *t, frame_ref r) {
  return sn_mat_row(t->corpus->utts[r.utt].feats, (size_t)r.frame);
}

static size_t end_of(const sni_trainer *t, size_t part) {
  const size_t end = (part + 1) * PDFS, N = (size_t)t->tied.n_pdfs;
  return end < N ? end : N;
}

static sn_status lda_part(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  (void)err;
  lda *const x = user;
  sn_lda_stats *const s = &x->parts[i % x->window];
  sn_lda_stats_reset(s);
  for (size_t p = i * PDFS; p < end_of(x->t, i); p++)
    for (size_t k = x->frames->first[p]; k < x->frames->first[p + 1]; k++)
      sn_lda_stats_frame(s, p, frame_of(x->t, x->frames->refs[k]));
  return SN_OK;
}

static sn_status lda_add(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  (void)err;
  lda *const x = user;
  sn_lda_stats_add(&x->total, &x->parts[i % x->window]);
  return SN_OK;
}

static size_t n_parts(const sni_trainer *t) {
  return ((size_t)t->tied.n_pdfs + PDFS - 1) / PDFS;
}

static sn_status estimate_lda(const sni_trainer *t, sn_mat out, sn_err *err) {
  by_pdf frames = {0};
  lda x = {.t = t, .frames = &frames, .window = 2 * sn_pool_n_threads(t->pool)};
  const size_t N = (size_t)t->tied.n_pdfs, D = t->corpus->dim;
  x.parts = sn_calloc(x.window, sizeof *x.parts);
  sn_status s = x.parts == NULL ? sn_fail_nomem(err, "LDA statistics")
                                : sort_by_pdf(t, &frames, err);
  if (s == SN_OK) s = sn_lda_stats_init(&x.total, D, N, err);
  for (size_t i = 0; s == SN_OK && i < x.window; i++)
    s = sn_lda_stats_init(&x.parts[i], D, N, err);
  if (s == SN_OK)
    s = sn_pool_ordered(t->pool, n_parts(t), x.window, lda_part, lda_add, &x,
                        err);
  double *const values = sn_calloc(out.rows, sizeof *values);
  if (s == SN_OK && values == NULL) s = sn_fail_nomem(err, "LDA");
  if (s == SN_OK) s = sn_lda_estimate(&x.total, out, values, err);
  if (s == SN_OK)
    sn_info(t->log, "lda: eigenvalues %.3f to %.3f, %zu of %zu dimensions",
            values[0], values[out.rows - 1], out.rows, D);
  for (size_t i = 0; x.parts != NULL && i < x.window; i++)
    sn_lda_stats_clear(&x.parts[i]);
  sn_lda_stats_clear(&x.total);
  sn_free(x.parts);
  sn_free(values);
  by_pdf_clear(&frames);
  return s;
}

/* ---- 4: MLLT ---- */

typedef struct mllt {
  const sni_trainer *t;
  const by_pdf *frames;
  sn_mllt_pdf *scratch; /* [threads] */
  sn_mllt_stats *parts; /* [window] */
  sn_mllt_stats total;
  size_t window;
} mllt;

static sn_status mllt_part(void *user, size_t i, size_t w, sn_err *err) {
  mllt *const x = user;
  const sni_trainer *const t = x->t;
  sn_mllt_stats *const s = &x->parts[i % x->window];
  if (sn_log_cancelled(t->log)) return sn_fail(err, SN_ECANCEL, "interrupted");
  sn_mllt_stats_reset(s);
  for (size_t p = i * PDFS; p < end_of(t, i); p++) {
    for (size_t k = x->frames->first[p]; k < x->frames->first[p + 1]; k++)
      sn_mllt_pdf_frame(&x->scratch[w], &t->mix, t->tables, (int32_t)p,
                        frame_of(t, x->frames->refs[k]));
    sn_mllt_pdf_take(&x->scratch[w], &t->mix, (int32_t)p, s);
  }
  return SN_OK;
}

static sn_status mllt_add(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  (void)err;
  mllt *const x = user;
  sn_mllt_stats_add(&x->total, &x->parts[i % x->window]);
  return SN_OK;
}

static sn_status mllt_stats(mllt *x, sn_err *err) {
  const sni_trainer *const t = x->t;
  const size_t D = t->corpus->dim, n = sn_pool_n_threads(t->pool);
  x->window = 2 * n;
  x->parts = sn_calloc(x->window, sizeof *x->parts);
  x->scratch = sn_calloc(n, sizeof *x->scratch);
  if (x->parts == NULL || x->scratch == NULL)
    return sn_fail_nomem(err, "MLLT statistics");
  SN_TRY(sn_mllt_stats_init(&x->total, D, err));
  for (size_t i = 0; i < n; i++)
    SN_TRY(sn_mllt_pdf_init(&x->scratch[i], D, err));
  for (size_t i = 0; i < x->window; i++)
    SN_TRY(sn_mllt_stats_init(&x->parts[i], D, err));
  return sn_pool_ordered(t->pool, n_parts(t), x->window, mllt_part, mllt_add, x,
                         err);
}

static sn_status estimate_mllt(const sni_trainer *t, sn_mat out, double *gain,
                               sn_err *err) {
  by_pdf frames = {0};
  mllt x = {.t = t, .frames = &frames};
  sn_status s = sort_by_pdf(t, &frames, err);
  if (s == SN_OK) s = mllt_stats(&x, err);
  if (s == SN_OK) s = sn_mllt_estimate(&x.total, 100, out, gain, err);
  for (size_t i = 0; x.parts != NULL && i < x.window; i++)
    sn_mllt_stats_clear(&x.parts[i]);
  for (size_t i = 0; x.scratch != NULL && i < sn_pool_n_threads(t->pool); i++)
    sn_mllt_pdf_clear(&x.scratch[i]);
  sn_mllt_stats_clear(&x.total);
  sn_free(x.parts);
  sn_free(x.scratch);
  by_pdf_clear(&frames);
  return s;
}

/* to = a times m. */
static void multiply(sn_cmat a, sn_cmat m, sn_mat to) {
  for (size_t i = 0; i < a.rows; i++)
    for (size_t j = 0; j < m.cols; j++) {
      double sum = 0;
      for (size_t k = 0; k < a.cols; k++)
        sum += (double)sn_cmat_row(a, i)[k] * (double)sn_cmat_row(m, k)[j];
      sn_mat_row(to, i)[j] = (float)sum;
    }
}

static sni_form spliced(const sni_trainer *t, sn_cmat matrix) {
  const int32_t c = t->o->lda_context;
  const sni_form f = {.left = c, .right = c, .matrix = matrix};
  return f;
}

static sn_status turn(sni_trainer *t, sn_err *err) {
  const size_t D = t->corpus->dim;
  sn_mat a = {0}, now = {0};
  double gain = 0;
  sn_status s = sn_mat_alloc(D, D, &a, err);
  if (s == SN_OK) s = sn_mat_alloc(D, t->corpus->transform.cols, &now, err);
  if (s == SN_OK) s = estimate_mllt(t, a, &gain, err);
  if (s == SN_OK) {
    multiply(sn_mat_const(a), sn_mat_const(t->corpus->transform), now);
    const sni_form f = spliced(t, sn_mat_const(now));
    s = sni_corpus_form(t->corpus, &f, t->pool, err);
  }
  if (s == SN_OK) s = sn_mllt_transform_means(&t->mix, sn_mat_const(a), err);
  if (s == SN_OK) s = sni_tables(t, err);
  if (s == SN_OK)
    sn_info(t->log, "lda: MLLT gains %.4f nat a frame of speech", gain);
  sn_mat_free(&a);
  sn_mat_free(&now);
  return s;
}

/* ---- The stage ---- */

/* Steps 1 and 2. */
static sn_status project(sni_trainer *t, sn_err *err) {
  const sn_cmat none = {0};
  const sni_form wide = spliced(t, none);
  sn_mat m = {0};
  SN_TRY(sni_corpus_form(t->corpus, &wide, t->pool, err));
  sn_status s = sn_mat_alloc((size_t)t->o->lda_dim, t->corpus->dim, &m, err);
  if (s == SN_OK) s = estimate_lda(t, m, err);
  const sni_form f = spliced(t, sn_mat_const(m));
  if (s == SN_OK) s = sni_corpus_form(t->corpus, &f, t->pool, err);
  sn_mat_free(&m);
  return s;
}

static bool turns(int n) { return n == 2 || n == 4 || n == 6 || n == 12; }
static bool aligns(int n) { return n == 10 || n == 20 || n == 30; }

static sn_status begin(sni_trainer *t, const char *exp, sn_err *err) {
  SN_TRY(sni_stage_load(t, exp, "tri", err));
  SN_TRY(sni_tables(t, err));
  SN_TRY(sni_realign_all(t, err));
  SN_TRY(project(t, err));
  SN_TRY(sni_plant(t, t->o->lda_leaves, err));
  return sni_tables(t, err);
}

sn_status sni_run_lda(sni_trainer *t, const char *exp, sn_err *err) {
  int done = 0;
  SN_TRY(sni_resume(t, exp, &done, err));
  if (done == 0) SN_TRY(begin(t, exp, err));
  const size_t from = (size_t)t->tied.n_pdfs;
  for (int n = done + 1; n <= t->o->lda_passes; n++) {
    if (turns(n)) SN_TRY(turn(t, err));
    const size_t target =
        sni_target_at(from, (size_t)t->o->lda_gauss, n, t->o->lda_passes);
    SN_TRY(sni_pass(t, n, aligns(n) ? SNI_VITERBI : SNI_KEEP, target,
                    t->o->min_occ, err));
    SN_TRY(sni_checkpoint_write(t, exp, n, err));
  }
  return sni_stage_write(t, exp, err);
}
