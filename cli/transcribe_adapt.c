/* SPDX-License-Identifier: Apache-2.0 */
/* The passes before the one that prints: what speakers sound like.
 *
 * Hearing (front ends that subtract a speaker's mean) goes over the audio once;
 * observing (fMLLR, MLLR) recognises all recordings once for each pass. Each
 * recording fills a speaker of its own, and these are merged in the order of
 * the recordings, so that results do not depend on --jobs. A speaker is adapted
 * to as soon as his last recording is merged, so that only those between their
 * first and last one have statistics. A recording that fails here fails again
 * in the last pass, which reports it. */
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "cli/transcribe_internal.h"
#include "frontend/audio.h"

/* A long recording is observed in parts, so that its lattices need no more
 * memory than those of this many seconds. */
#define PART_S 300.0

typedef struct pass {
  const sni_source *source;
  sni_speakers *speakers;
  senone_options *options;
  senone_recognizer **recognizers; /* [threads] made on first use */
  senone_speaker **parts;          /* [n] what a recording has shown */
  size_t *last;                    /* [speakers] his last recording */
  senone_adaptation *found;        /* [speakers] */
  const char *what;
  senone_adapt_way way;
  bool observes; /* else it hears */
} pass;

static sn_status take(sn_err *err, senone_status s, const senone_error *e) {
  return s == SENONE_OK ? SN_OK : sni_take_error(err, e);
}

/* What r has recognised belongs to the speaker. */
static sn_status end_part(senone_recognizer *r, senone_speaker *to,
                          sn_err *err) {
  senone_error e = {0};
  SN_TRY(take(err, senone_recognizer_finish(r, &e), &e));
  return take(err, senone_recognizer_observe(r, to, &e), &e);
}

static sn_status feed(const pass *p, sn_audio *a, senone_recognizer *r,
                      senone_speaker *to, sn_err *err) {
  const size_t most = (size_t)(PART_S * senone_model_rate_hz(p->source->model));
  float x[4096];
  senone_error e = {0};
  size_t got = 1, in_part = 0;
  while (got > 0) {
    if (sn_log_cancelled(p->source->cli->log))
      return sn_fail(err, SN_ECANCEL, "interrupted");
    SN_TRY(sn_audio_read(a, x, 4096, &got, err));
    for (size_t i = 0; i < got; i++) x[i] /= 32768.0f;
    if (!p->observes) {
      SN_TRY(take(err, senone_speaker_hear_f32(to, x, got, got == 0, &e), &e));
      continue;
    }
    SN_TRY(take(err, senone_recognizer_push_f32(r, x, got, 0, &e), &e));
    in_part += got;
    if (got > 0 && in_part < most) continue;
    SN_TRY(end_part(r, to, err));
    if (got > 0) SN_TRY(take(err, senone_recognizer_next(r, &e), &e));
    in_part = 0;
  }
  return SN_OK;
}

/* Who is adapted to as this run wants it. */
static sn_status create_speaker(const senone_model *m, senone_adapt_way way,
                                senone_speaker **out, sn_err *err) {
  senone_error e = {0};
  SN_TRY(take(err, senone_speaker_create(m, out, &e), &e));
  if (way == SENONE_ADAPT_NONE) return SN_OK;
  return take(err, senone_speaker_set_way(*out, way, &e), &e);
}

static sn_status go_through(pass *p, size_t i, size_t w, sn_err *err) {
  const sni_source *const src = p->source;
  senone_error e = {0};
  sn_audio *a = NULL;
  senone_recognizer **const r = &p->recognizers[w];
  if (p->observes && *r == NULL)
    SN_TRY(
        take(err, senone_recognizer_create(src->model, p->options, r, &e), &e));
  if (p->observes)
    SN_TRY(take(
        err,
        senone_recognizer_use_speaker(*r, sni_speaker_of(p->speakers, i), &e),
        &e));
  SN_TRY(create_speaker(src->model, p->way, &p->parts[i], err));
  SN_TRY(sni_open_audio(src, &src->items[i], &a, err));
  const sn_status s = feed(p, a, *r, p->parts[i], err);
  sn_audio_destroy(a);
  return s;
}

