/* SPDX-License-Identifier: Apache-2.0 */
/* Phrase lists of which one phrase is said: each is a row of arcs from state 0
 * to state 1, its probability on the first. */
#include <math.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "lm/grammar.h"

typedef struct members {
  sn_grammar *g;
  sn_symtab *seen; /* phrases, words with single blanks between them */
  sn_str key;
  SN_ARR(double) weight; /* [phrases] */
  bool has_weights;
} members;

static sn_status add_phrase(members *m, sn_span phrase, sn_err *err) {
  sn_grammar *const g = m->g;
  sn_span field;
  int32_t at = g->start;
  bool more = sn_next_field(&phrase, &field);
  while (more) {
    const sn_span word = field;
    more = sn_next_field(&phrase, &field);
    sn_grammar_arc arc = {at, g->final, -1, 0.0f};
    SN_TRY(sn_symtab_add(g->words, word.p, word.n, &arc.word, err));
    if (more) arc.to = g->n_states++;
    SN_TRY(SN_ARR_PUSH(&g->arcs, arc, err));
    at = arc.to;
  }
  return SN_OK;
}

/* The phrase as a key; *is_new: not seen before. */
static sn_status note_phrase(members *m, sn_span phrase, bool *is_new,
                             sn_err *err) {
  sn_span field;
  int32_t id;
  sn_str_reset(&m->key);
  while (sn_next_field(&phrase, &field)) {
    if (m->key.n > 0) SN_TRY(sn_str_add(&m->key, " ", 1, err));
    SN_TRY(sn_str_add(&m->key, field.p, field.n, err));
  }
  const int32_t before = sn_symtab_n(m->seen);
  SN_TRY(sn_symtab_add(m->seen, sn_str_get(&m->key), m->key.n, &id, err));
  *is_new = id == before;
  return SN_OK;
}

static bool has_control(sn_span s) {
  for (size_t i = 0; i < s.n; i++) {
    const unsigned char c = (unsigned char)s.p[i];
    if ((c < ' ' && c != '\t') || c == 127) return true;
  }
  return false;
}

static sn_status add_line(members *m, sn_reader *r, sn_span line, sn_err *err) {
  size_t bad;
  double weight = 1.0;
  bool is_new;
  if (!sn_utf8_valid(line.p, line.n, &bad) || has_control(line))
    return sn_reader_fail(r, err, "not UTF-8 text without control characters");
  const char *const tab = memchr(line.p, '\t', line.n);
  sn_span phrase = line;
  if (tab != NULL) {
    phrase.n = (size_t)(tab - line.p);
    const sn_span number = {tab + 1, line.n - phrase.n - 1};
    if (!sn_parse_double(sn_span_trim(number), &weight) || !(weight >= 1e-30) ||
        !(weight <= 1e30))
      return sn_reader_fail(
          r, err, "behind the TAB: '%.*s' is no weight (1e-30 to 1e30)",
          (int)(number.n < 40 ? number.n : 40), number.p);
  }
  if (m->weight.n > 0 && m->has_weights != (tab != NULL))
    return sn_reader_fail(r, err, "weights stand in all lines or in none");
  m->has_weights = tab != NULL;
  SN_TRY(note_phrase(m, phrase, &is_new, err));
  if (!is_new && m->has_weights)
    return sn_reader_fail(r, err, "'%s' has a weight already",
                          sn_str_get(&m->key));
  if (!is_new) return SN_OK;
  SN_TRY(add_phrase(m, phrase, err));
  if (m->g->arcs.n > INT32_MAX / 2)
    return sn_reader_fail(r, err, "too many words");
  return SN_ARR_PUSH(&m->weight, weight, err);
}

/* Phrases lie in the order of their lines, and so do their first arcs. */
static void set_weights(members *m) {
  double sum = 0.0;
  size_t k = 0;
  for (size_t i = 0; i < m->weight.n; i++) sum += m->weight.data[i];
  for (size_t i = 0; i < m->g->arcs.n; i++)
    if (m->g->arcs.data[i].from == m->g->start)
      m->g->arcs.data[i].logp = (float)log(m->weight.data[k++] / sum);
}

static sn_status read_lines(members *m, sn_reader *r, sn_err *err) {
  for (;;) {
    sn_span line;
    bool more;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) break;
    if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
    const sn_span rest = sn_span_trim(line);
    if (rest.n == 0 || rest.p[0] == '#') continue;
    while (line.n > 0 && line.p[0] == ' ') {
      line.p++;
      line.n--;
    }
    if (line.p[0] == '\t')
      return sn_reader_fail(r, err, "a weight without words");
    SN_TRY(add_line(m, r, line, err));
  }
  if (m->weight.n == 0)
    return sn_fail(err, SN_EFORMAT, "%s: no words in it", sn_reader_name(r));
  set_weights(m);
  return SN_OK;
}

sn_status sn_grammar_read_phrases(sn_reader *r, sn_grammar *out, sn_err *err) {
  members m = {.g = out};
  memset(out, 0, sizeof *out);
  out->n_states = 2;
  out->final = 1;
  sn_status s = sn_symtab_create(&out->words, err);
  if (s == SN_OK) s = sn_symtab_create(&m.seen, err);
  if (s == SN_OK) s = read_lines(&m, r, err);
  if (s == SN_OK) {
    out->name = sn_strdup(sn_path_base(sn_reader_name(r)));
    if (out->name == NULL) s = sn_fail_nomem(err, "phrases");
  }
  sn_symtab_destroy(m.seen);
  sn_str_clear(&m.key);
  SN_ARR_FREE(&m.weight);
  if (s != SN_OK) sn_grammar_clear(out);
  return s;
}

sn_status sn_grammar_load_members(const char *path, sn_grammar *out,
                                  sn_err *err) {
  char *text = NULL;
  size_t n = 0, at = 0;
  memset(out, 0, sizeof *out);
  SN_TRY(sn_file_read(path, &text, &n, err));
  if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) at = 3;
  const bool is_jsgf = n - at >= 5 && memcmp(text + at, "#JSGF", 5) == 0;
  sn_free(text);
  if (is_jsgf) return sn_grammar_load_jsgf(path, NULL, out, err);
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = sn_grammar_read_phrases(r, out, err);
  sn_reader_destroy(r);
  return s;
}
