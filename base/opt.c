/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables. */
#include "base/opt.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* The n-th word of "word|word|...". */
static bool choice_at(const char *choices, size_t i, sn_span *word) {
  sn_span rest = sn_span_of(choices);
  for (size_t k = 0; sn_next_field_sep(&rest, '|', word); k++)
    if (k == i) return true;
  return false;
}

static bool find_choice(const char *choices, const char *text, int32_t *i) {
  sn_span word;
  for (int32_t k = 0; choice_at(choices, (size_t)k, &word); k++) {
    if (!sn_span_eq(word, text)) continue;
    *i = k;
    return true;
  }
  return false;
}

static bool parse_bool(const char *text, bool *out) {
  static const char *const words[] = {"no", "yes", "false", "true", "0", "1"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (strcmp(text, words[i]) != 0) continue;
    *out = i % 2 == 1;
    return true;
  }
  return false;
}

/* v is in the type's range. */
static void store_number(const sn_opt *o, void *opts, double v) {
  char *const at = (char *)opts + o->offset;
  const float f = (float)v;
  const int32_t i = o->type == SN_OPT_INT ? (int32_t)v : 0;
  const size_t z = o->type == SN_OPT_SIZE ? (size_t)v : 0;
  switch (o->type) {
    case SN_OPT_FLOAT:
      memcpy(at, &f, sizeof f);
      break;
    case SN_OPT_DOUBLE:
      memcpy(at, &v, sizeof v);
      break;
    case SN_OPT_INT:
      memcpy(at, &i, sizeof i);
      break;
    default:
      SN_ASSERT(o->type == SN_OPT_SIZE);
      memcpy(at, &z, sizeof z);
  }
}

static void store_enum(const sn_opt *o, void *opts, int32_t i) {
  memcpy((char *)opts + o->offset, &i, sizeof i);
}

static void store_bool(const sn_opt *o, void *opts, bool b) {
  memcpy((char *)opts + o->offset, &b, sizeof b);
}

static void store_string(const sn_opt *o, void *opts, const char *text) {
  memcpy((char *)opts + o->offset, &text, sizeof text);
}

void sn_opt_defaults(const sn_opt *tab, void *opts) {
  for (const sn_opt *o = tab; o->name != NULL; o++) {
    if (o->type == SN_OPT_BOOL)
      store_bool(o, opts, o->deflt != 0);
    else if (o->type == SN_OPT_STRING)
      store_string(o, opts, o->text);
    else if (o->type == SN_OPT_ENUM)
      store_enum(o, opts, (int32_t)o->deflt);
    else
      store_number(o, opts, o->deflt);
  }
}

static bool same_name(const char *a, const char *b) {
  for (;; a++, b++) {
    const char x = *a == '_' ? '-' : *a, y = *b == '_' ? '-' : *b;
    if (x != y) return false;
    if (x == '\0') return true;
  }
}

const sn_opt *sn_opt_find(const sn_opt *tab, const char *name) {
  for (const sn_opt *o = tab; o->name != NULL; o++)
    if (same_name(o->name, name)) return o;
  return NULL;
}

static sn_status fail_unknown(const sn_opt *tab, const char *name,
                              sn_err *err) {
  const char *nearest = NULL;
  size_t best = strlen(name) / 3 + 2; /* further away is no misspelling */
  for (const sn_opt *o = tab; o->name != NULL; o++) {
    const size_t d = sn_edit_distance(o->name, name, best);
    if (d >= best) continue;
    best = d;
    nearest = o->name;
  }
  if (nearest == NULL)
    return sn_fail(err, SN_EARG, "there is no option --%s", name);
  return sn_fail(err, SN_EARG, "there is no option --%s; did you mean --%s?",
                 name, nearest);
}

static bool is_whole(const sn_opt *o) {
  return o->type == SN_OPT_INT || o->type == SN_OPT_SIZE;
}

static sn_status set_number(const sn_opt *o, void *opts, const char *text,
                            sn_err *err) {
  const char *const unit = o->unit != NULL ? o->unit : "";
  const char *const gap = unit[0] != '\0' ? " " : "";
  double v = 0;
  if (!sn_parse_double(sn_span_of(text), &v) || isnan(v))
    return sn_fail(err, SN_EARG, "--%s: '%s' is not a number%s%s%s", o->name,
                   text, gap[0] != '\0' ? " (unit: " : "", unit,
                   gap[0] != '\0' ? ")" : "");
  if (!(v >= o->min && v <= o->max))
    return sn_fail(err, SN_EARG,
                   "--%s: %s%s%s is outside %.9g to %.9g; the default is %.9g",
                   o->name, text, gap, unit, o->min, o->max, o->deflt);
  if (is_whole(o)) {
    /* Above 2^53 a double would round; such a number is not meant. */
    if (v != floor(v) || fabs(v) > 9007199254740992.0 ||
        (o->type == SN_OPT_INT && (v < INT32_MIN || v > INT32_MAX)) ||
        (o->type == SN_OPT_SIZE && v < 0))
      return sn_fail(err, SN_EARG, "--%s: %s is not a whole number", o->name,
                     text);
  }
  store_number(o, opts, v);
  return SN_OK;
}

sn_status sn_opt_set(const sn_opt *tab, void *opts, const char *name,
                     const char *text, sn_err *err) {
  const sn_opt *const o = sn_opt_find(tab, name);
  if (o == NULL) return fail_unknown(tab, name, err);
  bool b = false;
  int32_t i = 0;
  switch (o->type) {
    case SN_OPT_BOOL:
      if (!parse_bool(text, &b))
        return sn_fail(err, SN_EARG, "--%s: '%s' is neither yes nor no",
                       o->name, text);
      store_bool(o, opts, b);
      return SN_OK;
    case SN_OPT_STRING:
      store_string(o, opts, text);
      return SN_OK;
    case SN_OPT_ENUM:
      if (!find_choice(o->text, text, &i))
        return sn_fail(err, SN_EARG, "--%s: '%s' is none of %s", o->name, text,
                       o->text);
      store_enum(o, opts, i);
      return SN_OK;
    default:
      return set_number(o, opts, text, err);
  }
}

