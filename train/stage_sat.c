/* SPDX-License-Identifier: Apache-2.0 */
/* Stage sat: triphones trained on features that are adapted to each speaker.
 *
 * 1. The corpus is aligned with EXP/lda; each speaker's frames of speech (not
 *    silence) estimate an fMLLR transform under that model.
 * 2. A new tree, and Gaussians grown in passes, over the transformed features.
 * 3. At a few passes transforms are estimated anew under the model that has
 *    grown, and replace the old ones: old and new are composed, so that each
 *    estimate starts where the one before has ended.
 * 4. At last the model of the first pass of decoding, where no transform is
 *    known: the same HMMs, pdfs and Gaussians; posteriors come from the adapted
 *    features, means and variances from those that are not.
 *
 * Features before adaptation are kept beside the adapted ones: AN4 40 MB.
 * Source: Anastasakos et al. 1996 (SAT); Gales 1998, section 3; the schedule
 * (transforms at passes 2, 4, 6, 12; alignments at 10, 20, 30) is that of
 * Kaldi's train_sat. */
#include <string.h>

#include "am/fmllr.h"
#include "base/mem.h"
#include "base/str.h"
#include "frontend/postproc.h"
#include "train/train_internal.h"

enum { S = SNI_STATES };

/* Its transform, of plain features, is that of the trainer's list. */
typedef struct speaker {
  sn_arr_i32 utts;     /* in the order of the corpus */
  double gain, frames; /* of the last estimate, nat a frame */
} speaker;

typedef struct sat {
  sni_trainer *t;
  sn_mat *plain; /* [utterances] before adaptation */
  SN_ARR(speaker) speakers;
} sat;

static void sat_clear(sat *x) {
  for (size_t i = 0; x->plain != NULL && i < x->t->corpus->n; i++)
    sn_mat_free(&x->plain[i]);
  sn_free(x->plain);
  for (size_t i = 0; i < x->speakers.n; i++) {
    SN_ARR_FREE(&x->speakers.data[i].utts);
  }
  SN_ARR_FREE(&x->speakers);
}

static sn_status add_speaker(sat *x, sn_err *err) {
  const size_t D = x->t->corpus->dim;
  sni_trainer *const t = x->t;
  const speaker none = {.gain = 0};
  const sni_transform identity = {.estimated = false};
  SN_TRY(SN_ARR_PUSH(&x->speakers, none, err));
  if (x->speakers.n <= t->speakers.n) return SN_OK; /* taken up again */
  SN_TRY(SN_ARR_PUSH(&t->speakers, identity, err));
  sn_mat *const w = &t->speakers.data[t->speakers.n - 1].w;
  SN_TRY(sn_mat_alloc(D, D + 1, w, err));
  sn_fmllr_identity(*w);
  return SN_OK;
}

/* Speakers in the order in which they first appear. */
static sn_status list_speakers(sat *x, sn_err *err) {
  const sni_corpus *const c = x->t->corpus;
  sn_symtab *names = NULL;
  SN_TRY(sn_symtab_create(&names, err));
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < c->n; i++) {
    const char *const name = c->utts[i].speaker;
    int32_t id = -1;
    s = sn_symtab_add(names, name, strlen(name), &id, err);
    if (s == SN_OK && (size_t)id == x->speakers.n) s = add_speaker(x, err);
    if (s == SN_OK)
      s = SN_ARR_PUSH(&x->speakers.data[id].utts, (int32_t)i, err);
  }
  sn_symtab_destroy(names);
  return s;
}

static sn_status sat_init(sat *x, sn_err *err) {
  const sni_corpus *const c = x->t->corpus;
  x->plain = sn_calloc(c->n, sizeof *x->plain);
  if (x->plain == NULL) return sn_fail_nomem(err, "features");
  for (size_t i = 0; i < c->n; i++) {
    const sn_mat f = c->utts[i].feats;
    if (f.rows == 0) continue;
    SN_TRY(sn_mat_alloc(f.rows, f.cols, &x->plain[i], err));
    sn_mat_copy(sn_mat_const(f), x->plain[i]);
  }
  return list_speakers(x, err);
}

