/* SPDX-License-Identifier: Apache-2.0 */
/* Speed perturbation: the utterances again, played slower and faster, by
 * speakers of their own. Source: Ko et al. 2015, "Audio augmentation for speech
 * recognition"; the names, sp0.9-ID, are those of Kaldi's
 * perturb_data_dir_speed.sh. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/train_internal.h"

typedef SN_ARR(double) speed_list;

/* The list into speeds; each is given once. */
static sn_status parse(const char *list, speed_list *speeds, sn_err *err) {
  sn_span rest = sn_span_of(list), field;
  while (sn_next_field_sep(&rest, ',', &field)) {
    double v = 0;
    if (!sn_parse_double(sn_span_trim(field), &v) || !(v >= 0.5 && v <= 2))
      return sn_fail(err, SN_EARG,
                     "--speed=%s: '%.*s' is not a number from 0.5 to 2", list,
                     (int)field.n, field.p);
    for (size_t i = 0; i < speeds->n; i++)
      if (fabs(speeds->data[i] - v) < 1e-6)
        return sn_fail(err, SN_EARG, "--speed=%s: %g is there twice", list, v);
    SN_TRY(SN_ARR_PUSH(speeds, v, err));
  }
  return SN_OK;
}

static sn_status name_of(sni_corpus *c, double speed, const char *name,
                         const char **out, sn_err *err) {
  sn_str s = {0};
  sn_status status = sn_str_addf(&s, err, "sp%g-%s", speed, name);
  if (status == SN_OK) {
    *out = sn_arena_strndup(&c->names, s.data, s.n);
    if (*out == NULL) status = sn_fail_nomem(err, "names");
  }
  sn_str_clear(&s);
  return status;
}

/* u becomes what it is at a speed. */
static sn_status perturb(sni_corpus *c, sni_utt *u, double speed, sn_err *err) {
  u->speed = speed;
  if (speed == 1.0) return SN_OK;
  SN_TRY(name_of(c, speed, u->id, &u->id, err));
  return name_of(c, speed, u->speaker, &u->speaker, err);
}

static sn_status copy_at(sni_corpus *c, size_t i, double speed, sn_err *err) {
  sni_utt *const u = &c->utts[c->n];
  int32_t *const words = sn_calloc(c->utts[i].n_words, sizeof *words);
  if (words == NULL) return sn_fail_nomem(err, "transcripts");
  *u = c->utts[i];
  memcpy(words, u->words, u->n_words * sizeof *words);
  u->words = words;
  c->n++;
  return perturb(c, u, speed, err);
}

static sn_status copy_all(sni_corpus *c, const speed_list *speeds,
                          sn_err *err) {
  const size_t n = c->n;
  sni_utt *const utts = sn_calloc(n, speeds->n * sizeof *utts);
  if (utts == NULL) return sn_fail_nomem(err, "corpus");
  memcpy(utts, c->utts, n * sizeof *utts);
  sn_free(c->utts);
  c->utts = utts;
  for (size_t k = 1; k < speeds->n; k++)
    for (size_t i = 0; i < n; i++) SN_TRY(copy_at(c, i, speeds->data[k], err));
  for (size_t i = 0; i < n; i++)
    SN_TRY(perturb(c, &c->utts[i], speeds->data[0], err));
  return SN_OK;
}

sn_status sni_corpus_perturb(sni_corpus *c, const char *list, sn_err *err) {
  speed_list speeds = {0};
  sn_status s = parse(list, &speeds, err);
  if (s == SN_OK) s = copy_all(c, &speeds, err);
  SN_ARR_FREE(&speeds);
  return s;
}
