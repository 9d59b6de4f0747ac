/* SPDX-License-Identifier: Apache-2.0 */
/* Scores as text. docs/scoring.md shows each form. */
#include "score/report.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "score/casefold.h"

static double percent(int64_t part, int64_t whole) {
  return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static double wer_of(const sn_score_counts *c) {
  return percent(sn_score_errors(c), c->n_ref);
}

/* ---- Intervals ---- */

/* Counts per speaker; the caller frees them. */
static sn_status per_speaker(const sn_report *r, sn_score_counts **out,
                             sn_err *err) {
  const size_t n = (size_t)sn_symtab_n(r->speakers);
  *out = sn_calloc(n, sizeof **out);
  if (*out == NULL) return sn_fail_nomem(err, "speakers");
  sn_score_group(r->score->words, r->score->n_utts, r->speaker_of, *out, n);
  return SN_OK;
}

/* Sentence errors as counts: one word per utterance. */
static sn_status sentences(const sn_report *r, sn_score_counts **out,
                           sn_err *err) {
  *out = sn_calloc(r->score->n_utts, sizeof **out);
  if (*out == NULL) return sn_fail_nomem(err, "sentences");
  for (size_t u = 0; u < r->score->n_utts; u++) {
    const bool is_wrong = sn_score_errors(&r->score->words[u]) > 0;
    (*out)[u] = (sn_score_counts){.n_ref = 1, .sub = is_wrong};
  }
  return SN_OK;
}

static sn_status interval(const sn_report *r, const sn_score_counts *units,
                          size_t n, sn_report_interval *to, sn_err *err) {
  *to = (sn_report_interval){(double)NAN, (double)NAN};
  if (n < 2) return SN_OK;
  return sn_score_interval(units, n, &r->bootstrap, &to->low, &to->high, err);
}

sn_status sn_report_intervals(sn_report *r, sn_err *err) {
  const sn_score *const s = r->score;
  sn_score_counts *units = NULL;
  SN_TRY(interval(r, s->words, s->n_utts, &r->wer, err));
  if (s->chars != NULL) SN_TRY(interval(r, s->chars, s->n_utts, &r->cer, err));
  SN_TRY(sentences(r, &units, err));
  sn_status status = interval(r, units, s->n_utts, &r->ser, err);
  sn_free(units);
  if (status != SN_OK || r->speakers == NULL) return status;
  SN_TRY(per_speaker(r, &units, err));
  status = interval(r, units, (size_t)sn_symtab_n(r->speakers),
                    &r->wer_speakers, err);
  sn_free(units);
  return status;
}

/* ---- Text ---- */

/* " [11.72, 17.58]", or nothing: one unit has no interval. */
static sn_status text_interval(const sn_report_interval *i, sn_str *out,
                               sn_err *err) {
  if (isnan(i->low)) return SN_OK;
  return sn_str_addf(out, err, " [%.2f, %.2f]", 100.0 * i->low,
                     100.0 * i->high);
}

static sn_status text_rate(const char *name, const sn_score_counts *c,
                           const sn_report_interval *i, const char *what,
                           sn_str *out, sn_err *err) {
  SN_TRY(sn_str_addf(out, err, "%s %.2f %%", name, wer_of(c)));
  SN_TRY(text_interval(i, out, err));
  return sn_str_addf(out, err,
                     ": %lld errors in %lld %s (%lld sub, %lld del, %lld "
                     "ins)\n",
                     (long long)sn_score_errors(c), (long long)c->n_ref, what,
                     (long long)c->sub, (long long)c->del, (long long)c->ins);
}

static double mean(const double *x, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += x[i];
  return n > 0 ? sum / (double)n : 0.0;
}

static size_t count_right(const sn_score_marks *m) {
  size_t n = 0;
  for (size_t i = 0; i < m->n; i++) n += m->right[i];
  return n;
}

static sn_status text_nce(const sn_score_marks *m, sn_str *out, sn_err *err) {
  if (m == NULL || m->n == 0) return SN_OK;
  if (isnan(m->nce))
    return sn_str_addf(out, err, "NCE: none, of %zu words %zu are right\n",
                       m->n, count_right(m));
  return sn_str_addf(out, err,
                     "NCE %.3f: of %zu words %.2f %% are right, the mean "
                     "confidence is %.2f %%\n",
                     m->nce, m->n,
                     percent((int64_t)count_right(m), (int64_t)m->n),
                     100.0 * mean(m->confidence, m->n));
}

sn_status sn_report_text(const sn_report *r, sn_str *out, sn_err *err) {
  const sn_score *const s = r->score;
  SN_TRY(text_rate("WER", &s->total, &r->wer, "words", out, err));
  if (s->chars != NULL)
    SN_TRY(text_rate("CER", &s->total_chars, &r->cer, "characters", out, err));
  SN_TRY(sn_str_addf(out, err, "SER %.2f %%",
                     percent(s->n_wrong, (int64_t)s->n_utts)));
  SN_TRY(text_interval(&r->ser, out, err));
  SN_TRY(sn_str_addf(out, err, ": %lld of %zu utterances\n",
                     (long long)s->n_wrong, s->n_utts));
  SN_TRY(text_nce(r->marks, out, err));
  if (s->missing.n > 0)
    SN_TRY(sn_str_addf(out, err,
                       "missing: %zu utterances, counted as deletions\n",
                       s->missing.n));
  if (s->extra.n > 0)
    SN_TRY(sn_str_addf(out, err, "extra: %zu utterances, not counted\n",
                       s->extra.n));
  if (s->n_utts < 2)
    SN_TRY(sn_str_adds(out, "[one utterance: no interval]\n", err));
  else
    SN_TRY(sn_str_addf(out, err,
                       "[95 %% bootstrap interval over %zu utterances, %d "
                       "draws, seed %d]\n",
                       s->n_utts, (int)r->bootstrap.n_draws,
                       (int)r->bootstrap.seed));
  if (r->speakers == NULL) return SN_OK;
  if (sn_symtab_n(r->speakers) < 2)
    return sn_str_adds(out, "over speakers: there is only one\n", err);
  SN_TRY(sn_str_addf(out, err, "over %d speakers: WER",
                     (int)sn_symtab_n(r->speakers)));
  SN_TRY(text_interval(&r->wer_speakers, out, err));
  return sn_str_adds(out, "\n", err);
}

/* Utterances and sentence errors of each speaker. */
typedef struct speaker_utts {
  int64_t n, wrong;
} speaker_utts;

static speaker_utts count_utts(const sn_report *r, int32_t speaker) {
  speaker_utts c = {0};
  for (size_t u = 0; u < r->score->n_utts; u++)
    if (r->speaker_of[u] == speaker) {
      c.n++;
      c.wrong += sn_score_errors(&r->score->words[u]) > 0;
    }
  return c;
}

sn_status sn_report_speakers(const sn_report *r, sn_str *out, sn_err *err) {
  SN_ASSERT(r->speakers != NULL);
  sn_score_counts *sums = NULL;
  SN_TRY(per_speaker(r, &sums, err));
  sn_status s =
      sn_str_addf(out, err, "%-16s %6s %7s %6s %6s %6s %7s %7s\n", "speaker",
                  "utts", "words", "sub", "del", "ins", "WER", "SER");
  for (int32_t k = 0; s == SN_OK && k < sn_symtab_n(r->speakers); k++) {
    const sn_score_counts *const c = &sums[k];
    const speaker_utts u = count_utts(r, k);
    s = sn_str_addf(out, err,
                    "%-16s %6lld %7lld %6lld %6lld %6lld %7.2f %7.2f\n",
                    sn_symtab_get(r->speakers, k), (long long)u.n,
                    (long long)c->n_ref, (long long)c->sub, (long long)c->del,
                    (long long)c->ins, wer_of(c), percent(u.wrong, u.n));
  }
  sn_free(sums);
  return s;
}

/* ---- Alignments ---- */

typedef struct aligned {
  const int32_t *ref, *hyp;
  size_t n_ref, n_hyp, n_ops;
  unsigned char *ops; /* owned */
  sn_score_counts counts;
} aligned;

static sn_status align_utt(const sn_report *r, int32_t u, aligned *a,
                           sn_err *err) {
  *a = (aligned){0};
  a->ref = sn_transcripts_words(r->ref, u, &a->n_ref);
  const int32_t v = sn_symtab_finds(r->hyp->ids, sn_symtab_get(r->ref->ids, u));
  if (v >= 0) a->hyp = sn_transcripts_words(r->hyp, v, &a->n_hyp);
  a->ops = sn_calloc(a->n_ref + a->n_hyp, 1);
  if (a->ops == NULL) return sn_fail_nomem(err, "alignment");
  const sn_status s = sn_align(a->ref, a->n_ref, a->hyp, a->n_hyp, r->costs,
                               &a->counts, a->ops, &a->n_ops, err);
  if (s != SN_OK) {
    sn_free(a->ops);
    a->ops = NULL;
  }
  return s;
}

/* Columns that s takes on a terminal, one for each code point. */
static size_t width(const char *s) {
  sn_span rest = sn_span_of(s);
  size_t n = 0;
  while (rest.n > 0) {
    (void)sn_utf8_next(&rest);
    n++;
  }
  return n;
}

static sn_status add_padded(sn_str *out, const char *text, size_t to,
                            sn_err *err) {
  SN_TRY(sn_str_adds(out, text, err));
  for (size_t n = width(text); n <= to; n++)
    SN_TRY(sn_str_add(out, " ", 1, err));
  return SN_OK;
}

static const char *const op_letters[] = {"", "S", "D", "I"};
static const char *const op_names[] = {"cor", "sub", "del", "ins"};

/* The three rows at once: a column is as wide as its widest entry. */
static sn_status add_rows(const sn_report *r, const aligned *a, sn_str rows[3],
                          sn_err *err) {
  size_t i = 0, j = 0;
  for (size_t k = 0; k < a->n_ops; k++) {
    const unsigned op = a->ops[k];
    const char *const x =
        op == SN_INS ? "***" : sn_score_word(r->words, a->ref[i++]);
    const char *const y =
        op == SN_DEL ? "***" : sn_score_word(r->words, a->hyp[j++]);
    const size_t wx = width(x), wy = width(y), to = wx > wy ? wx : wy;
    SN_TRY(add_padded(&rows[0], x, to, err));
    SN_TRY(add_padded(&rows[1], y, to, err));
    SN_TRY(add_padded(&rows[2], op_letters[op], to, err));
  }
  return SN_OK;
}

static sn_status add_row(sn_str *out, const char *head, const sn_str *row,
                         sn_err *err) {
  size_t n = row->n;
  while (n > 0 && row->data[n - 1] == ' ') n--;
  if (n > 0) {
    SN_TRY(sn_str_addf(out, err, "%s ", head));
    SN_TRY(sn_str_add(out, row->data, n, err));
  } else {
    SN_TRY(sn_str_add(out, head, head[0] == ' ' ? 0 : strlen(head), err));
  }
  return sn_str_adds(out, "\n", err);
}

static sn_status text_alignment(const sn_report *r, int32_t u, sn_str *out,
                                sn_err *err) {
  aligned a;
  SN_TRY(align_utt(r, u, &a, err));
  sn_str rows[3] = {{0}, {0}, {0}};
  sn_status s =
      sn_str_addf(out, err, "%s: %lld cor, %lld sub, %lld del, %lld ins\n",
                  sn_symtab_get(r->ref->ids, u), (long long)a.counts.cor,
                  (long long)a.counts.sub, (long long)a.counts.del,
                  (long long)a.counts.ins);
  if (s == SN_OK) s = add_rows(r, &a, rows, err);
  if (s == SN_OK) s = add_row(out, "REF:", &rows[0], err);
  if (s == SN_OK) s = add_row(out, "HYP:", &rows[1], err);
  if (s == SN_OK) s = add_row(out, "    ", &rows[2], err);
  for (int i = 0; i < 3; i++) sn_str_clear(&rows[i]);
  sn_free(a.ops);
  return s;
}

sn_status sn_report_alignments(const sn_report *r, sn_str *out, sn_err *err) {
  for (size_t u = 0; u < r->score->n_utts; u++)
    SN_TRY(text_alignment(r, (int32_t)u, out, err));
  return SN_OK;
}

/* ---- JSON ---- */

sn_status sn_report_json_string(const char *s, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out, "\"", err));
  for (; *s != '\0'; s++) {
    const unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\')
      SN_TRY(sn_str_addf(out, err, "\\%c", c));
    else if (c < 0x20)
      SN_TRY(sn_str_addf(out, err, "\\u%04x", c));
    else
      SN_TRY(sn_str_add(out, s, 1, err));
  }
  return sn_str_adds(out, "\"", err);
}

