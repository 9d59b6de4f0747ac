/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/units.c - HMMs of triphones as rows of labels.
 *
 * A model has far fewer distinct HMMs than triphones (en-us: 29,324 rows of
 * senones for 137,053 triphones), and the graph is built of what is distinct:
 * a label stands for pdf, transition matrix, phone, HMM state and position in
 * the word; a unit for a row of labels. Triphones are asked for once each and
 * kept in a table, which is touched only where it is used. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graphs/build_internal.h"

/* The table of triphones then spans 2 GiB, of which little is touched. */
enum { MAX_PHONES = 512 };

int32_t sni_cost(double nats) {
  const double c = nats * SNI_COST_ONE;
  if (!(c < SNI_COST_INF / 4.0)) return SNI_COST_INF;
  return c < -SNI_COST_INF / 4.0 ? -SNI_COST_INF / 4 : (int32_t)lrint(c);
}

static uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

sn_status sni_units_init(sni_units *u, const sni_hmms *hmms, double scale,
                         sn_err *err) {
  memset(u, 0, sizeof *u);
  u->hmms = hmms;
  u->scale = scale;
  const size_t p = (size_t)hmms->n_phones;
  if (p == 0 || p > MAX_PHONES)
    return sn_fail(err, SN_ELIMIT,
                   "the acoustic model has %zu phones; the graph compiler "
                   "takes 1 to %d",
                   p, MAX_PHONES);
  u->triphones = sn_calloc(SN_N_POS * p * p * p, sizeof *u->triphones);
  u->monophones = sn_calloc(p, sizeof *u->monophones);
  u->label_mask = u->unit_mask = 4095;
  u->label_hash = sn_calloc(u->label_mask + 1, sizeof *u->label_hash);
  u->unit_hash = sn_calloc(u->unit_mask + 1, sizeof *u->unit_hash);
  if (u->triphones == NULL || u->monophones == NULL || u->label_hash == NULL ||
      u->unit_hash == NULL) {
    sni_units_clear(u);
    return sn_fail_nomem(err, "table of triphones");
  }
  return SN_OK;
}

void sni_units_clear(sni_units *u) {
  SN_ARR_FREE(&u->labels);
  SN_ARR_FREE(&u->label_tmats);
  SN_ARR_FREE(&u->units);
  SN_ARR_FREE(&u->unit_labels);
  SN_ARR_FREE(&u->tmats);
  SN_ARR_FREE(&u->tmat_states);
  SN_ARR_FREE(&u->costs);
  SN_ARR_FREE(&u->logps);
  SN_ARR_FREE(&u->loop);
  sn_free(u->label_hash);
  sn_free(u->unit_hash);
  sn_free(u->triphones);
  sn_free(u->monophones);
  memset(u, 0, sizeof *u);
}

/* The number of a transition matrix among the distinct ones. Models have one a
 * phone or so, and each unit asks once: a walk over all is enough. */
static sn_status tmat_of(sni_units *u, const sn_hmm *h, int32_t *out,
                         sn_err *err) {
  const size_t s = (size_t)h->n_states, n = s * (s + 1);
  for (size_t i = 0; i < u->tmats.n; i++) {
    if (u->tmat_states.data[i] == h->n_states &&
        memcmp(&u->logps.data[u->tmats.data[i]], h->logp,
               n * sizeof *h->logp) == 0) {
      *out = (int32_t)i;
      return SN_OK;
    }
  }
  const size_t at = u->costs.n;
  SN_TRY(SN_ARR_RESIZE(&u->costs, at + n, err));
  SN_TRY(SN_ARR_RESIZE(&u->loop, at + n, err));
  SN_TRY(SN_ARR_RESIZE(&u->logps, at + n, err));
  for (size_t i = 0; i < n; i++) {
    const double nats = -(double)h->logp[i] / u->scale;
    u->logps.data[at + i] = h->logp[i];
    u->costs.data[at + i] = sni_cost(nats);
    u->loop.data[at + i] = (float)nats;
  }
  SN_TRY(SN_ARR_PUSH(&u->tmats, (int32_t)at, err));
  SN_TRY(SN_ARR_PUSH(&u->tmat_states, h->n_states, err));
  *out = (int32_t)u->tmats.n - 1;
  return SN_OK;
}

