/* SPDX-License-Identifier: Apache-2.0 */
/* Classes that stand for words of a model.
 *
 * Classes within classes are put in when all files are loaded, those first that
 * contain no others: an arc of "$CITY" becomes an arc without a word into a
 * copy of the class, and one out of it. What goes round in a circle is never
 * ready. */
#include "lm/word_class.h"

#include <string.h>

#include "base/mem.h"

sn_span sn_word_class_list(const char *spec) {
  const sn_span none = {NULL, 0};
  return spec[0] != '\0' ? sn_span_of(spec) : none;
}

sn_status sn_word_class_next(sn_span *rest, sn_span *name, sn_span *path,
                             bool *more, sn_err *err) {
  sn_span item;
  *more = sn_next_field_sep(rest, ',', &item);
  if (!*more) return SN_OK;
  const char *const eq = memchr(item.p, '=', item.n);
  const size_t at = eq != NULL ? (size_t)(eq - item.p) : item.n;
  const sn_span left = {item.p, at};
  const sn_span right = {item.p + at + 1, eq != NULL ? item.n - at - 1 : 0};
  *name = sn_span_trim(left);
  *path = sn_span_trim(right);
  if (name->n > 0 && name->p[0] == '$') {
    name->p++;
    name->n--;
  }
  bool is_name = name->n > 0 && path->n > 0;
  for (size_t i = 0; i < name->n && is_name; i++)
    is_name = (unsigned char)name->p[i] > ' ' && name->p[i] != 127;
  if (!is_name)
    return sn_fail(err, SN_EARG, "class '%.*s': expected NAME=FILE",
                   (int)(item.n < 200 ? item.n : 200), item.p);
  return SN_OK;
}

void sn_word_classes_clear(sn_word_classes *c) {
  for (size_t i = 0; i < c->n; i++) {
    sn_free(c->list[i].token);
    sn_grammar_clear(&c->list[i].members);
  }
  sn_free(c->list);
  memset(c, 0, sizeof *c);
}

static sn_status load_one(sn_word_classes *c, sn_span name, sn_span path,
                          sn_err *err) {
  sn_str text = {0};
  sn_status s = sn_str_addf(&text, err, "$%.*s", (int)name.n, name.p);
  for (size_t i = 0; i < c->n && s == SN_OK; i++)
    if (strcmp(c->list[i].token, sn_str_get(&text)) == 0)
      s = sn_fail(err, SN_EARG, "class '%s' is given twice", sn_str_get(&text));
  if (s == SN_OK && c->n == SN_WORD_CLASS_MAX)
    s = sn_fail(err, SN_EARG, "more than %d classes", SN_WORD_CLASS_MAX);
  if (s == SN_OK) {
    sn_word_class *const k = &c->list[c->n];
    k->token = sn_strdup(sn_str_get(&text));
    if (k->token == NULL) s = sn_fail_nomem(err, "classes");
    if (s == SN_OK) c->n++;
    sn_str_reset(&text);
    if (s == SN_OK) s = sn_str_add(&text, path.p, path.n, err);
    if (s == SN_OK)
      s = sn_grammar_load_members(sn_str_get(&text), &k->members, err);
    if (s != SN_OK && k->token != NULL)
      sn_err_context(err, "class '%s'", k->token);
  }
  sn_str_clear(&text);
  return s;
}

/* ---- Classes within classes ---- */

#define MAX_ARCS 3000000u /* 50 MB: classes that double and double again */

/* The class that a word of a member names, or NULL. */
static sn_word_class *class_of(const sn_word_classes *c, const sn_grammar *g,
                               int32_t word) {
  const char *const text = word >= 0 ? sn_symtab_get(g->words, word) : "";
  for (size_t k = 0; text[0] == '$' && k < c->n; k++)
    if (strcmp(c->list[k].token, text) == 0) return &c->list[k];
  return NULL;
}

/* The first class that k contains and that is not done, or NULL. */
static sn_word_class *first_undone(const sn_word_classes *c, const bool *done,
                                   size_t k) {
  const sn_grammar *const g = &c->list[k].members;
  for (size_t i = 0; i < g->arcs.n; i++) {
    sn_word_class *const part = class_of(c, g, g->arcs.data[i].word);
    if (part != NULL && !done[part - c->list]) return part;
  }
  return NULL;
}