static sn_status json_counts(const sn_score_counts *c, sn_str *out,
                             sn_err *err) {
  return sn_str_addf(out, err,
                     "\"n\": %lld, \"errors\": %lld, \"cor\": %lld, \"sub\": "
                     "%lld, \"del\": %lld, \"ins\": %lld",
                     (long long)c->n_ref, (long long)sn_score_errors(c),
                     (long long)c->cor, (long long)c->sub, (long long)c->del,
                     (long long)c->ins);
}

/* "low": 11.7200, "high": 17.5800; null where there is no interval. */
static sn_status json_interval(const sn_report_interval *i, sn_str *out,
                               sn_err *err) {
  if (isnan(i->low))
    return sn_str_adds(out, "\"low\": null, \"high\": null", err);
  return sn_str_addf(out, err, "\"low\": %.4f, \"high\": %.4f", 100.0 * i->low,
                     100.0 * i->high);
}

static sn_status json_rate(const char *name, const sn_score_counts *c,
                           const sn_report_interval *i, sn_str *out,
                           sn_err *err) {
  SN_TRY(
      sn_str_addf(out, err, ", \"%s\": {\"percent\": %.4f, ", name, wer_of(c)));
  SN_TRY(json_interval(i, out, err));
  SN_TRY(sn_str_adds(out, ", ", err));
  SN_TRY(json_counts(c, out, err));
  return sn_str_adds(out, "}", err);
}

