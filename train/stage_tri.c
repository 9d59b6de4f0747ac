/* SPDX-License-Identifier: Apache-2.0 */
/* Stage tri: triphones tied by trees, from the monophones' alignment. */
#include "train/train_internal.h"

static sn_status begin(sni_trainer *t, const char *exp, sn_err *err) {
  SN_TRY(sni_stage_load(t, exp, "mono", err));
  SN_TRY(sni_tables(t, err));
  SN_TRY(sni_realign_all(t, err));
  SN_TRY(sni_plant(t, t->o->tri_leaves, err));
  return sni_tables(t, err);
}

sn_status sni_run_tri(sni_trainer *t, const char *exp, sn_err *err) {
  int done = 0;
  SN_TRY(sni_resume(t, exp, &done, err));
  if (done == 0) SN_TRY(begin(t, exp, err));
  const size_t from = (size_t)t->tied.n_pdfs;
  for (int n = done + 1; n <= t->o->tri_passes; n++) {
    SN_TRY(sni_pass(
        t, n, n == 10 || n == 20 || n == 30 ? SNI_VITERBI : SNI_KEEP,
        sni_target_at(from, (size_t)t->o->tri_gauss, n, t->o->tri_passes),
        t->o->min_occ, err));
    SN_TRY(sni_checkpoint_write(t, exp, n, err));
  }
  return sni_stage_write(t, exp, err);
}
