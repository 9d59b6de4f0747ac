/* SPDX-License-Identifier: Apache-2.0 */
/* The line formats, JSON and TextGrid; subtitles are in output_subtitles.c.
 *
 * Sources: NIST sclite(1), "trn" and "ctm"; RFC 8259 (JSON); the Praat manual,
 * "TextGrid file formats". */
#include "decoder/output.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "decoder/output_internal.h"

const char *sn_out_ending(sn_out_format f) {
  static const char *const endings[SN_N_OUT] = {
      "txt", "txt", "trn", "json", "ctm", "srt", "vtt", "TextGrid"};
  return f < SN_N_OUT ? endings[f] : "";
}

bool sn_out_many(sn_out_format f) { return f <= SN_OUT_CTM; }

#define MOST_DECIMALS 12

sn_status sni_out_number(sn_str *out, double x, int decimals, sn_err *err) {
  SN_ASSERT(decimals >= 0 && decimals <= MOST_DECIMALS);
  int64_t unit = 1;
  for (int i = 0; i < decimals; i++) unit *= 10;
  const int64_t n = (int64_t)llround(fabs(x) * (double)unit);
  SN_TRY(
      sn_str_addf(out, err, "%s%" PRId64, x < 0 && n > 0 ? "-" : "", n / unit));
  if (decimals == 0) return SN_OK;
  return sn_str_addf(out, err, ".%0*" PRId64, decimals, n % unit);
}

static sn_status add_words(const sn_out_utt *u, sn_str *out, sn_err *err) {
  for (size_t i = 0; i < u->n_words; i++) {
    if (i > 0) SN_TRY(sn_str_adds(out, " ", err));
    SN_TRY(sn_str_adds(out, u->words[i].text, err));
  }
  return SN_OK;
}

static sn_status add_kaldi(const sn_out_utt *u, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out, u->id, err));
  if (u->n_words > 0) SN_TRY(sn_str_adds(out, " ", err));
  SN_TRY(add_words(u, out, err));
  return sn_str_adds(out, "\n", err);
}

static sn_status add_trn(const sn_out_utt *u, sn_str *out, sn_err *err) {
  SN_TRY(add_words(u, out, err));
  if (u->n_words > 0) SN_TRY(sn_str_adds(out, " ", err));
  return sn_str_addf(out, err, "(%s)\n", u->id);
}

static sn_status add_ctm(const sn_out_utt *u, sn_str *out, sn_err *err) {
  for (size_t i = 0; i < u->n_words; i++) {
    const sn_out_word *const w = &u->words[i];
    SN_TRY(sn_str_addf(out, err, "%s 1 ", u->id));
    /* of rounded times, so that a word ends where the next one begins */
    const double begin_ms = round(w->begin_s * 1000.0);
    const double length_ms = round(w->end_s * 1000.0) - begin_ms;
    SN_TRY(sni_out_number(out, begin_ms / 1000.0, 3, err));
    SN_TRY(sn_str_adds(out, " ", err));
    SN_TRY(sni_out_number(out, length_ms / 1000.0, 3, err));
    SN_TRY(sn_str_addf(out, err, " %s", w->text));
    if (w->has_confidence) {
      SN_TRY(sn_str_adds(out, " ", err));
      SN_TRY(sni_out_number(out, w->confidence, 4, err));
    }
    SN_TRY(sn_str_adds(out, "\n", err));
  }
  return SN_OK;
}

/* ---- JSON ---- */

/* Length of the well-formed UTF-8 sequence at s, 0 if there is none. */
static size_t utf8_length(const char *s) {
  const unsigned char c = (unsigned char)s[0];
  const size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  size_t bad;
  return strnlen(s, n) == n && sn_utf8_valid(s, n, &bad) ? n : 0;
}

static sn_status json_string(const char *s, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out, "\"", err));
  while (*s != '\0') {
    const size_t n = utf8_length(s);
    if (n == 0) {
      SN_TRY(sn_str_adds(out, "\xef\xbf\xbd", err)); /* U+FFFD */
      s++;
      continue;
    }
    if (*s == '"' || *s == '\\')
      SN_TRY(sn_str_addf(out, err, "\\%c", *s));
    else if ((unsigned char)*s < 0x20 || *s == 0x7f)
      SN_TRY(sn_str_addf(out, err, "\\u%04x", (unsigned)*s));
    else
      SN_TRY(sn_str_add(out, s, n, err));
    s += n;
  }
  return sn_str_adds(out, "\"", err);
}

/* ,"name":number; infinity and NaN, which JSON lacks, are null. */
static sn_status json_number(const char *name, double x, int decimals,
                             sn_str *out, sn_err *err) {
  SN_TRY(sn_str_addf(out, err, ",\"%s\":", name));
  if (!isfinite(x)) return sn_str_adds(out, "null", err);
  return sni_out_number(out, x, decimals, err);
}

/* Decimals that show n digits of a probability: that of a long sentence is
 * small. */
static int significant(double p, int n) {
  int decimals = n;
  while (p > 0 && p < 0.1 && decimals < MOST_DECIMALS) {
    p *= 10;
    decimals++;
  }
  return decimals;
}

