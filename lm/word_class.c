/* SPDX-License-Identifier: Apache-2.0 */
/* Classes that stand for words of a model. */
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
  if (s != SN_OK) sn_word_classes_clear(out);
  return s;
}
