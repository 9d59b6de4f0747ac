/* SPDX-License-Identifier: Apache-2.0 */
/* HMMs by context: of phones alone, of a tree, of a model that is there. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/train_internal.h"

enum { S = SNI_STATES };

void sni_tied_clear(sni_tied *t) {
  sn_free(t->base_hmm);
  sn_free(t->hmm_pdfs);
  sn_free(t->hmm_tmat);
  sn_free(t->triphone);
  sn_free(t->tmats);
  memset(t, 0, sizeof *t);
}

static size_t cell(int32_t P, int32_t pos, int32_t base, int32_t left,
                   int32_t right) {
  const size_t n = (size_t)P;
  return (((size_t)pos * n + (size_t)base) * n + (size_t)left) * n +
         (size_t)right;
}

int32_t sni_tied_hmm(const sni_tied *t, const sni_seg *seg) {
  if (t->triphone != NULL && seg->phone != 0 && seg->left >= 0 &&
      seg->right >= 0) {
    const int32_t h = t->triphone[cell(t->n_phones, seg->pos, seg->phone,
                                       seg->left, seg->right)];
    if (h >= 0) return h;
  }
  return t->base_hmm[seg->phone];
}

/* Room for n_hmms HMMs; transitions stay with 3 in 4. */
static sn_status start(sni_tied *t, int32_t n_phones, size_t n_hmms,
                       bool triphones, sn_err *err) {
  const size_t P = (size_t)n_phones;
  memset(t, 0, sizeof *t);
  t->n_phones = n_phones;
  t->base_hmm = sn_calloc(P, sizeof *t->base_hmm);
  t->hmm_pdfs = sn_calloc(n_hmms * S, sizeof *t->hmm_pdfs);
  t->hmm_tmat = sn_calloc(n_hmms, sizeof *t->hmm_tmat);
  t->tmats = sn_calloc(P * S * (S + 1), sizeof *t->tmats);
  if (triphones) t->triphone = sn_calloc(4 * P * P * P, sizeof *t->triphone);
  if (t->base_hmm == NULL || t->hmm_pdfs == NULL || t->hmm_tmat == NULL ||
      t->tmats == NULL || (triphones && t->triphone == NULL)) {
    sni_tied_clear(t);
    return sn_fail_nomem(err, "HMMs");
  }
  for (size_t i = 0; i < P * S * (S + 1); i++) {
    const size_t from = i / (S + 1) % S, to = i % (S + 1);
    t->tmats[i] = to == from       ? (float)log(0.75)
                  : to == from + 1 ? (float)log(0.25)
                                   : -INFINITY;
  }
  return SN_OK;
}

sn_status sni_tied_mono(int32_t n_phones, sni_tied *t, sn_err *err) {
  SN_TRY(start(t, n_phones, (size_t)n_phones, false, err));
  t->n_hmms = n_phones;
  t->n_pdfs = n_phones * S;
  for (int32_t p = 0; p < n_phones; p++) {
    t->base_hmm[p] = t->hmm_tmat[p] = p;
    for (int32_t s = 0; s < S; s++) t->hmm_pdfs[p * S + s] = p * S + s;
  }
  return SN_OK;
}

/* The HMM of a phone in a context, shared by all that have its pdfs: a list
 * for each phone by the pdf of the first state. */
typedef struct sharing {
  sni_tied *t;
  const sn_tree *tree;
  int32_t *head; /* [P x pdfs] HMM + 1 */
  sn_arr_i32 pdfs, tmat, next;
} sharing;

static sn_status share(sharing *x, int32_t phone, int32_t left, int32_t right,
                       int32_t pos, int32_t *hmm, sn_err *err) {
  int32_t pdf[S];
  for (int32_t s = 0; s < S; s++) {
    const sn_tree_ctx c = {phone, left, right, pos, s};
    pdf[s] = sn_tree_pdf(x->tree, &c);
  }
  int32_t *const head = &x->head[phone * x->t->n_pdfs + pdf[0]];
  for (int32_t h = *head - 1; h >= 0; h = x->next.data[h] - 1)
    if (memcmp(x->pdfs.data + h * S, pdf, sizeof pdf) == 0) {
      *hmm = h;
      return SN_OK;
    }
  *hmm = (int32_t)x->tmat.n;
  for (int32_t s = 0; s < S; s++) SN_TRY(SN_ARR_PUSH(&x->pdfs, pdf[s], err));
  SN_TRY(SN_ARR_PUSH(&x->tmat, phone, err));
  SN_TRY(SN_ARR_PUSH(&x->next, *head, err));
  *head = *hmm + 1;
  return SN_OK;
}

