/* SPDX-License-Identifier: Apache-2.0 */
/* Stage mono: monophones from a flat start. */
#include <math.h>

#include "base/mem.h"
#include "train/train_internal.h"

/* One Gaussian each: that of all frames. */
static sn_status start_mono(sni_trainer *t, sn_err *err) {
  const sni_corpus *const c = t->corpus;
  const size_t D = c->dim;
  SN_TRY(sni_tied_mono(c->n_phones, &t->tied, err));
  const size_t N = (size_t)t->tied.n_pdfs;
  int32_t *const ones = sn_calloc(N, sizeof *ones);
  double *const sum = sn_calloc(2 * D, sizeof *sum);
  t->occ = sn_calloc(N, sizeof *t->occ);
  double n = 0;
  sn_status s = ones == NULL || sum == NULL || t->occ == NULL
                    ? sn_fail_nomem(err, "monophones")
                    : SN_OK;
  for (size_t i = 0; s == SN_OK && i < N; i++) ones[i] = 1;
  if (s == SN_OK) s = sn_mixtures_init(&t->mix, N, D, ones, err);
  for (size_t i = 0; s == SN_OK && i < c->n; i++)
    for (size_t f = 0; f < c->utts[i].feats.rows; f++, n++)
      for (size_t d = 0; d < D; d++) {
        const double v = (double)sn_mat_row(c->utts[i].feats, f)[d];
        sum[d] += v;
        sum[D + d] += v * v;
      }
  if (s == SN_OK && n < 1)
    s = sn_fail(err, SN_EMISMATCH, "the recordings have not one frame");
  for (size_t d = 0; s == SN_OK && d < D; d++) {
    const double mean = sum[d] / n, var = sum[D + d] / n - mean * mean;
    if (!(var > 1e-8))
      s = sn_fail(err, SN_EMISMATCH,
                  "feature %zu is the same in all %.0f frames: the recordings "
                  "are silent, or no recordings of speech",
                  d, n);
    for (size_t i = 0; i < N; i++) {
      t->mix.weights[i] = 1;
      t->mix.means[i * D + d] = (float)mean;
      t->mix.vars[i * D + d] = (float)fmax(var, t->o->var_floor);
    }
  }
  sn_free(ones);
  sn_free(sum);
  return s;
}

/* When the corpus is aligned anew: often at first, then seldom. */
static bool mono_aligns(int n) {
  static const uint8_t at[] = {12, 14, 16, 18, 20, 23, 26, 29, 32, 35, 38};
  if (n <= 10) return true;
  for (size_t i = 0; i < sizeof at; i++)
    if (at[i] == n) return true;
  return false;
}

/* Transcripts are checked while each state has one Gaussian: later the model
 * has learnt wrong ones. */
enum { CHECKED_PASS = 4 };

static sn_status check(sni_trainer *t, int n, sn_err *err) {
  const int at =
      t->o->mono_passes < CHECKED_PASS ? t->o->mono_passes : CHECKED_PASS;
  if (n != at || !t->o->check_transcripts) return SN_OK;
  if (t->o->statistics == SN_STATISTICS_BAUM_WELCH) /* else aligned in pass n */
    SN_TRY(sni_realign_all(t, err));
  return sni_check_fit(t, err);
}

sn_status sni_run_mono(sni_trainer *t, const char *exp, sn_err *err) {
  int done = 0;
  SN_TRY(sni_resume(t, exp, &done, err));
  if (done == 0) {
    SN_TRY(start_mono(t, err));
    SN_TRY(sni_tables(t, err));
    SN_TRY(sni_pass(t, 0, SNI_FLAT, 0, 3, err));
  }
  const size_t from = (size_t)t->tied.n_pdfs;
  for (int n = done + 1; n <= t->o->mono_passes; n++) {
    const bool grows = n > CHECKED_PASS;
    SN_TRY(sni_pass(t, n, mono_aligns(n) ? SNI_VITERBI : SNI_KEEP,
                    grows ? sni_target_at(from, (size_t)t->o->mono_gauss, n,
                                          t->o->mono_passes)
                          : 0,
                    t->o->min_occ, err));
    SN_TRY(check(t, n, err));
    SN_TRY(sni_checkpoint_write(t, exp, n, err));
  }
  return sni_stage_write(t, exp, err);
}
