/* SPDX-License-Identifier: Apache-2.0 */
/* Which words of a hypothesis with confidences are right. */
#include <string.h>

#include "base/mem.h"
#include "score/score.h"

static void mark_word(const sn_conf_word *words, size_t n, size_t i,
                      bool is_right, sn_score_marks *out) {
  if (words[i].posterior < 0.0) {
    out->n_without++;
    return;
  }
  out->confidence[out->n] = words[i].posterior;
  out->right[out->n] = is_right;
  sn_conf_features(words, n, i, out->features[out->n]);
  out->n++;
}

static sn_status mark_utt(const sn_transcripts *ref, int32_t r,
                          const sn_transcripts *hyp, int32_t h,
                          sn_align_costs costs, sn_score_marks *out,
                          sn_err *err) {
  size_t n_ref = 0, n_hyp = 0, n_ops = 0;
  const int32_t *const a = sn_transcripts_words(ref, r, &n_ref);
  const int32_t *const b = sn_transcripts_words(hyp, h, &n_hyp);
  const sn_conf_word *const words = hyp->marks.data + hyp->utts.data[h].first;
  unsigned char *const ops = sn_calloc(n_ref + n_hyp + 1, 1);
  if (ops == NULL) return sn_fail_nomem(err, "confidences");
  sn_score_counts counts;
  const sn_status s =
      sn_align(a, n_ref, b, n_hyp, costs, &counts, ops, &n_ops, err);
  for (size_t k = 0, i = 0; s == SN_OK && k < n_ops; k++)
    if (ops[k] != SN_DEL) mark_word(words, n_hyp, i++, ops[k] == SN_COR, out);
  sn_free(ops);
  return s;
}

sn_status sn_score_mark(const sn_transcripts *ref, const sn_transcripts *hyp,
                        sn_align_costs costs, sn_score_marks *out,
                        sn_err *err) {
  memset(out, 0, sizeof *out);
  const size_t n = hyp->marks.n;
  if (n == 0) return SN_OK;
  out->confidence = sn_calloc(n, sizeof *out->confidence);
  out->right = sn_calloc(n, sizeof *out->right);
  out->features = sn_calloc(n, sizeof *out->features);
  sn_status s = SN_OK;
  if (out->confidence == NULL || out->right == NULL || out->features == NULL)
    s = sn_fail_nomem(err, "confidences");
  for (size_t u = 0; s == SN_OK && u < ref->utts.n; u++) {
    const char *const id = sn_symtab_get(ref->ids, (int32_t)u);
    const int32_t h = sn_symtab_find(hyp->ids, id, strlen(id));
    if (h >= 0) s = mark_utt(ref, (int32_t)u, hyp, h, costs, out, err);
  }
  if (s != SN_OK)
    sn_score_marks_clear(out);
  else
    out->nce = sn_conf_nce(out->confidence, out->right, out->n);
  return s;
}

void sn_score_marks_clear(sn_score_marks *m) {
  sn_free(m->confidence);
  sn_free(m->right);
  sn_free(m->features);
  memset(m, 0, sizeof *m);
}