static uint64_t label_hash(const sn_graph_label *l, int32_t tmat) {
  uint64_t h = mix(1, (uint32_t)l->pdf);
  h = mix(h, (uint32_t)l->phone);
  h = mix(h, (uint64_t)l->hmm_state << 8 | l->wordpos);
  return mix(h, (uint32_t)tmat);
}

static bool label_equal(const sn_graph_label *a, const sn_graph_label *b) {
  return a->pdf == b->pdf && a->phone == b->phone &&
         a->hmm_state == b->hmm_state && a->wordpos == b->wordpos &&
         a->is_filler == b->is_filler;
}

/* Doubles a table of ids once it is half full. */
static sn_status grow_hash(uint32_t **table, size_t *mask, size_t n,
                           uint64_t (*hash)(const sni_units *, size_t),
                           const sni_units *u, sn_err *err) {
  if (n * 2 <= *mask) return SN_OK;
  const size_t new_mask = *mask * 2 + 1;
  uint32_t *t = sn_calloc(new_mask + 1, sizeof *t);
  if (t == NULL) return sn_fail_nomem(err, "table of HMMs");
  for (size_t i = 0; i < n; i++) {
    size_t at = hash(u, i) & new_mask;
    while (t[at] != 0) at = (at + 1) & new_mask;
    t[at] = (uint32_t)i + 1;
  }
  sn_free(*table);
  *table = t;
  *mask = new_mask;
  return SN_OK;
}

static uint64_t hash_of_label(const sni_units *u, size_t i) {
  return label_hash(&u->labels.data[i], u->label_tmats.data[i]);
}

static sn_status label_of(sni_units *u, const sn_graph_label *l, int32_t tmat,
                          int32_t *out, sn_err *err) {
  SN_TRY(grow_hash(&u->label_hash, &u->label_mask, u->labels.n, hash_of_label,
                   u, err));
  size_t at = label_hash(l, tmat) & u->label_mask;
  for (; u->label_hash[at] != 0; at = (at + 1) & u->label_mask) {
    const size_t i = u->label_hash[at] - 1;
    if (u->label_tmats.data[i] == tmat && label_equal(&u->labels.data[i], l)) {
      *out = (int32_t)i;
      return SN_OK;
    }
  }
  SN_TRY(SN_ARR_RESERVE(&u->label_tmats, u->labels.n + 1, err));
  SN_TRY(SN_ARR_PUSH(&u->labels, *l, err));
  SN_TRY(SN_ARR_PUSH(&u->label_tmats, tmat, err));
  u->label_hash[at] = (uint32_t)u->labels.n;
  *out = (int32_t)u->labels.n - 1;
  return SN_OK;
}

static uint64_t row_hash(const int32_t *labels, int32_t n) {
  uint64_t h = 7;
  for (int32_t i = 0; i < n; i++) h = mix(h, (uint32_t)labels[i]);
  return h;
}

static uint64_t hash_of_unit(const sni_units *u, size_t i) {
  const sni_unit *x = &u->units.data[i];
  return row_hash(&u->unit_labels.data[x->first_label], x->n_states);
}