/* A copy of `part` between the ends of an arc that is taken out of g. */
static sn_status put_in(sn_grammar *g, sn_grammar_arc at,
                        const sn_grammar *part, sn_err *err) {
  const int32_t base = g->n_states;
  const sn_grammar_arc in = {at.from, base + part->start, -1, at.logp};
  const sn_grammar_arc out = {base + part->final, at.to, -1, 0.0f};
  if (g->arcs.n + part->arcs.n > MAX_ARCS)
    return sn_fail(err, SN_EARG,
                   "with the classes within it, it has more than %u arcs; give "
                   "classes that are in one another fewer members",
                   MAX_ARCS);
  SN_TRY(SN_ARR_PUSH(&g->arcs, in, err));
  for (size_t i = 0; i < part->arcs.n; i++) {
    sn_grammar_arc a = part->arcs.data[i];
    a.from += base;
    a.to += base;
    if (a.word >= 0) {
      const char *const text = sn_symtab_get(part->words, a.word);
      SN_TRY(sn_symtab_add(g->words, text, strlen(text), &a.word, err));
    }
    SN_TRY(SN_ARR_PUSH(&g->arcs, a, err));
  }
  g->n_states += part->n_states;
  return SN_ARR_PUSH(&g->arcs, out, err);
}

/* All classes that k contains are done. Arcs of copies need no look. */
static sn_status put_all_in(sn_word_classes *c, size_t k, sn_err *err) {
  sn_grammar *const g = &c->list[k].members;
  const size_t n = g->arcs.n;
  size_t n_kept = 0;
  for (size_t i = 0; i < n; i++) {
    const sn_grammar_arc a = g->arcs.data[i];
    sn_word_class *const part = class_of(c, g, a.word);
    if (part == NULL) continue;
    part->is_part = true;
    const sn_status s = put_in(g, a, &part->members, err);
    if (s != SN_OK) {
      sn_err_context(err, "class '%s'", c->list[k].token);
      return s;
    }
  }
  for (size_t i = 0; i < g->arcs.n; i++)
    if (i >= n || class_of(c, g, g->arcs.data[i].word) == NULL)
      g->arcs.data[n_kept++] = g->arcs.data[i];
  g->arcs.n = n_kept;
  return SN_OK;
}

/* Follows classes that are not done, from k, until one comes again. */
static sn_status fail_circle(const sn_word_classes *c, const bool *done,
                             size_t k, sn_err *err) {
  bool seen[SN_WORD_CLASS_MAX] = {false};
  sn_str way = {0};
  while (!seen[k]) { /* into the circle */
    seen[k] = true;
    k = (size_t)(first_undone(c, done, k) - c->list);
  }
  const size_t first = k;
  sn_status s = sn_str_adds(&way, c->list[k].token, err);
  do {
    k = (size_t)(first_undone(c, done, k) - c->list);
    if (s == SN_OK) s = sn_str_addf(&way, err, " -> %s", c->list[k].token);
  } while (k != first && s == SN_OK);
  if (s == SN_OK)
    s = sn_fail(err, SN_EARG,
                "class '%s' contains itself: %s; write one of them without the "
                "next",
                c->list[first].token, sn_str_get(&way));
  sn_str_clear(&way);
  return s;
}

static sn_status nest(sn_word_classes *c, sn_err *err) {
  bool done[SN_WORD_CLASS_MAX] = {false};
  size_t n_done = 0;
  while (n_done < c->n) {
    const size_t before = n_done;
    for (size_t k = 0; k < c->n; k++) {
      if (done[k] || first_undone(c, done, k) != NULL) continue;
      SN_TRY(put_all_in(c, k, err));
      done[k] = true;
      n_done++;
    }
    if (n_done > before) continue;
    size_t k = 0;
    while (done[k]) k++;
    return fail_circle(c, done, k, err);
  }
  return SN_OK;
}

sn_status sn_word_classes_load(const char *spec, sn_word_classes *out,
                               sn_err *err) {
  sn_span rest = sn_word_class_list(spec), name, path;
  bool more = true;
  memset(out, 0, sizeof *out);
  out->list = sn_calloc(SN_WORD_CLASS_MAX, sizeof *out->list);
  if (out->list == NULL) return sn_fail_nomem(err, "classes");
  sn_status s = SN_OK;
  while (s == SN_OK) {
    s = sn_word_class_next(&rest, &name, &path, &more, err);
    if (s != SN_OK || !more) break;
    s = load_one(out, name, path, err);
  }
  if (s == SN_OK) s = nest(out, err);
  if (s != SN_OK) sn_word_classes_clear(out);
  return s;
}
