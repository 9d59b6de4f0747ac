/* SPDX-License-Identifier: Apache-2.0 */
/* Alignments as text (docs/alignment.md). */
#include "train/align_output.h"

#include <math.h>

#include "base/mem.h"
#include "decoder/output.h"

static sn_status own_format(const char *id, const sn_alignment *a, sn_str *out,
                            sn_err *err) {
  const double n = a->n_frames > 0 ? (double)a->n_frames : 1;
  SN_TRY(sn_str_addf(out, err,
                     "utterance %s frames %lld beam %g loglik %.3f margin "
                     "%.3f\n",
                     id, (long long)a->n_frames, (double)a->beam, a->loglik / n,
                     a->margin / n));
  size_t w = 0;
  for (size_t i = 0; i < a->n_phones; i++) {
    const sn_align_phone *const p = &a->phones[i];
    for (; w < a->n_words && p->word == (int32_t)w; w++)
      SN_TRY(sn_str_addf(out, err, "word %.3f %.3f %s\n", a->words[w].begin_s,
                         a->words[w].end_s, a->words[w].text));
    SN_TRY(sn_str_addf(out, err, "%s %.3f %.3f %s\n",
                       p->word < 0 ? "filler" : "phone", p->begin_s, p->end_s,
                       p->name));
  }
  return SN_OK;
}

static sn_status ctm_phones(const char *id, const sn_alignment *a, sn_str *out,
                            sn_err *err) {
  for (size_t i = 0; i < a->n_phones; i++)
    SN_TRY(sn_str_addf(
        out, err, "%s 1 %.3f %.3f %s\n", id, a->phones[i].begin_s,
        a->phones[i].end_s - a->phones[i].begin_s, a->phones[i].name));
  return SN_OK;
}

static sn_status common_format(sn_out_format f, const char *id,
                               const sn_alignment *a, sn_str *out,
                               sn_err *err) {
  sn_out_word *const words = sn_calloc(a->n_words, sizeof *words);
  sn_out_phone *const phones = sn_calloc(a->n_phones, sizeof *phones);
  sn_status s = SN_ENOMEM;
  if (words == NULL || phones == NULL) {
    (void)sn_fail_nomem(err, "alignment");
  } else {
    for (size_t i = 0; i < a->n_words; i++)
      words[i] = (sn_out_word){.text = a->words[i].text,
                               .begin_s = a->words[i].begin_s,
                               .end_s = a->words[i].end_s,
                               .graph_cost = NAN,
                               .acoustic_cost = -a->words[i].loglik};
    for (size_t i = 0; i < a->n_phones; i++)
      phones[i] = (sn_out_phone){a->phones[i].name, a->phones[i].begin_s,
                                 a->phones[i].end_s, a->phones[i].word < 0};
    const sn_out_utt u = {.id = id,
                          .words = words,
                          .n_words = a->n_words,
                          .phones = phones,
                          .n_phones = a->n_phones,
                          .end_s = a->audio_s,
                          .graph_cost = NAN, /* there is no language model */
                          .acoustic_cost = -a->loglik};
    s = sn_out_add(f, &u, out, err);
  }
  sn_free(words);
  sn_free(phones);
  return s;
}

static sn_out_format common(sn_align_form f) {
  return f == SN_ALIGN_CTM    ? SN_OUT_CTM
         : f == SN_ALIGN_JSON ? SN_OUT_JSON
         : f == SN_ALIGN_SRT  ? SN_OUT_SRT
         : f == SN_ALIGN_VTT  ? SN_OUT_VTT
                              : SN_OUT_TEXTGRID;
}

bool sn_align_many(sn_align_form f) {
  return f == SN_ALIGN_OWN || f == SN_ALIGN_CTM_PHONES ||
         sn_out_many(common(f));
}

const char *sn_align_ending(sn_align_form f) {
  static const char *const endings[] = {"ali",  "ctm", "ctm", "TextGrid",
                                        "json", "srt", "vtt"};
  return endings[f];
}

sn_status sn_align_format(sn_align_form f, const char *id,
                          const sn_alignment *a, sn_str *out, sn_err *err) {
  if (f == SN_ALIGN_OWN) return own_format(id, a, out, err);
  if (f == SN_ALIGN_CTM_PHONES) return ctm_phones(id, a, out, err);
  return common_format(common(f), id, a, out, err);
}