static sn_status json_ids(const char *name, const sn_transcripts *t,
                          const sn_arr_i32 *utts, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_addf(out, err, ", \"%s\": [", name));
  for (size_t i = 0; i < utts->n; i++) {
    if (i > 0) SN_TRY(sn_str_adds(out, ", ", err));
    SN_TRY(
        sn_report_json_string(sn_symtab_get(t->ids, utts->data[i]), out, err));
  }
  return sn_str_adds(out, "]", err);
}

static sn_status json_speakers(const sn_report *r, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out, ", \"wer_over_speakers\": {", err));
  SN_TRY(json_interval(&r->wer_speakers, out, err));
  SN_TRY(sn_str_adds(out, "}, \"speakers\": [", err));
  sn_score_counts *sums = NULL;
  SN_TRY(per_speaker(r, &sums, err));
  sn_status s = SN_OK;
  for (int32_t k = 0; s == SN_OK && k < sn_symtab_n(r->speakers); k++) {
    const speaker_utts u = count_utts(r, k);
    s = sn_str_adds(out, k > 0 ? ",\n  {\"id\": " : "\n  {\"id\": ", err);
    if (s == SN_OK)
      s = sn_report_json_string(sn_symtab_get(r->speakers, k), out, err);
    if (s == SN_OK)
      s = sn_str_addf(out, err,
                      ", \"utterances\": %lld, \"wrong\": %lld, \"percent\": "
                      "%.4f, ",
                      (long long)u.n, (long long)u.wrong, wer_of(&sums[k]));
    if (s == SN_OK) s = json_counts(&sums[k], out, err);
    if (s == SN_OK) s = sn_str_adds(out, "}", err);
  }
  sn_free(sums);
  return s == SN_OK ? sn_str_adds(out, "]", err) : s;
}