static sn_status work(void *user, size_t i, size_t w, sn_err *err) {
  pass *const p = user;
  sn_err own = {0};
  const sn_status s = go_through(p, i, w, &own);
  if (s == SN_OK) return SN_OK;
  senone_speaker_destroy(p->parts[i]);
  p->parts[i] = NULL;
  return s == SN_ECANCEL ? sn_fail(err, s, "interrupted") : SN_OK;
}

static sn_status emit(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  pass *const p = user;
  senone_error e = {0};
  senone_status s = SENONE_OK;
  const int32_t who = p->speakers->of[i];
  if (p->parts[i] != NULL)
    s = senone_speaker_merge(p->speakers->list[who], p->parts[i], &e);
  if (s == SENONE_OK && p->observes && p->last[who] == i)
    s = senone_speaker_adapt(p->speakers->list[who], &p->found[who], &e);
  senone_speaker_destroy(p->parts[i]);
  p->parts[i] = NULL;
  sn_log_progress(p->source->cli->log, p->what, "recordings", (int64_t)i + 1,
                  (int64_t)p->source->n, i + 1 == p->source->n);
  return take(err, s, &e);
}

static sn_status run_pass(pass *p, sn_err *err) {
  const size_t n = p->source->n, jobs = (size_t)p->source->opts->jobs;
  sn_pool *pool = NULL;
  SN_TRY(sn_pool_create(jobs > n && n > 0 ? n : jobs, &pool, err));
  const size_t n_threads = sn_pool_n_threads(pool);
  p->recognizers = sn_calloc(n_threads, sizeof *p->recognizers);
  p->parts = sn_calloc(n, sizeof *p->parts);
  sn_status s = p->recognizers == NULL || p->parts == NULL
                    ? sn_fail_nomem(err, "transcribe")
                    : sn_pool_ordered(pool, n, 0, work, emit, p, err);
  for (size_t i = 0; p->parts != NULL && i < n; i++)
    senone_speaker_destroy(p->parts[i]);
  for (size_t w = 0; p->recognizers != NULL && w < n_threads; w++)
    senone_recognizer_destroy(p->recognizers[w]);
  sn_free(p->recognizers);
  sn_free(p->parts);
  sn_pool_destroy(pool);
  return s;
}

/* ---- Transforms ---- */

/* Names of the speakers that stay as they are: as many as a line takes. */
static sn_status name_short(sn_str *names, const char *name, double frames,
                            size_t n_before, sn_err *err) {
  if (n_before < 10)
    return sn_str_addf(names, err, "%s%s (%.0f)", n_before > 0 ? ", " : "",
                       name, frames);
  return n_before == 10 ? sn_str_adds(names, ", ...", err) : SN_OK;
}

static sn_status report(const pass *p, sn_err *err) {
  const sni_speakers *const s = p->speakers;
  sn_log *const log = p->source->cli->log;
  sn_str names = {0};
  size_t n_short = 0;
  double needed = 0;
  sn_status st = SN_OK;
  for (size_t i = 0; st == SN_OK && i < s->n; i++) {
    const senone_adaptation *const found = &p->found[i];
    const char *const name = sn_symtab_get(s->names, (int32_t)i);
    needed = found->frames_needed;
    if (found->adapted)
      sn_debug(log, "speaker %s: adapted to %.0f frames, %.2f nat a frame",
               name, found->frames, found->gain);
    else
      st = name_short(&names, name, found->frames, n_short++, err);
  }
  if (st == SN_OK && n_short > 0)
    sn_warn(log,
            "%zu of %zu speakers are not adapted to, having fewer than the "
            "%.0f frames of speech that it takes: %s",
            n_short, s->n, needed, sn_str_get(&names));
  sn_str_clear(&names);
  return st;
}

/* ---- Who they are ---- */

const senone_speaker *sni_speaker_of(const sni_speakers *s, size_t i) {
  return s->list != NULL ? s->list[s->of[i]] : NULL;
}

void sni_speakers_clear(sni_speakers *s) {
  for (size_t i = 0; s->list != NULL && i < s->n; i++)
    senone_speaker_destroy(s->list[i]);
  sn_free(s->list);
  sn_free(s->of);
  sn_symtab_destroy(s->names);
  memset(s, 0, sizeof *s);
}

