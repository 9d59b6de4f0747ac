/* SPDX-License-Identifier: Apache-2.0 */
/* Times by alignment: segments of phones as in hyp.c, steps 3 and 4, from
 * labels alone; and frames to seconds. */
#include "decoder/lat_align.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/hyp_internal.h"
#include "decoder/lat_align_internal.h"

enum { ENTRY = 1, FILLER = 2, POS_SHIFT = 2, ZERO = '@' };
/* As in am/am.h (sn_wordpos). */
enum { POS_BEGIN = 1, POS_SINGLE = 3 };

sn_status sn_lat_labels_add(const sn_graph *g, sn_str *out, sn_err *err) {
  for (int32_t l = 0; l < g->n_labels; l++) {
    const sn_graph_label *const x = &g->labels[l];
    const char c =
        (char)(ZERO + (x->is_entry ? ENTRY : 0) + (x->is_filler ? FILLER : 0) +
               ((x->wordpos & 3) << POS_SHIFT));
    SN_TRY(sn_str_add(out, &c, 1, err));
  }
  return SN_OK;
}

sni_boundary sni_boundary_of(char label, bool *in_word) {
  const int kind = label - ZERO;
  if (!(kind & ENTRY)) return SNI_NO_BOUNDARY;
  const int pos = (kind >> POS_SHIFT) & 3;
  if (kind & FILLER) {
    const bool was_in = *in_word;
    *in_word = false;
    return was_in ? SNI_ENDS : SNI_NO_BOUNDARY;
  }
  if (*in_word && pos != POS_BEGIN && pos != POS_SINGLE) return SNI_NO_BOUNDARY;
  *in_word = true;
  return SNI_BEGINS;
}

bool sni_have_positions(const char *labels) {
  for (; *labels != '\0'; labels++)
    if ((((*labels - ZERO) >> POS_SHIFT) & 3) != 0) return true;
  return false;
}

static sn_status find_segments(const char *labels, const sn_arr_i32 *ali,
                               sn_arr_i32 *begin, sn_arr_i32 *end, bool *fits,
                               sn_err *err) {
  const size_t n_labels = strlen(labels);
  bool in_word = false;
  *fits = false;
  for (size_t f = 0; f < ali->n; f++) {
    const int32_t l = ali->data[f];
    if (l < 0 || (size_t)l >= n_labels) return SN_OK;
    if (f > 0 && l == ali->data[f - 1]) continue;
    const bool was_in = in_word;
    const sni_boundary b = sni_boundary_of(labels[l], &in_word);
    if (b != SNI_NO_BOUNDARY && was_in)
      SN_TRY(SN_ARR_PUSH(end, (int32_t)f, err));
    if (b == SNI_BEGINS) SN_TRY(SN_ARR_PUSH(begin, (int32_t)f, err));
  }
  if (in_word) SN_TRY(SN_ARR_PUSH(end, (int32_t)ali->n, err));
  *fits = true;
  return SN_OK;
}

sn_status sn_lat_word_times(const char *labels, const sn_lat_path *path,
                            sn_arr_i32 *begin, sn_arr_i32 *end, bool *found,
                            sn_err *err) {
  bool fits = false;
  begin->n = end->n = 0;
  const sn_status s = find_segments(labels, &path->ali, begin, end, &fits, err);
  *found = s == SN_OK && fits && begin->n >= path->words.n;
  begin->n = end->n = *found ? path->words.n : 0;
  return s;
}

/* ---- Frames and seconds ---- */

static bool is_plain(const sni_times *t, double offset_s, double frame_s) {
  if (t->n_frames == 0) return true;
  const sni_time_run *const r = &t->runs.data[0];
  return t->runs.n == 1 && fabs(r->begin_s + offset_s) < 1e-6 &&
         fabs(r->length_s - frame_s) < 1e-6 &&
         (t->n_frames == 1 || fabs(r->step_s - frame_s) < 1e-6);
}

sn_status sn_lat_times_add(const sn_decoder *d, double offset_s, double frame_s,
                           const char *key, sn_str *out, sn_err *err) {
  const sni_times *const t = sni_decoder_times(d);
  if (is_plain(t, offset_s, frame_s) || strpbrk(key, "\t\n") != NULL)
    return SN_OK;
  SN_TRY(sn_str_addf(out, err, "%s\t%" PRId64, key, t->n_frames));
  for (size_t i = 0; i < t->runs.n; i++) {
    const sni_time_run *const r = &t->runs.data[i];
    SN_TRY(sn_str_addf(out, err, " %" PRId64 " %.9g %.9g %.9g", r->first,
                       r->begin_s + offset_s, r->step_s, r->length_s));
  }
  return sn_str_adds(out, "\n", err);
}

