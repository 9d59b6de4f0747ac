/* SPDX-License-Identifier: Apache-2.0 */
/* A result of the library as text in one of the output formats. */
#include "base/mem.h"
#include "cli/transcribe_internal.h"

/* Arrays that an sn_out_utt points to. */
typedef struct parts {
  sn_out_word *words;
  sn_out_phone *phones;
  sn_out_alternative *alternatives;
  sn_out_sentence *sentences;
} parts;

static void parts_free(parts *p) {
  sn_free(p->words);
  sn_free(p->phones);
  sn_free(p->alternatives);
  sn_free(p->sentences);
}

static sn_status parts_make(const senone_result *r, parts *p, sn_err *err) {
  const size_t n_others = senone_result_n_alternatives(r);
  p->words = sn_calloc(senone_result_n_words(r), sizeof *p->words);
  p->phones = sn_calloc(senone_result_n_phones(r), sizeof *p->phones);
  p->alternatives = sn_calloc(n_others, sizeof *p->alternatives);
  p->sentences = sn_calloc(senone_result_n_sentences(r), sizeof *p->sentences);
  if (p->words == NULL || p->phones == NULL || p->alternatives == NULL ||
      p->sentences == NULL)
    return sn_fail_nomem(err, "result");
  for (size_t i = 0; i < n_others; i++) {
    const senone_alternative *const x = senone_result_alternative(r, i);
    p->alternatives[i] = (sn_out_alternative){x->word, x->posterior};
  }
  for (size_t i = 0; i < senone_result_n_words(r); i++) {
    const senone_word *const w = senone_result_word(r, i);
    p->words[i] =
        (sn_out_word){.text = w->word,
                      .begin_s = w->begin_s,
                      .end_s = w->end_s,
                      .graph_cost = w->graph_cost,
                      .acoustic_cost = w->acoustic_cost,
                      .has_confidence = w->confidence >= 0.0,
                      .confidence = w->confidence,
                      .alternatives = p->alternatives + w->first_alternative,
                      .n_alternatives = w->n_alternatives};
  }
  for (size_t i = 0; i < senone_result_n_phones(r); i++) {
    const senone_phone *const x = senone_result_phone(r, i);
    p->phones[i] = (sn_out_phone){x->phone, x->begin_s, x->end_s, x->word < 0};
  }
  for (size_t i = 0; i < senone_result_n_sentences(r); i++) {
    const senone_sentence *const x = senone_result_sentence(r, i);
    p->sentences[i] = (sn_out_sentence){x->text, x->graph_cost,
                                        x->acoustic_cost, x->posterior};
  }
  return SN_OK;
}

sn_status sni_format_result(sn_out_format format, const char *id,
                            const senone_result *r, sn_str *out, sn_err *err) {
  parts p = {0};
  sn_status s = parts_make(r, &p, err);
  if (s == SN_OK) {
    const uint32_t flags = senone_result_flags(r);
    const sn_out_utt u = {.id = id,
                          .words = p.words,
                          .n_words = senone_result_n_words(r),
                          .phones = p.phones,
                          .n_phones = senone_result_n_phones(r),
                          .begin_s = senone_result_begin_s(r),
                          .end_s = senone_result_end_s(r),
                          .graph_cost = senone_result_graph_cost(r),
                          .acoustic_cost = senone_result_acoustic_cost(r),
                          .no_path = (flags & SENONE_RESULT_NO_PATH) != 0,
                          .incomplete = (flags & SENONE_RESULT_INCOMPLETE) != 0,
                          .no_speech = (flags & SENONE_RESULT_NO_SPEECH) != 0,
                          .rescored = (flags & SENONE_RESULT_RESCORED) != 0,
                          .sentences = p.sentences,
                          .n_sentences = senone_result_n_sentences(r)};
    s = sn_out_add(format, &u, out, err);
  }
  parts_free(&p);
  return s;
}
