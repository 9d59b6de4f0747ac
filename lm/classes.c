/* SPDX-License-Identifier: Apache-2.0 */
/* Class files. */
#include "lm/classes.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define SUM_TOLERANCE 1e-3

void sn_classes_clear(sn_classes *c) {
  sn_symtab_destroy(c->words);
  sn_symtab_destroy(c->names);
  SN_ARR_FREE(&c->class_of);
  SN_ARR_FREE(&c->prob);
  SN_ARR_FREE(&c->count);
  memset(c, 0, sizeof *c);
}

static bool is_mark(sn_span s) {
  return sn_span_eq(s, "<s>") || sn_span_eq(s, "</s>") ||
         sn_span_eq(s, "<unk>") || sn_span_eq(s, "<UNK>");
}

static bool is_token(sn_span s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127) return false;
  return s.n > 0;
}

static sn_status add_line(sn_classes *c, const sn_reader *r, sn_span line,
                          sn_err *err) {
  sn_span f[3] = {{0}}, field;
  size_t n = 0, bad;
  double p = 1.0;
  if (!sn_utf8_valid(line.p, line.n, &bad))
    return sn_reader_fail(r, err, "byte %zu of the line is not UTF-8", bad);
  while (sn_next_field_sep(&line, '\t', &field)) {
    if (n < 3) f[n] = field;
    n++;
  }
  if (n < 2 || n > 3 || !is_token(f[0]) || !is_token(f[1]))
    return sn_reader_fail(
        r, err, "expected word, class and perhaps a probability with TABs");
  if (is_mark(f[0]) || is_mark(f[1]))
    return sn_reader_fail(r, err, "<s>, </s> and <unk> can be in no class");
  if (n == 3 && (!sn_parse_double(f[2], &p) || !(p >= 0.0 && p <= 1.0)))
    return sn_reader_fail(r, err, "'%.*s' is no probability", (int)f[2].n,
                          f[2].p);
  if (c->words != NULL && c->class_of.n > 0 && c->has_probs != (n == 3))
    return sn_reader_fail(r, err,
                          "probabilities stand in all lines or in none");
  c->has_probs = n == 3;
  int32_t word, class_id;
  SN_TRY(sn_symtab_add(c->words, f[0].p, f[0].n, &word, err));
  SN_TRY(sn_symtab_add(c->names, f[1].p, f[1].n, &class_id, err));
  if ((size_t)word < c->class_of.n)
    return sn_reader_fail(r, err, "'%s' has a class already: '%s'",
                          sn_symtab_get(c->words, word),
                          sn_symtab_get(c->names, c->class_of.data[word]));
  SN_TRY(SN_ARR_PUSH(&c->prob, p, err));
  SN_TRY(SN_ARR_PUSH(&c->count, 0, err));
  return SN_ARR_PUSH(&c->class_of, class_id, err);
}

/* Sums of `prob` by class become one; *worst names the class that was furthest
 * off it. */
static sn_status scale(sn_classes *c, int32_t *worst, double *worst_sum,
                       sn_err *err) {
  const size_t n = (size_t)sn_symtab_n(c->names);
  double *const sum = sn_calloc(n, sizeof *sum);
  if (sum == NULL) return sn_fail_nomem(err, "classes");
  for (size_t w = 0; w < c->prob.n; w++)
    sum[c->class_of.data[w]] += c->prob.data[w];
  *worst = -1;
  *worst_sum = 1.0;
  for (size_t k = 0; k < n; k++)
    if (fabs(sum[k] - 1.0) > fabs(*worst_sum - 1.0)) {
      *worst = (int32_t)k;
      *worst_sum = sum[k];
    }
  for (size_t w = 0; w < c->prob.n; w++)
    if (sum[c->class_of.data[w]] > 0.0)
      c->prob.data[w] /= sum[c->class_of.data[w]];
  sn_free(sum);
  return SN_OK;
}

static sn_status read_all(sn_reader *r, sn_classes *c, sn_err *err) {
  SN_TRY(sn_symtab_create(&c->words, err));
  SN_TRY(sn_symtab_create(&c->names, err));
  for (;;) {
    sn_span line;
    bool more;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) break;
    if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
    if (sn_span_trim(line).n > 0) SN_TRY(add_line(c, r, line, err));
  }
  if (c->class_of.n == 0)
    return sn_fail(err, SN_EFORMAT, "%s: no classes in it", sn_reader_name(r));
  for (size_t w = 0; w < c->class_of.n; w++) {
    const int32_t k =
        sn_symtab_finds(c->words, sn_symtab_get(c->names, c->class_of.data[w]));
    if (k >= 0)
      return sn_fail(err, SN_EFORMAT, "%s: '%s' is a class and in a class",
                     sn_reader_name(r), sn_symtab_get(c->words, k));
  }
  int32_t worst = -1;
  double sum = 1.0;
  SN_TRY(scale(c, &worst, &sum, err));
  if (c->has_probs && fabs(sum - 1.0) > SUM_TOLERANCE)
    return sn_fail(err, SN_EFORMAT,
                   "%s: the probabilities of class '%s' sum to %g, not to one",
                   sn_reader_name(r), sn_symtab_get(c->names, worst), sum);
  return SN_OK;
}

sn_status sn_classes_read(sn_reader *r, sn_classes *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  const sn_status s = read_all(r, out, err);
  if (s != SN_OK) sn_classes_clear(out);
  return s;
}

sn_status sn_classes_load(const char *path, sn_classes *out, sn_err *err) {
  sn_reader *r = NULL;
  memset(out, 0, sizeof *out);
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = sn_classes_read(r, out, err);
  sn_reader_destroy(r);
  return s;
}

sn_status sn_classes_save(const sn_classes *c, const char *path, sn_err *err) {
  sn_writer *w = NULL;
  SN_TRY(sn_writer_open(path, &w, err));
  sn_status s = SN_OK;
  for (size_t i = 0; i < c->class_of.n && s == SN_OK; i++)
    s = sn_writef(w, err, "%s\t%s\t%.9g\n", sn_symtab_get(c->words, (int32_t)i),
                  sn_symtab_get(c->names, c->class_of.data[i]),
                  c->prob.data[i]);
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  return s;
}

void sn_classes_estimate(sn_classes *c) {
  const int32_t n = sn_symtab_n(c->names);
  for (int32_t k = 0; k < n; k++) {
    double sum = 0.0, members = 0.0;
    bool is_complete = true;
    for (size_t w = 0; w < c->class_of.n; w++) {
      if (c->class_of.data[w] != k) continue;
      sum += (double)c->count.data[w];
      members += 1.0;
      is_complete = is_complete && c->count.data[w] > 0;
    }
    const double add = is_complete ? 0.0 : 0.5;
    for (size_t w = 0; w < c->class_of.n; w++)
      if (c->class_of.data[w] == k)
        c->prob.data[w] =
            ((double)c->count.data[w] + add) / (sum + add * members);
  }
  c->has_probs = true;
}