/* ---- Transforms ---- */

/* A frame of the pdf: what its Gaussians say of each dimension. */
static void add_frame(const sni_trainer *t, int32_t pdf, const float *frame,
                      double *scratch, sn_fmllr_stats *s) {
  const sn_mixtures *const m = &t->mix;
  const size_t D = m->dim;
  double *const precision = scratch, *const mean = scratch + D;
  float post[SN_MIX_MAX_GAUSS];
  (void)sn_mix_posteriors(t->tables, pdf, frame, post);
  memset(scratch, 0, 2 * D * sizeof *scratch);
  const size_t first = (size_t)m->first[pdf];
  for (size_t g = first; g < (size_t)m->first[pdf + 1]; g++) {
    const double p = (double)post[g - first];
    if (p < 1e-5) continue;
    for (size_t d = 0; d < D; d++) {
      const double v = p / (double)m->vars[g * D + d];
      precision[d] += v;
      mean[d] += v * (double)m->means[g * D + d];
    }
  }
  sn_fmllr_stats_frame(s, frame, precision, mean, 1.0);
}

static void add_utt(const sni_trainer *t, const sni_utt *u, double *scratch,
                    sn_fmllr_stats *s) {
  for (size_t k = 0; !u->failed && k < u->segs.n; k++) {
    const sni_seg *const g = &u->segs.data[k];
    if (g->phone == 0) continue;
    const int32_t hmm = sni_tied_hmm(&t->tied, g);
    for (int32_t st = 0; st < S; st++)
      for (int32_t f = g->begin[st]; f < g->begin[st + 1]; f++)
        add_frame(t, t->tied.hmm_pdfs[hmm * S + st],
                  sn_mat_row(u->feats, (size_t)f), scratch, s);
  }
}

/* The new transform after the old one. */
static sn_status compose(sni_transform *of, sn_cmat later, sn_err *err) {
  sn_mat both = {0};
  SN_TRY(sn_mat_alloc(later.rows, later.cols, &both, err));
  sn_fmllr_compose(later, sn_mat_const(of->w), both);
  sn_mat_free(&of->w);
  of->w = both;
  of->estimated = true;
  return SN_OK;
}

/* A speaker's features from the plain ones, as decoding adapts them. */
static sn_status transform_all(const sat *x, const speaker *sp,
                               const sni_transform *of, sn_err *err) {
  sn_transform *t = NULL;
  SN_TRY(sn_transform_create(sn_mat_const(of->w), &t, err));
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < sp->utts.n; i++) {
    const int32_t utt = sp->utts.data[i];
    s = sn_transform_apply(t, sn_mat_const(x->plain[utt]),
                           x->t->corpus->utts[utt].feats, err);
  }
  sn_transform_destroy(t);
  return s;
}

static sn_status estimate(void *user, size_t i, size_t thread, sn_err *err) {
  (void)thread;
  const sat *const x = user;
  speaker *const sp = &x->speakers.data[i];
  sni_transform *const own = &x->t->speakers.data[i];
  const sni_corpus *const c = x->t->corpus;
  const sn_fmllr_opts o = {
      .min_count = x->t->o->sat_min_frames, .iters = 20, .kind = SN_FMLLR_FULL};
  sn_fmllr_stats stats = {0};
  sn_fmllr_result r = {0};
  sn_mat w = {0};
  if (sn_log_cancelled(x->t->log))
    return sn_fail(err, SN_ECANCEL, "interrupted");
  SN_TRY(sn_fmllr_stats_init(&stats, c->dim, err));
  double *const scratch = sn_calloc(2 * c->dim, sizeof *scratch);
  sn_status s = scratch == NULL ? sn_fail_nomem(err, "fMLLR")
                                : sn_mat_alloc(c->dim, c->dim + 1, &w, err);
  for (size_t k = 0; s == SN_OK && k < sp->utts.n; k++)
    add_utt(x->t, &c->utts[sp->utts.data[k]], scratch, &stats);
  if (s == SN_OK) s = sn_fmllr_estimate(&stats, &o, w, &r, err);
  if (s == SN_OK && r.estimated) {
    s = compose(own, sn_mat_const(w), err);
    if (s == SN_OK) s = transform_all(x, sp, own, err);
  }
  sp->gain = r.gain;
  sp->frames = r.count;
  sn_free(scratch);
  sn_mat_free(&w);
  sn_fmllr_stats_clear(&stats);
  return s;
}