struct sn_lat_clock {
  double frame_s;
  sn_symtab *keys;
  SN_ARR(sn_span) lines; /* [keys] behind the TAB, in the text */
  sni_times times;       /* of the present utterance; no frames: plain */
};

static sn_status index_lines(sn_lat_clock *c, const char *text, sn_err *err) {
  for (const char *at = text; *at != '\0';) {
    const size_t n = strcspn(at, "\n");
    const char *const tab = memchr(at, '\t', n);
    int32_t id = -1;
    if (tab == NULL)
      return sn_fail(err, SN_EFORMAT, "times of lattices: '%.*s' has no TAB",
                     (int)(n < 60 ? n : 60), at);
    SN_TRY(sn_symtab_add(c->keys, at, (size_t)(tab - at), &id, err));
    if ((size_t)id < c->lines.n)
      return sn_fail(err, SN_EFORMAT, "times of lattices: '%.*s' comes twice",
                     (int)(tab - at < 60 ? tab - at : 60), at);
    const sn_span rest = {tab + 1, n - (size_t)(tab + 1 - at)};
    SN_TRY(SN_ARR_PUSH(&c->lines, rest, err));
    at += n + (at[n] == '\n');
  }
  return SN_OK;
}

sn_status sn_lat_clock_create(const char *times, double frame_s,
                              sn_lat_clock **out, sn_err *err) {
  *out = NULL;
  sn_lat_clock *const c = sn_calloc(1, sizeof *c);
  if (c == NULL) return sn_fail_nomem(err, "times of lattices");
  c->frame_s = frame_s;
  sn_status s = sn_symtab_create(&c->keys, err);
  if (s == SN_OK && times != NULL) s = index_lines(c, times, err);
  if (s != SN_OK) {
    sn_lat_clock_destroy(c);
    return s;
  }
  *out = c;
  return SN_OK;
}

void sn_lat_clock_destroy(sn_lat_clock *c) {
  if (c == NULL) return;
  sn_symtab_destroy(c->keys);
  SN_ARR_FREE(&c->lines);
  sni_times_clear(&c->times);
  sn_free(c);
}

static bool next_number(sn_span *line, double most, double *out) {
  sn_span field;
  return sn_next_field(line, &field) && sn_parse_double(field, out) &&
         *out >= 0 && *out <= most;
}

static bool parse_line(sn_lat_clock *c, sn_span line, sn_err *err,
                       sn_status *s) {
  const double most_s = 1e9;
  double n = 0, first = 0, last = -1;
  if (!next_number(&line, INT32_MAX, &n) || floor(n) != n) return false;
  while (sn_span_trim(line).n > 0) {
    sni_time_run r = {0};
    if (!next_number(&line, n, &first) || floor(first) != first ||
        first <= last || (last < 0 && first > 0) ||
        !next_number(&line, most_s, &r.begin_s) ||
        !next_number(&line, most_s, &r.step_s) ||
        !next_number(&line, most_s, &r.length_s))
      return false;
    last = first;
    r.first = (int64_t)first;
    *s = SN_ARR_PUSH(&c->times.runs, r, err);
    if (*s != SN_OK) return true;
  }
  c->times.n_frames = (int64_t)n;
  return c->times.runs.n > 0;
}

sn_status sn_lat_clock_set(sn_lat_clock *c, const char *key, sn_err *err) {
  sn_status s = SN_OK;
  const int32_t id = sn_symtab_finds(c->keys, key);
  sni_times_reset(&c->times);
  if (id < 0 || parse_line(c, c->lines.data[id], err, &s)) return s;
  sni_times_reset(&c->times);
  return sn_fail(err, SN_EFORMAT,
                 "utterance '%s': its times are not 'frames first begin step "
                 "length ...'",
                 key);
}

double sn_lat_clock_begin_s(const sn_lat_clock *c, double f) {
  if (c->times.n_frames == 0) return f * c->frame_s;
  const int64_t whole = (int64_t)floor(f);
  const double a = sni_times_begin_s(&c->times, whole);
  const double b = sni_times_begin_s(&c->times, whole + 1);
  return a + (f - (double)whole) * (b - a);
}

double sn_lat_clock_end_s(const sn_lat_clock *c, double f) {
  if (c->times.n_frames == 0 || floor(f) != f)
    return sn_lat_clock_begin_s(c, f);
  const double last = (double)c->times.n_frames;
  return sni_times_end_s(&c->times, (int64_t)fmin(f, last));
}