static sn_status json_span(double begin_s, double end_s, sn_str *out,
                           sn_err *err) {
  SN_TRY(json_number("begin", begin_s, 3, out, err));
  return json_number("end", end_s, 3, out, err);
}

static sn_status json_costs(double graph, double acoustic, sn_str *out,
                            sn_err *err) {
  SN_TRY(json_number("graph_cost", graph, 4, out, err));
  return json_number("acoustic_cost", acoustic, 4, out, err);
}

/* Nothing where the confidence is not known. */
static sn_status json_confidence(const sn_out_word *w, sn_str *out,
                                 sn_err *err) {
  if (!w->has_confidence) return SN_OK;
  SN_TRY(json_number("confidence", w->confidence, 4, out, err));
  if (w->n_alternatives == 0) return SN_OK;
  SN_TRY(sn_str_adds(out, ",\"alternatives\":[", err));
  for (size_t i = 0; i < w->n_alternatives; i++) {
    SN_TRY(sn_str_adds(out, i > 0 ? ",{\"word\":" : "{\"word\":", err));
    SN_TRY(json_string(w->alternatives[i].text, out, err));
    SN_TRY(json_number("posterior", w->alternatives[i].posterior, 4, out, err));
    SN_TRY(sn_str_adds(out, "}", err));
  }
  return sn_str_adds(out, "]", err);
}

static sn_status json_sentences(const sn_out_utt *u, sn_str *out, sn_err *err) {
  if (u->n_sentences == 0) return SN_OK;
  SN_TRY(sn_str_adds(out, ",\"nbest\":[", err));
  for (size_t i = 0; i < u->n_sentences; i++) {
    const sn_out_sentence *const x = &u->sentences[i];
    SN_TRY(sn_str_adds(out, i > 0 ? ",{\"text\":" : "{\"text\":", err));
    SN_TRY(json_string(x->text, out, err));
    SN_TRY(json_costs(x->graph_cost, x->acoustic_cost, out, err));
    SN_TRY(json_number("posterior", x->posterior, significant(x->posterior, 4),
                       out, err));
    SN_TRY(sn_str_adds(out, "}", err));
  }
  return sn_str_adds(out, "]", err);
}

static sn_status json_words(const sn_out_utt *u, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out, ",\"words\":[", err));
  for (size_t i = 0; i < u->n_words; i++) {
    const sn_out_word *const w = &u->words[i];
    SN_TRY(sn_str_adds(out, i > 0 ? ",{\"word\":" : "{\"word\":", err));
    SN_TRY(json_string(w->text, out, err));
    SN_TRY(json_span(w->begin_s, w->end_s, out, err));
    SN_TRY(json_costs(w->graph_cost, w->acoustic_cost, out, err));
    SN_TRY(json_confidence(w, out, err));
    SN_TRY(sn_str_adds(out, "}", err));
  }
  return sn_str_adds(out, "]", err);
}

static sn_status json_phones(const sn_out_utt *u, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out, ",\"phones\":[", err));
  for (size_t i = 0; i < u->n_phones; i++) {
    const sn_out_phone *const p = &u->phones[i];
    SN_TRY(sn_str_adds(out, i > 0 ? ",{\"phone\":" : "{\"phone\":", err));
    SN_TRY(json_string(p->text, out, err));
    SN_TRY(json_span(p->begin_s, p->end_s, out, err));
    SN_TRY(sn_str_adds(out, "}", err));
  }
  return sn_str_adds(out, "]", err);
}

sn_status sni_out_json(const sn_out_utt *u, sn_str *out, sn_err *err) {
  sn_str text = {0};
  SN_TRY(sn_str_adds(out, "{\"id\":", err));
  SN_TRY(json_string(u->id, out, err));
  SN_TRY(sn_str_adds(out, ",\"text\":", err));
  sn_status s = add_words(u, &text, err);
  if (s == SN_OK) s = json_string(sn_str_get(&text), out, err);
  sn_str_clear(&text);
  SN_TRY(s);
  SN_TRY(json_span(u->begin_s, u->end_s, out, err));
  SN_TRY(json_costs(u->graph_cost, u->acoustic_cost, out, err));
  SN_TRY(sn_str_addf(out, err, ",\"no_path\":%s,\"incomplete\":%s",
                     u->no_path ? "true" : "false",
                     u->incomplete ? "true" : "false"));
  if (u->no_speech) SN_TRY(sn_str_adds(out, ",\"no_speech\":true", err));
  if (u->rescored) SN_TRY(sn_str_adds(out, ",\"rescored\":true", err));
  SN_TRY(json_words(u, out, err));
  SN_TRY(json_phones(u, out, err));
  SN_TRY(json_sentences(u, out, err));
  return sn_str_adds(out, "}\n", err);
}

/* ---- TextGrid ---- */

/* Praat wants intervals that tile the tier: gaps become empty ones, and what
 * has no length or overlaps is left out or cut. */
typedef struct tier {
  sn_str body;
  size_t n;
  double at_s, end_s;
} tier;

