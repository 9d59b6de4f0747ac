/* SPDX-License-Identifier: Apache-2.0 */
/* Subtitles: words gathered into cues.
 *
 *  1. A cue ends before a pause of PAUSE_S, and where the next word would make
 *     it longer than two lines or MAX_S.
 *  2. A cue whose text is longer than a line is broken into two at the blank
 *     that makes them most equal, a pause of SHORT_PAUSE_S counting for more,
 *     of those that leave both within a line's length.
 *  3. A cue stays for MIN_S at least, but not into the next one.
 *
 * The limits are those of common subtitling guides (42 characters a line, two
 * lines, one to seven seconds). Formats: SubRip as players read it; W3C
 * WebVTT, section 4. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "decoder/output_internal.h"

#define LINE_CHARS 42
#define MAX_S 7.0
#define MIN_S 1.0
#define PAUSE_S 0.6
#define SHORT_PAUSE_S 0.15
#define SHORT_PAUSE_CHARS 10 /* what such a pause may cost in balance */

/* Characters, not bytes: continuation bytes do not count. */
static size_t n_chars(const char *s) {
  size_t n = 0;
  for (; *s != '\0'; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
  return n;
}

/* Characters of words [a, b) with blanks. */
static size_t span_chars(const sn_out_utt *u, size_t a, size_t b) {
  size_t n = b > a ? b - a - 1 : 0;
  for (size_t i = a; i < b; i++) n += n_chars(u->words[i].text);
  return n;
}

/* Whether words [a, b) fill two lines at most. */
static bool fits(const sn_out_utt *u, size_t a, size_t b) {
  size_t i = a + 1; /* the first line takes what it can */
  while (i < b && span_chars(u, a, i + 1) <= LINE_CHARS) i++;
  return i == b || span_chars(u, i, b) <= LINE_CHARS;
}

/* Step 1: words [a, returned) are a cue. */
static size_t cue_end(const sn_out_utt *u, size_t a) {
  size_t b = a + 1;
  for (; b < u->n_words; b++) {
    if (u->words[b].begin_s - u->words[b - 1].end_s >= PAUSE_S) break;
    if (u->words[b].end_s - u->words[a].begin_s > MAX_S) break;
    if (!fits(u, a, b + 1)) break;
  }
  return b;
}

/* Step 2: the word that begins the second line; b: there is one line. */
static size_t line_break(const sn_out_utt *u, size_t a, size_t b) {
  if (span_chars(u, a, b) <= LINE_CHARS) return b;
  size_t best = b;
  double best_cost = INFINITY;
  for (size_t i = a + 1; i < b; i++) {
    const double first = (double)span_chars(u, a, i);
    const double second = (double)span_chars(u, i, b);
    const double gap_s = u->words[i].begin_s - u->words[i - 1].end_s;
    const double longer = fmax(first, second);
    const double cost = longer > LINE_CHARS      ? longer + SHORT_PAUSE_CHARS
                        : gap_s >= SHORT_PAUSE_S ? longer - SHORT_PAUSE_CHARS
                                                 : longer;
    if (cost < best_cost) {
      best_cost = cost;
      best = i;
    }
  }
  return best;
}

static sn_status add_time(sn_out_format f, double time_s, sn_str *out,
                          sn_err *err) {
  const int64_t ms = (int64_t)llround(time_s * 1000.0);
  return sn_str_addf(out, err,
                     "%02" PRId64 ":%02" PRId64 ":%02" PRId64 "%c%03" PRId64,
                     ms / 3600000, ms / 60000 % 60, ms / 1000 % 60,
                     f == SN_OUT_SRT ? ',' : '.', ms % 1000);
}

/* WebVTT text may not hold & and < as they are (nor "-->"). */
static sn_status add_text(sn_out_format f, const char *s, sn_str *out,
                          sn_err *err) {
  if (f == SN_OUT_SRT) return sn_str_adds(out, s, err);
  for (; *s != '\0'; s++) {
    const char *const escaped = *s == '&'   ? "&amp;"
                                : *s == '<' ? "&lt;"
                                : *s == '>' ? "&gt;"
                                            : NULL;
    if (escaped != NULL)
      SN_TRY(sn_str_adds(out, escaped, err));
    else
      SN_TRY(sn_str_add(out, s, 1, err));
  }
  return SN_OK;
}

static sn_status add_cue(sn_out_format f, const sn_out_utt *u, size_t number,
                         size_t a, size_t b, sn_str *out, sn_err *err) {
  const double begin_s = u->words[a].begin_s;
  double end_s = u->words[b - 1].end_s;
  const double limit_s =
      b < u->n_words ? u->words[b].begin_s : fmax(end_s, u->end_s);
  if (end_s < begin_s + MIN_S) end_s = fmin(begin_s + MIN_S, limit_s);
  if (f == SN_OUT_SRT) SN_TRY(sn_str_addf(out, err, "%zu\n", number));
  SN_TRY(add_time(f, begin_s, out, err));
  SN_TRY(sn_str_adds(out, " --> ", err));
  SN_TRY(add_time(f, end_s, out, err));
  SN_TRY(sn_str_adds(out, "\n", err));
  const size_t second = line_break(u, a, b);
  for (size_t i = a; i < b; i++) {
    if (i > a) SN_TRY(sn_str_adds(out, i == second ? "\n" : " ", err));
    SN_TRY(add_text(f, u->words[i].text, out, err));
  }
  return sn_str_adds(out, "\n\n", err);
}

sn_status sni_out_subtitles(sn_out_format f, const sn_out_utt *u, sn_str *out,
                            sn_err *err) {
  if (f == SN_OUT_VTT) SN_TRY(sn_str_adds(out, "WEBVTT\n\n", err));
  size_t number = 0;
  for (size_t a = 0; a < u->n_words;) {
    const size_t b = cue_end(u, a);
    SN_TRY(add_cue(f, u, ++number, a, b, out, err));
    a = b;
  }
  return SN_OK;
}