static sn_status json_ops(const sn_report *r, const aligned *a, sn_str *out,
                          sn_err *err) {
  size_t i = 0, j = 0;
  for (size_t k = 0; k < a->n_ops; k++) {
    const unsigned op = a->ops[k];
    SN_TRY(
        sn_str_addf(out, err, "%s[\"%s\", ", k > 0 ? ", " : "", op_names[op]));
    SN_TRY(op == SN_INS ? sn_str_adds(out, "null", err)
                        : sn_report_json_string(
                              sn_score_word(r->words, a->ref[i++]), out, err));
    SN_TRY(sn_str_adds(out, ", ", err));
    SN_TRY(op == SN_DEL ? sn_str_adds(out, "null", err)
                        : sn_report_json_string(
                              sn_score_word(r->words, a->hyp[j++]), out, err));
    SN_TRY(sn_str_adds(out, "]", err));
  }
  return SN_OK;
}

static sn_status json_utt(const sn_report *r, int32_t u, sn_str *out,
                          sn_err *err) {
  aligned a;
  SN_TRY(align_utt(r, u, &a, err));
  sn_status s = sn_report_json_string(sn_symtab_get(r->ref->ids, u), out, err);
  if (s == SN_OK) s = sn_str_adds(out, ", ", err);
  if (s == SN_OK) s = json_counts(&a.counts, out, err);
  if (s == SN_OK) s = sn_str_adds(out, ", \"alignment\": [", err);
  if (s == SN_OK) s = json_ops(r, &a, out, err);
  if (s == SN_OK) s = sn_str_adds(out, "]}", err);
  sn_free(a.ops);
  return s;
}

static sn_status json_alignments(const sn_report *r, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out, ", \"utts\": [", err));
  for (size_t u = 0; u < r->score->n_utts; u++) {
    SN_TRY(sn_str_adds(out, u > 0 ? ",\n  {\"id\": " : "\n  {\"id\": ", err));
    SN_TRY(json_utt(r, (int32_t)u, out, err));
  }
  return sn_str_adds(out, "]", err);
}