/* Every speaker's transform anew; a speaker is one job, whose sums are in the
 * order of the corpus. */
static sn_status adapt(sat *x, sn_err *err) {
  double gain = 0, frames = 0;
  size_t n = 0;
  SN_TRY(sn_pool_for(x->t->pool, x->speakers.n, estimate, x, err));
  for (size_t i = 0; i < x->speakers.n; i++) {
    const speaker *const sp = &x->speakers.data[i];
    n += x->t->speakers.data[i].estimated;
    frames += sp->frames;
    gain += sp->gain * sp->frames;
  }
  sn_info(x->t->log,
          "sat: transforms of %zu of %zu speakers gain %.4f nat a frame of "
          "speech",
          n, x->speakers.n, frames > 0 ? gain / frames : 0);
  if (n == 0)
    sn_warn(x->t->log,
            "no speaker has the %.0f frames of speech that a transform takes "
            "(--sat-min-frames)",
            x->t->o->sat_min_frames);
  return SN_OK;
}

/* ---- The stage ---- */

static bool adapts(int n) { return n == 2 || n == 4 || n == 6 || n == 12; }
static bool aligns(int n) { return n == 10 || n == 20 || n == 30; }

static sn_status passes(sat *x, const char *exp, int done, sn_err *err) {
  sni_trainer *const t = x->t;
  const size_t from = (size_t)t->tied.n_pdfs;
  for (int n = done + 1; n <= t->o->sat_passes; n++) {
    if (adapts(n)) SN_TRY(adapt(x, err));
    SN_TRY(sni_pass(
        t, n, aligns(n) ? SNI_VITERBI : SNI_KEEP,
        sni_target_at(from, (size_t)t->o->sat_gauss, n, t->o->sat_passes),
        t->o->min_occ, err));
    SN_TRY(sni_checkpoint_write(t, exp, n, err));
  }
  return SN_OK;
}

static sn_status begin(sat *x, const char *exp, sn_err *err) {
  sni_trainer *const t = x->t;
  SN_TRY(sni_stage_load(t, exp, "lda", err));
  SN_TRY(sni_tables(t, err));
  SN_TRY(sni_realign_all(t, err));
  SN_TRY(sat_init(x, err));
  SN_TRY(adapt(x, err));
  SN_TRY(sni_plant(t, t->o->sat_leaves, err));
  return sni_tables(t, err);
}

/* Features as they were: the speakers' transforms of the plain ones. */
static sn_status go_on(sat *x, sn_err *err) {
  const size_t n = x->t->speakers.n;
  SN_TRY(sat_init(x, err));
  if (x->speakers.n != n)
    return sn_fail(err, SN_EFORMAT, "the checkpoint has %zu speakers, not %zu",
                   n, x->speakers.n);
  for (size_t i = 0; i < n; i++)
    if (x->t->speakers.data[i].estimated)
      SN_TRY(
          transform_all(x, &x->speakers.data[i], &x->t->speakers.data[i], err));
  return SN_OK;
}

static sn_status run(sat *x, const char *exp, sn_err *err) {
  sni_trainer *const t = x->t;
  int done = 0;
  SN_TRY(sni_resume(t, exp, &done, err));
  SN_TRY(done == 0 ? begin(x, exp, err) : go_on(x, err));
  SN_TRY(passes(x, exp, done, err));
  sn_mixtures first = {0};
  SN_TRY(sni_pass_plain(t, x->plain, &first, err));
  t->first = &first;
  const sn_status s = sni_stage_write(t, exp, err);
  t->first = NULL;
  sn_mixtures_clear(&first);
  return s;
}

sn_status sni_run_sat(sni_trainer *t, const char *exp, sn_err *err) {
  sat x = {.t = t};
  const sn_status s = run(&x, exp, err);
  sat_clear(&x);
  return s;
}