/* A recording of nobody known is its own speaker. */
static sn_status find_speakers(const sni_source *src, senone_adapt_way way,
                               sni_speakers *s, sn_err *err) {
  const bool per_recording = src->opts->adapt_per == SNI_PER_RECORDING;
  sn_str name = {0};
  SN_TRY(sn_symtab_create(&s->names, err));
  s->of = sn_calloc(src->n, sizeof *s->of);
  if (s->of == NULL) return sn_fail_nomem(err, "speakers");
  sn_status st = SN_OK;
  for (size_t i = 0; st == SN_OK && i < src->n; i++) {
    const sni_item *const item = &src->items[i];
    sn_str_reset(&name);
    st = item->speaker != NULL && !per_recording
             ? sn_str_adds(&name, item->speaker, err)
             : sn_str_addf(&name, err, "recording %s", item->id);
    if (st == SN_OK)
      st = sn_symtab_add(s->names, sn_str_get(&name), name.n, &s->of[i], err);
  }
  sn_str_clear(&name);
  SN_TRY(st);
  s->n = (size_t)sn_symtab_n(s->names);
  s->list = sn_calloc(s->n, sizeof(senone_speaker *));
  if (s->list == NULL) return sn_fail_nomem(err, "speakers");
  for (size_t i = 0; i < s->n; i++)
    SN_TRY(create_speaker(src->model, way, &s->list[i], err));
  return SN_OK;
}

static sn_status observe_all(pass *p, sn_err *err) {
  const sni_speakers *const s = p->speakers;
  sn_status st = SN_OK;
  p->last = sn_calloc(s->n, sizeof *p->last);
  p->found = sn_calloc(s->n, sizeof *p->found);
  if (p->last == NULL || p->found == NULL) st = sn_fail_nomem(err, "speakers");
  for (size_t i = 0; st == SN_OK && i < p->source->n; i++)
    p->last[s->of[i]] = i;
  for (int32_t i = 0; st == SN_OK && i < p->source->opts->adapt_passes; i++) {
    st = run_pass(p, err);
    if (st == SN_OK) st = report(p, err);
  }
  sn_free(p->last);
  sn_free(p->found);
  return st;
}

static sn_status make(const sni_source *src, const sn_settings *settings,
                      senone_adapt_way way, sni_speakers *s, sn_err *err) {
  pass p = {.source = src, .speakers = s, .way = way};
  SN_TRY(find_speakers(src, way, s, err));
  if (senone_model_needs_speakers(src->model)) {
    p.what = "hearing speakers";
    SN_TRY(run_pass(&p, err));
  }
  if (way == SENONE_ADAPT_NONE) return SN_OK;
  sn_settings first = *settings;
  first.observe = true;
  first.keep_lattice = first.mbr = false;
  first.alternatives = first.nbest = 0;
  first.confidence = SN_SETTINGS_CONFIDENCE_NO;
  SN_TRY(sni_make_options(&first, &p.options, err));
  p.observes = true;
  p.what = "adapting to speakers";
  const sn_status st = observe_all(&p, err);
  senone_options_destroy(p.options);
  return st;
}

sn_status sni_speakers_make(const sni_source *src, const sn_settings *settings,
                            sni_speakers *out, sn_err *err) {
  const int32_t how = src->opts->adapt;
  const senone_adapt_way way =
      how == SNI_ADAPT_FMLLR  ? SENONE_ADAPT_FMLLR
      : how == SNI_ADAPT_MLLR ? SENONE_ADAPT_MLLR
      : how == SNI_ADAPT_AUTO
          ? (senone_adapt_way)senone_model_adapts(src->model)
          : SENONE_ADAPT_NONE;
  memset(out, 0, sizeof *out);
  for (size_t i = 0; i < src->n; i++) {
    if (strcmp(src->items[i].path, "-") != 0) continue;
    if (how == SNI_ADAPT_FMLLR || how == SNI_ADAPT_MLLR)
      return sn_fail(err, SN_EARG,
                     "--adapt=%s reads recordings more than once: stdin can "
                     "not be among them",
                     way == SENONE_ADAPT_MLLR ? "mllr" : "fmllr");
    return SN_OK;
  }
  if (way == SENONE_ADAPT_NONE && !senone_model_needs_speakers(src->model))
    return SN_OK;
  const sn_status s = make(src, settings, way, out, err);
  if (s != SN_OK) sni_speakers_clear(out);
  return s;
}
