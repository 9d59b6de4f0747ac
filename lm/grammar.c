/* SPDX-License-Identifier: Apache-2.0 */
/* Grammars and word lists from files. */
#include "lm/grammar.h"

#include <math.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "lm/jsgf_internal.h"

void sn_grammar_clear(sn_grammar *g) {
  sn_symtab_destroy(g->words);
  SN_ARR_FREE(&g->arcs);
  sn_free(g->name);
  memset(g, 0, sizeof *g);
}

sn_status sn_grammar_parse_jsgf(const char *text, size_t n, const char *name,
                                const char *rule, sn_grammar *out,
                                sn_err *err) {
  memset(out, 0, sizeof *out);
  sni_jsgf g = {.path = name};
  sn_status s = sni_jsgf_parse(&g, text, n, err);
  if (s == SN_OK) s = sni_jsgf_build(&g, rule, out, err);
  sni_jsgf_clear(&g);
  if (s != SN_OK) sn_grammar_clear(out);
  return s;
}

sn_status sn_grammar_load_jsgf(const char *path, const char *rule,
                               sn_grammar *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  char *text = NULL;
  size_t n = 0;
  SN_TRY(sn_file_read(path, &text, &n, err));
  const sn_status s = sn_grammar_parse_jsgf(text, n, path, rule, out, err);
  sn_free(text);
  return s;
}

/* ---- Word lists ---- */

/* One phrase from state 0 back to it. */
static sn_status add_phrase(sn_grammar *g, sn_span line, sn_err *err) {
  sn_span field;
  int32_t at = 0;
  bool more = sn_next_field(&line, &field);
  while (more) {
    const sn_span word = field;
    more = sn_next_field(&line, &field);
    sn_grammar_arc arc = {at, 0, -1, 0.0f};
    SN_TRY(sn_symtab_add(g->words, word.p, word.n, &arc.word, err));
    if (more) arc.to = g->n_states++;
    SN_TRY(SN_ARR_PUSH(&g->arcs, arc, err));
    at = arc.to;
  }
  return SN_OK;
}

/* The line's words with single blanks between them, as a key. */
static sn_status phrase_key(sn_span line, sn_str *key, sn_err *err) {
  sn_span field;
  sn_str_reset(key);
  while (sn_next_field(&line, &field)) {
    if (key->n > 0) SN_TRY(sn_str_add(key, " ", 1, err));
    SN_TRY(sn_str_add(key, field.p, field.n, err));
  }
  return SN_OK;
}

static sn_status read_phrases(sn_reader *r, sn_grammar *g, sn_symtab *seen,
                              sn_str *key, sn_err *err) {
  for (;;) {
    sn_span line;
    bool more;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) return SN_OK;
    line = sn_span_trim(line);
    if (line.n == 0 || line.p[0] == '#') continue;
    size_t bad;
    if (memchr(line.p, '\0', line.n) != NULL ||
        !sn_utf8_valid(line.p, line.n, &bad))
      return sn_reader_fail(r, err, "not UTF-8 text");
    SN_TRY(phrase_key(line, key, err));
    const int32_t n_seen = sn_symtab_n(seen);
    int32_t id;
    SN_TRY(sn_symtab_add(seen, key->data, key->n, &id, err));
    if (id == n_seen) SN_TRY(add_phrase(g, line, err));
    if (g->arcs.n > INT32_MAX / 2)
      return sn_fail(err, SN_ELIMIT, "%s: too many words", sn_reader_name(r));
  }
}

/* State 0: between phrases; 1: the end. Each phrase, and the end, has
 * probability 1 / (n + 1). */
static sn_status load_words(sn_reader *r, sn_grammar *g, sn_err *err) {
  sn_symtab *seen = NULL;
  sn_str key = {0};
  g->n_states = 2;
  g->start = 0;
  g->final = 1;
  sn_status s = sn_symtab_create(&g->words, err);
  if (s == SN_OK) s = sn_symtab_create(&seen, err);
  if (s == SN_OK) s = read_phrases(r, g, seen, &key, err);
  if (s == SN_OK && g->arcs.n == 0)
    s = sn_fail(err, SN_EFORMAT, "%s: no words in it", sn_reader_name(r));
  if (s == SN_OK) {
    const float logp = (float)-log((double)sn_symtab_n(seen) + 1.0);
    for (size_t i = 0; i < g->arcs.n; i++)
      if (g->arcs.data[i].from == 0) g->arcs.data[i].logp = logp;
    const sn_grammar_arc end = {0, 1, -1, logp};
    s = SN_ARR_PUSH(&g->arcs, end, err);
  }
  sn_symtab_destroy(seen);
  sn_str_clear(&key);
  return s;
}

sn_status sn_grammar_load_words(const char *path, sn_grammar *out,
                                sn_err *err) {
  memset(out, 0, sizeof *out);
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  sn_status s = load_words(r, out, err);
  if (s == SN_OK) {
    out->name = sn_strdup(sn_path_base(path));
    if (out->name == NULL) s = sn_fail_nomem(err, "word list");
  }
  sn_reader_destroy(r);
  if (s != SN_OK) sn_grammar_clear(out);
  return s;
}
