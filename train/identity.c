/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums that tell whether a run is the one that was begun. */
#include <string.h>

#include "train/checkpoint_internal.h"

static uint32_t add_text(uint32_t crc, const char *s) {
  return sn_crc32(crc, s, strlen(s) + 1);
}

uint32_t sni_corpus_crc(const sni_corpus *c, bool with_frames) {
  uint32_t crc = 0;
  for (size_t i = 0; i < c->n; i++) {
    const sni_utt *const u = &c->utts[i];
    crc = add_text(crc, u->id);
    crc = add_text(crc, u->speaker);
    for (size_t k = 0; k < u->n_words; k++)
      crc = add_text(crc, sn_symtab_get(c->lex.words, u->words[k]));
    for (size_t f = 0; with_frames && f < u->base.rows; f++)
      crc = sn_crc32(crc, sn_mat_row(u->base, f), u->base.cols * sizeof(float));
  }
  return crc;
}

static uint32_t lexicon_crc(uint32_t crc, const sn_lexicon *lex) {
  for (int32_t i = 0; i < sn_symtab_n(lex->phones); i++)
    crc = add_text(crc, sn_symtab_get(lex->phones, i));
  for (int32_t i = 0; i < sn_symtab_n(lex->words); i++)
    crc = add_text(crc, sn_symtab_get(lex->words, i));
  crc = sn_crc32(crc, lex->prons.data, lex->prons.n * sizeof *lex->prons.data);
  return sn_crc32(crc, lex->phone_ids.data,
                  lex->phone_ids.n * sizeof *lex->phone_ids.data);
}

/* These change nothing in the passes. */
static bool is_idle(const char *name) {
  static const char *const names[] = {"jobs", "lm-scale", "word-penalty",
                                      "estimate-silence", "check-transcripts"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

static sn_status options_crc(const sn_train_opts *o, uint32_t *crc,
                             sn_err *err) {
  sn_str text = {0};
  sn_status s = SN_OK;
  for (const sn_opt *p = sn_train_opt_table; s == SN_OK && p->name != NULL;
       p++) {
    if (is_idle(p->name)) continue;
    sn_str_reset(&text);
    s = sn_opt_get(p, o, &text, err);
    *crc = add_text(*crc, p->name);
    if (s == SN_OK) *crc = add_text(*crc, sn_str_get(&text));
  }
  sn_str_clear(&text);
  return s;
}

static sn_status model_crc(const char *exp, const char *before, uint32_t *crc,
                           sn_err *err) {
  static const char *const files[] = {"am.bin", "final.mat"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char *path = NULL;
    sn_map map = {0};
    SN_TRY(sni_stage_path(exp, before, files[i], &path, err));
    const bool there = sn_file_exists(path);
    sn_status s = there ? sn_map_open(path, &map, err) : SN_OK;
    sn_free(path);
    SN_TRY(s);
    *crc = sn_crc32(*crc, map.data, map.n);
    if (there) sn_map_close(&map);
  }
  return SN_OK;
}

sn_status sni_run_identity(const sni_trainer *t, const char *exp,
                           const char *before, uint32_t *out, sn_err *err) {
  uint32_t crc = sni_corpus_crc(t->corpus, true);
  crc = lexicon_crc(crc, &t->corpus->lex);
  SN_TRY(options_crc(t->o, &crc, err));
  if (before != NULL) SN_TRY(model_crc(exp, before, &crc, err));
  *out = crc;
  return SN_OK;
}
