/* SPDX-License-Identifier: Apache-2.0 */
/* N-best lists: each line is scored when it is read. */
#include "lm/nbest.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/arr.h"
#include "base/mem.h"
#include "base/str.h"
#include "lm/perplexity.h"

const sn_opt sn_nbest_opt_table[] = {
    {"lm-weight", SN_OPT_DOUBLE, offsetof(sn_nbest_opts, lm_weight), 1, 0, 1e6,
     NULL, "", "factor of the model's log p"},
    {"word-penalty", SN_OPT_DOUBLE, offsetof(sn_nbest_opts, word_penalty), 0,
     -1e6, 1e6, NULL, "", "added for each word (negative: fewer words)"},
    {"oov-logp", SN_OPT_DOUBLE, offsetof(sn_nbest_opts, oov_logp), -20, -1e6, 0,
     NULL, "", "natural log p of an unknown word if the model has no <unk>"},
    {"best", SN_OPT_BOOL, offsetof(sn_nbest_opts, best), 0, 0, 1, NULL, "",
     "print the best hypothesis of each utterance as \"id words\""},
    SN_OPT_END};

typedef struct line {
  sn_nbest_entry e;
  int32_t id;
  size_t words_at; /* in texts */
  size_t order;
} line;

struct sn_nbest {
  const sn_ngram *lm;
  sn_nbest_opts opts;
  sn_symtab *ids;
  sn_str texts; /* words of all lines, a NUL behind each */
  SN_ARR(line) lines;
  int64_t n_oov;
};

sn_status sn_nbest_create(const sn_ngram *lm, const sn_nbest_opts *opts,
                          sn_nbest **out, sn_err *err) {
  *out = NULL;
  sn_nbest *const n = sn_calloc(1, sizeof *n);
  if (n == NULL) return sn_fail_nomem(err, "n-best lists");
  n->lm = lm;
  sn_opt_defaults(sn_nbest_opt_table, &n->opts);
  if (opts != NULL) n->opts = *opts;
  const sn_status s = sn_symtab_create(&n->ids, err);
  if (s == SN_OK)
    *out = n;
  else
    sn_nbest_destroy(n);
  return s;
}

void sn_nbest_destroy(sn_nbest *n) {
  if (n == NULL) return;
  sn_symtab_destroy(n->ids);
  sn_str_clear(&n->texts);
  SN_ARR_FREE(&n->lines);
  sn_free(n);
}

/* Scores the words and keeps them. */
static sn_status add_words(sn_nbest *n, sn_span words, line *l, sn_err *err) {
  sn_span w;
  sn_ngram_state at = sn_ngram_begin(n->lm);
  l->words_at = n->texts.n;
  while (sn_next_field(&words, &w)) {
    if (l->e.n_words > 0) SN_TRY(sn_str_add(&n->texts, " ", 1, err));
    const size_t from = n->texts.n;
    SN_TRY(sn_str_add(&n->texts, w.p, w.n, err));
    const int32_t id = sn_ngram_find(n->lm, n->texts.data + from);
    const double logp = sn_ngram_score(n->lm, at, id, &at, NULL);
    l->e.n_words++;
    if (id < 0) l->e.n_oov++;
    l->e.lm_logp += isfinite(logp) ? logp : n->opts.oov_logp;
  }
  if (sn_ngram_eos(n->lm) >= 0)
    l->e.lm_logp += sn_ngram_score(n->lm, at, sn_ngram_eos(n->lm), NULL, NULL);
  return sn_str_add(&n->texts, "", 1, err); /* the NUL */
}

static sn_status add_line(sn_nbest *n, const sn_reader *r, sn_span text,
                          sn_err *err) {
  sn_span id, score;
  line l = {.order = n->lines.n};
  size_t bad;
  if (!sn_utf8_valid(text.p, text.n, &bad))
    return sn_reader_fail(r, err, "byte %zu of the line is not UTF-8", bad);
  for (size_t i = 0; i < text.n; i++)
    if (((unsigned char)text.p[i] < ' ' && text.p[i] != '\t' &&
         text.p[i] != '\r') ||
        text.p[i] == 127)
      return sn_reader_fail(r, err,
                            "a control character (0x%02x) at byte %zu of the "
                            "line",
                            (unsigned)(unsigned char)text.p[i], i);
  if (!sn_next_field_sep(&text, '\t', &id) || id.n == 0 ||
      !sn_next_field_sep(&text, '\t', &score))
    return sn_reader_fail(r, err,
                          "expected utterance, score and words with TABs "
                          "between them");
  if (!sn_parse_double(sn_span_trim(score), &l.e.score) || !isfinite(l.e.score))
    return sn_reader_fail(r, err, "the score '%.*s' is not a finite number",
                          (int)(score.n < 40 ? score.n : 40), score.p);
  SN_TRY(sn_symtab_add(n->ids, id.p, id.n, &l.id, err));
  l.e.id = sn_symtab_get(n->ids, l.id);
  SN_TRY(add_words(n, text, &l, err));
  l.e.total = l.e.score + n->opts.lm_weight * l.e.lm_logp +
              n->opts.word_penalty * (double)l.e.n_words;
  n->n_oov += l.e.n_oov;
  return SN_ARR_PUSH(&n->lines, l, err);
}

sn_status sn_nbest_add_text(sn_nbest *n, sn_reader *r, sn_err *err) {
  for (;;) {
    sn_span text;
    bool more;
    SN_TRY(sn_read_line(r, &text, &more, err));
    if (!more) return SN_OK;
    if (sn_log_cancelled(n->opts.log))
      return sn_fail(err, SN_ECANCEL, "interrupted");
    if (sn_span_trim(text).n > 0) SN_TRY(add_line(n, r, text, err));
  }
}

static int by_rank(const void *a, const void *b) {
  const line *const x = a, *const y = b;
  if (x->id != y->id) return x->id < y->id ? -1 : 1;
  if (x->e.total > y->e.total) return -1;
  if (x->e.total < y->e.total) return 1;
  return (x->order > y->order) - (x->order < y->order);
}

sn_status sn_nbest_rank(sn_nbest *n, sn_err *err) {
  (void)err;
  if (n->lines.n > 0)
    qsort(n->lines.data, n->lines.n, sizeof *n->lines.data, by_rank);
  for (size_t i = 0; i < n->lines.n; i++) {
    line *const l = &n->lines.data[i];
    l->e.words = n->texts.data + l->words_at;
    l->e.rank =
        i > 0 && n->lines.data[i - 1].id == l->id ? l[-1].e.rank + 1 : 0;
  }
  return SN_OK;
}

int64_t sn_nbest_n(const sn_nbest *n) { return (int64_t)n->lines.n; }
const sn_nbest_entry *sn_nbest_get(const sn_nbest *n, int64_t i) {
  SN_ASSERT(i >= 0 && (size_t)i < n->lines.n);
  return &n->lines.data[i].e;
}
int64_t sn_nbest_n_oov(const sn_nbest *n) { return n->n_oov; }