/* The shortest of a few precisions that reads back as the same number. */
static sn_status add_double(sn_str *out, double v, bool as_float, sn_err *err) {
  const size_t before = out->n;
  for (int digits = as_float ? 6 : 15;; digits++) {
    out->n = before;
    SN_TRY(sn_str_addf(out, err, "%.*g", digits, v));
    const sn_span text = {out->data + before, out->n - before};
    double back = 0;
    if (!sn_parse_double(text, &back)) return SN_OK;
    if (as_float ? (float)back == (float)v : back == v) return SN_OK;
    if (digits >= 17) return SN_OK;
  }
}

sn_status sn_opt_get(const sn_opt *o, const void *opts, sn_str *out,
                     sn_err *err) {
  const char *const at = (const char *)opts + o->offset;
  float f = 0;
  double d = 0;
  int32_t i = 0;
  size_t z = 0;
  bool b = false;
  const char *text = NULL;
  sn_span word = {NULL, 0};
  switch (o->type) {
    case SN_OPT_FLOAT:
      memcpy(&f, at, sizeof f);
      return add_double(out, (double)f, true, err);
    case SN_OPT_DOUBLE:
      memcpy(&d, at, sizeof d);
      return add_double(out, d, false, err);
    case SN_OPT_INT:
      memcpy(&i, at, sizeof i);
      return sn_str_addf(out, err, "%ld", (long)i);
    case SN_OPT_SIZE:
      memcpy(&z, at, sizeof z);
      return sn_str_addf(out, err, "%zu", z);
    case SN_OPT_BOOL:
      memcpy(&b, at, sizeof b);
      return sn_str_adds(out, b ? "yes" : "no", err);
    case SN_OPT_ENUM:
      memcpy(&i, at, sizeof i);
      b = choice_at(o->text, (size_t)i, &word);
      SN_ASSERT(b);
      return sn_str_add(out, word.p, word.n, err);
    default:
      SN_ASSERT(o->type == SN_OPT_STRING);
      memcpy(&text, at, sizeof text);
      return sn_str_adds(out, text != NULL ? text : "", err);
  }
}

/* ---- Help ---- */

#define HELP_COLUMN 30

static sn_status add_default(const sn_opt *o, sn_str *out, sn_err *err) {
  sn_span word = {NULL, 0};
  bool found = false;
  switch (o->type) {
    case SN_OPT_BOOL:
      return sn_str_adds(out, o->deflt != 0 ? "yes" : "no", err);
    case SN_OPT_STRING:
      return sn_str_adds(out, o->text != NULL ? o->text : "", err);
    case SN_OPT_ENUM:
      found = choice_at(o->text, (size_t)o->deflt, &word);
      SN_ASSERT(found);
      return sn_str_add(out, word.p, word.n, err);
    default:
      return add_double(out, o->deflt, o->type == SN_OPT_FLOAT, err);
  }
}

/* "Hz, 0 to 96000: " or "a, b or c: ". */
static sn_status add_range(const sn_opt *o, sn_str *out, sn_err *err) {
  const char *const unit = o->unit != NULL ? o->unit : "";
  if (o->type == SN_OPT_ENUM) {
    sn_span word, next;
    bool more = choice_at(o->text, 0, &word);
    for (size_t i = 1; more; i++, word = next) {
      more = choice_at(o->text, i, &next);
      if (i > 1) SN_TRY(sn_str_adds(out, more ? ", " : " or ", err));
      SN_TRY(sn_str_add(out, word.p, word.n, err));
    }
    return sn_str_adds(out, ": ", err);
  }
  if (o->type == SN_OPT_BOOL) return sn_str_adds(out, "yes or no: ", err);
  if (o->type == SN_OPT_STRING)
    return unit[0] != '\0' ? sn_str_addf(out, err, "%s: ", unit) : SN_OK;
  if (unit[0] != '\0') SN_TRY(sn_str_addf(out, err, "%s, ", unit));
  const bool no_max = o->max >= (is_whole(o) ? (double)INT32_MAX : 1e30);
  if (o->min <= -1e30 && no_max) return sn_str_adds(out, "any: ", err);
  if (o->min <= -1e30) return sn_str_addf(out, err, "up to %.9g: ", o->max);
  if (no_max) return sn_str_addf(out, err, "from %.9g: ", o->min);
  return sn_str_addf(out, err, "%.9g to %.9g: ", o->min, o->max);
}

sn_status sn_opt_help(const sn_opt *tab, sn_str *out, sn_err *err) {
  for (const sn_opt *o = tab; o->name != NULL; o++) {
    const size_t before = out->n;
    SN_TRY(sn_str_addf(out, err, "  --%s=", o->name));
    SN_TRY(add_default(o, out, err));
    const size_t width = out->n - before;
    if (width < HELP_COLUMN)
      SN_TRY(sn_str_addf(out, err, "%*s", (int)(HELP_COLUMN - width), ""));
    else
      SN_TRY(sn_str_addf(out, err, "\n%*s", HELP_COLUMN, ""));
    SN_TRY(add_range(o, out, err));
    SN_TRY(sn_str_addf(out, err, "%s\n", o->help != NULL ? o->help : ""));
  }
  return SN_OK;
}