static sn_status add_interval(tier *t, double begin_s, double end_s,
                              const char *text, sn_err *err) {
  t->n++;
  SN_TRY(sn_str_addf(&t->body, err, "        intervals [%zu]:\n", t->n));
  SN_TRY(sn_str_adds(&t->body, "            xmin = ", err));
  SN_TRY(sni_out_number(&t->body, begin_s, 6, err));
  SN_TRY(sn_str_adds(&t->body, "\n            xmax = ", err));
  SN_TRY(sni_out_number(&t->body, end_s, 6, err));
  SN_TRY(sn_str_adds(&t->body, "\n            text = \"", err));
  for (const char *c = text; *c != '\0'; c++) /* a quote is doubled */
    SN_TRY(
        sn_str_add(&t->body, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1, err));
  t->at_s = end_s;
  return sn_str_adds(&t->body, "\"\n", err);
}

/* Half a microsecond: less than what is printed. */
#define NO_TIME 5e-7

static sn_status add_item(tier *t, double begin_s, double end_s,
                          const char *text, sn_err *err) {
  if (begin_s < t->at_s) begin_s = t->at_s;
  if (end_s > t->end_s) end_s = t->end_s;
  if (end_s - begin_s < NO_TIME) return SN_OK;
  if (begin_s - t->at_s < NO_TIME)
    begin_s = t->at_s;
  else
    SN_TRY(add_interval(t, t->at_s, begin_s, "", err));
  return add_interval(t, begin_s, end_s, text, err);
}

static sn_status end_tier(const sn_out_utt *u, tier *t, int number,
                          const char *name, sn_str *out, sn_err *err) {
  if (t->end_s - t->at_s >= NO_TIME || t->n == 0)
    SN_TRY(add_interval(t, t->at_s, t->end_s, "", err));
  SN_TRY(sn_str_addf(out, err,
                     "    item [%d]:\n        class = \"IntervalTier\"\n"
                     "        name = \"%s\"\n        xmin = ",
                     number, name));
  SN_TRY(sni_out_number(out, u->begin_s, 6, err));
  SN_TRY(sn_str_adds(out, "\n        xmax = ", err));
  SN_TRY(sni_out_number(out, t->end_s, 6, err));
  SN_TRY(sn_str_addf(out, err, "\n        intervals: size = %zu\n", t->n));
  return sn_str_add(out, t->body.data, t->body.n, err);
}

static sn_status add_tier(const sn_out_utt *u, bool words, double end_s,
                          sn_str *out, sn_err *err) {
  tier t = {{0}, 0, u->begin_s, end_s};
  sn_status s = SN_OK;
  if (words) {
    for (size_t i = 0; s == SN_OK && i < u->n_words; i++)
      s = add_item(&t, u->words[i].begin_s, u->words[i].end_s, u->words[i].text,
                   err);
    if (s == SN_OK) s = end_tier(u, &t, 1, "words", out, err);
  } else {
    for (size_t i = 0; s == SN_OK && i < u->n_phones; i++)
      s = add_item(&t, u->phones[i].begin_s, u->phones[i].end_s,
                   u->phones[i].text, err);
    if (s == SN_OK) s = end_tier(u, &t, 2, "phones", out, err);
  }
  sn_str_clear(&t.body);
  return s;
}

sn_status sni_out_textgrid(const sn_out_utt *u, sn_str *out, sn_err *err) {
  /* An empty tier is no TextGrid: an empty recording lasts a millisecond. */
  const double end_s = u->end_s > u->begin_s ? u->end_s : u->begin_s + 0.001;
  SN_TRY(sn_str_adds(out,
                     "File type = \"ooTextFile\"\nObject class = "
                     "\"TextGrid\"\n\nxmin = ",
                     err));
  SN_TRY(sni_out_number(out, u->begin_s, 6, err));
  SN_TRY(sn_str_adds(out, "\nxmax = ", err));
  SN_TRY(sni_out_number(out, end_s, 6, err));
  SN_TRY(sn_str_adds(out, "\ntiers? <exists>\nsize = 2\nitem []:\n", err));
  SN_TRY(add_tier(u, true, end_s, out, err));
  return add_tier(u, false, end_s, out, err);
}

sn_status sn_out_add(sn_out_format f, const sn_out_utt *u, sn_str *out,
                     sn_err *err) {
  switch (f) {
    case SN_OUT_KALDI:
      return add_kaldi(u, out, err);
    case SN_OUT_TRN:
      return add_trn(u, out, err);
    case SN_OUT_JSON:
      return sni_out_json(u, out, err);
    case SN_OUT_CTM:
      return add_ctm(u, out, err);
    case SN_OUT_SRT:
    case SN_OUT_VTT:
      return sni_out_subtitles(f, u, out, err);
    case SN_OUT_TEXTGRID:
      return sni_out_textgrid(u, out, err);
    case SN_OUT_TEXT:
    case SN_N_OUT:
      break;
  }
  SN_TRY(add_words(u, out, err));
  return sn_str_adds(out, "\n", err);
}