sn_status sn_report_json(const sn_report *r, bool alignments, sn_str *out,
                         sn_err *err) {
  const sn_score *const s = r->score;
  SN_TRY(sn_str_adds(out, "{\"ref\": ", err));
  SN_TRY(sn_report_json_string(r->ref->name, out, err));
  SN_TRY(sn_str_adds(out, ", \"hyp\": ", err));
  SN_TRY(sn_report_json_string(r->hyp->name, out, err));
  SN_TRY(sn_str_addf(out, err, ", \"draws\": %d, \"seed\": %d",
                     (int)r->bootstrap.n_draws, (int)r->bootstrap.seed));
  SN_TRY(json_rate("wer", &s->total, &r->wer, out, err));
  if (s->chars != NULL)
    SN_TRY(json_rate("cer", &s->total_chars, &r->cer, out, err));
  SN_TRY(sn_str_addf(out, err, ", \"ser\": {\"percent\": %.4f, ",
                     percent(s->n_wrong, (int64_t)s->n_utts)));
  SN_TRY(json_interval(&r->ser, out, err));
  SN_TRY(sn_str_addf(out, err, ", \"n\": %zu, \"errors\": %lld}", s->n_utts,
                     (long long)s->n_wrong));
  const sn_score_marks *const m = r->marks;
  if (m != NULL && m->n > 0 && !isnan(m->nce))
    SN_TRY(sn_str_addf(out, err,
                       ", \"nce\": {\"value\": %.6f, \"n\": %zu, \"right\": "
                       "%zu, \"mean_confidence\": %.6f}",
                       m->nce, m->n, count_right(m),
                       mean(m->confidence, m->n)));
  SN_TRY(json_ids("missing", r->ref, &s->missing, out, err));
  SN_TRY(json_ids("extra", r->hyp, &s->extra, out, err));
  if (r->speakers != NULL) SN_TRY(json_speakers(r, out, err));
  if (alignments) SN_TRY(json_alignments(r, out, err));
  return sn_str_adds(out, "}", err);
}

/* ---- Two systems ---- */

sn_status sn_report_compare(const sn_report *a, const sn_report *b,
                            sn_comparison *out, sn_err *err) {
  *out = (sn_comparison){.has_speakers = a->speakers != NULL};
  SN_TRY(sn_score_paired(a->score->words, b->score->words, a->score->n_utts,
                         &a->bootstrap, &out->utts, err));
  if (!out->has_speakers) return SN_OK;
  sn_score_counts *x = NULL, *y = NULL;
  sn_status s = per_speaker(a, &x, err);
  if (s == SN_OK) s = per_speaker(b, &y, err);
  if (s == SN_OK)
    s = sn_score_paired(x, y, (size_t)sn_symtab_n(a->speakers), &a->bootstrap,
                        &out->speakers, err);
  sn_free(x);
  sn_free(y);
  return s;
}

static sn_status text_paired(const char *over, const sn_paired *p, sn_str *out,
                             sn_err *err) {
  return sn_str_addf(out, err,
                     "  over %s: [%.2f, %.2f]; the first is better in %.2f %% "
                     "of the draws, the second in %.2f %%\n",
                     over, 100.0 * p->low, 100.0 * p->high,
                     100.0 * p->p_a_is_better, 100.0 * p->p_b_is_better);
}

sn_status sn_report_comparison_text(const sn_report *a, const sn_report *b,
                                    const sn_comparison *c, sn_str *out,
                                    sn_err *err) {
  SN_TRY(sn_str_addf(out, err, "WER of %s minus WER of %s: %+.2f points\n",
                     a->hyp->name, b->hyp->name, 100.0 * c->utts.difference));
  if (a->score->n_utts > 1)
    SN_TRY(text_paired("utterances", &c->utts, out, err));
  return c->has_speakers && sn_symtab_n(a->speakers) > 1
             ? text_paired("speakers", &c->speakers, out, err)
             : SN_OK;
}

static sn_status json_paired(const char *name, const sn_paired *p, sn_str *out,
                             sn_err *err) {
  return sn_str_addf(out, err,
                     "\"%s\": {\"difference\": %.4f, \"low\": %.4f, \"high\": "
                     "%.4f, \"p_first_is_better\": %.4f, "
                     "\"p_second_is_better\": %.4f}",
                     name, 100.0 * p->difference, 100.0 * p->low,
                     100.0 * p->high, p->p_a_is_better, p->p_b_is_better);
}

sn_status sn_report_comparison_json(const sn_comparison *c, sn_str *out,
                                    sn_err *err) {
  SN_TRY(sn_str_adds(out, "{", err));
  SN_TRY(json_paired("over_utterances", &c->utts, out, err));
  if (c->has_speakers) {
    SN_TRY(sn_str_adds(out, ", ", err));
    SN_TRY(json_paired("over_speakers", &c->speakers, out, err));
  }
  return sn_str_adds(out, "}", err);
}