static sn_status unit_of(sni_units *u, int32_t hmm, int32_t phone,
                         sn_wordpos pos, bool is_filler, int32_t *out,
                         sn_err *err) {
  const sn_hmm h = u->hmms->hmm(u->hmms->user, hmm);
  if (h.n_states < 1 || h.n_states > SNI_MAX_HMM_STATES)
    return sn_fail(err, SN_ELIMIT,
                   "HMM %d (phone %s) has %d states; the graph compiler takes "
                   "1 to %d",
                   hmm, u->hmms->phone(u->hmms->user, phone), h.n_states,
                   SNI_MAX_HMM_STATES);
  int32_t tmat = 0, row[SNI_MAX_HMM_STATES];
  SN_TRY(tmat_of(u, &h, &tmat, err));
  const int32_t at_cost = u->tmats.data[tmat];
  for (int32_t j = 0; j < h.n_states; j++) {
    const sn_graph_label l = {
        .pdf = h.pdfs[j],
        .loop_cost = u->loop.data[at_cost + j * (h.n_states + 1) + j],
        .phone = phone,
        .hmm_state = (uint8_t)j,
        .wordpos = (uint8_t)pos,
        .is_filler = is_filler,
        .is_entry = j == 0};
    if (l.pdf < 0 || l.pdf >= u->hmms->n_pdfs)
      return sn_fail(err, SN_EMISMATCH, "HMM %d state %d: pdf %d of %d", hmm, j,
                     l.pdf, u->hmms->n_pdfs);
    SN_TRY(label_of(u, &l, tmat, &row[j], err));
  }
  SN_TRY(grow_hash(&u->unit_hash, &u->unit_mask, u->units.n, hash_of_unit, u,
                   err));
  size_t at = row_hash(row, h.n_states) & u->unit_mask;
  for (; u->unit_hash[at] != 0; at = (at + 1) & u->unit_mask) {
    const int32_t i = (int32_t)u->unit_hash[at] - 1;
    const sni_unit *x = &u->units.data[i];
    if (x->n_states == h.n_states &&
        memcmp(&u->unit_labels.data[x->first_label], row,
               (size_t)h.n_states * sizeof *row) == 0) {
      *out = i;
      return SN_OK;
    }
  }
  const sni_unit x = {(int32_t)u->unit_labels.n, h.n_states, tmat};
  SN_TRY(SN_ARR_RESERVE(&u->unit_labels, u->unit_labels.n + (size_t)h.n_states,
                        err));
  SN_TRY(SN_ARR_PUSH(&u->units, x, err));
  memcpy(&u->unit_labels.data[u->unit_labels.n], row,
         (size_t)h.n_states * sizeof *row);
  u->unit_labels.n += (size_t)h.n_states;
  u->unit_hash[at] = (uint32_t)u->units.n;
  *out = (int32_t)u->units.n - 1;
  return SN_OK;
}

sn_status sni_units_triphone(sni_units *u, int32_t base, int32_t left,
                             int32_t right, sn_wordpos pos, int32_t *unit,
                             sn_err *err) {
  const size_t p = (size_t)u->hmms->n_phones;
  int32_t *known =
      &u->triphones[(((size_t)pos * p + (size_t)base) * p + (size_t)left) * p +
                    (size_t)right];
  if (*known == 0) {
    int32_t id = 0;
    const int32_t hmm =
        u->hmms->triphone(u->hmms->user, base, left, right, pos);
    SN_TRY(unit_of(u, hmm, base, pos, false, &id, err));
    *known = id + 1;
  }
  *unit = *known - 1;
  return SN_OK;
}

sn_status sni_units_filler(sni_units *u, int32_t phone, int32_t *unit,
                           sn_err *err) {
  if (u->monophones[phone] == 0) {
    int32_t id = 0;
    SN_TRY(unit_of(u, u->hmms->monophone(u->hmms->user, phone), phone,
                   SN_POS_SINGLE, true, &id, err));
    u->monophones[phone] = id + 1;
  }
  *unit = u->monophones[phone] - 1;
  return SN_OK;
}

int sni_units_compare(const sni_units *u, int32_t a, int32_t b) {
  if (a == b) return 0;
  const sni_unit *x = &u->units.data[a], *y = &u->units.data[b];
  const int32_t *p = &u->unit_labels.data[x->first_label];
  const int32_t *q = &u->unit_labels.data[y->first_label];
  const int32_t n = x->n_states < y->n_states ? x->n_states : y->n_states;
  for (int32_t i = 0; i < n; i++)
    if (p[i] != q[i]) return p[i] < q[i] ? -1 : 1;
  return (x->n_states > y->n_states) - (x->n_states < y->n_states);
}