static sn_status share_all(sharing *x, sn_err *err) {
  sni_tied *const t = x->t;
  const int32_t P = t->n_phones;
  for (int32_t b = 0; b < P; b++) /* between silences, for what is missing */
    SN_TRY(share(x, b, 0, 0, SN_POS_SINGLE, &t->base_hmm[b], err));
  for (int32_t pos = 0; pos < SN_N_POS; pos++)
    for (int32_t b = 0; b < P; b++)
      for (int32_t l = 0; l < P; l++)
        for (int32_t r = 0; r < P; r++) {
          int32_t *const to = &t->triphone[cell(P, pos, b, l, r)];
          *to = -1;
          if (b != 0) SN_TRY(share(x, b, l, r, pos, to, err));
        }
  return SN_OK;
}

sn_status sni_tied_tree(const sn_tree *tree, const sni_tied *from, sni_tied *t,
                        sn_err *err) {
  const size_t P = (size_t)from->n_phones;
  SN_TRY(start(t, from->n_phones, 1, true, err));
  memcpy(t->tmats, from->tmats, P * S * (S + 1) * sizeof *t->tmats);
  t->n_pdfs = sn_tree_n_pdfs(tree);
  sharing x = {.t = t, .tree = tree};
  x.head = sn_calloc(P * (size_t)t->n_pdfs, sizeof *x.head);
  sn_status s =
      x.head == NULL ? sn_fail_nomem(err, "HMMs") : share_all(&x, err);
  sn_free(x.head);
  SN_ARR_FREE(&x.next);
  if (s != SN_OK) {
    SN_ARR_FREE(&x.pdfs);
    SN_ARR_FREE(&x.tmat);
    sni_tied_clear(t);
    return s;
  }
  sn_free(t->hmm_pdfs);
  sn_free(t->hmm_tmat);
  t->hmm_pdfs = x.pdfs.data;
  t->hmm_tmat = x.tmat.data;
  t->n_hmms = (int32_t)x.tmat.n;
  return SN_OK;
}

sn_am_parts sni_tied_parts(const sni_tied *t) {
  return (sn_am_parts){.n_phones = t->n_phones,
                       .n_states = SNI_STATES,
                       .n_hmms = t->n_hmms,
                       .n_tmats = t->n_phones,
                       .base_hmm = t->base_hmm,
                       .hmm_tmat = t->hmm_tmat,
                       .hmm_pdfs = t->hmm_pdfs,
                       .tmats = t->tmats,
                       .triphone = t->triphone};
}

sn_status sni_tied_load(const sn_am *am, sni_tied *t, sn_err *err) {
  const int32_t P = sn_am_n_phones(am), H = sn_am_n_hmms(am);
  const bool tri = sn_am_get_info(am).n_triphones > 0;
  if (sn_am_get_info(am).n_states != S)
    return sn_fail(err, SN_EMISMATCH, "the model '%s' has HMMs of %d states",
                   sn_am_name(am), sn_am_get_info(am).n_states);
  SN_TRY(start(t, P, (size_t)H, tri, err));
  t->n_hmms = H;
  t->n_pdfs = sn_am_n_pdfs(am);
  for (int32_t h = 0; h < H; h++)
    memcpy(t->hmm_pdfs + h * S, sn_am_hmm(am, h).pdfs, S * sizeof(int32_t));
  for (int32_t b = 0; b < P; b++) {
    t->base_hmm[b] = sn_am_monophone(am, b);
    t->hmm_tmat[t->base_hmm[b]] = b;
    memcpy(t->tmats + b * S * (S + 1), sn_am_hmm(am, t->base_hmm[b]).logp,
           S * (S + 1) * sizeof(float));
  }
  for (int32_t pos = 0; tri && pos < SN_N_POS; pos++)
    for (int32_t b = 0; b < P; b++)
      for (int32_t l = 0; l < P; l++)
        for (int32_t r = 0; r < P; r++) {
          int32_t *const to = &t->triphone[cell(P, pos, b, l, r)];
          *to =
              b == 0 ? -1 : sn_am_triphone(am, b, l, r, (sn_wordpos)pos, NULL);
          if (*to >= 0) t->hmm_tmat[*to] = b;
        }
  return SN_OK;
}
