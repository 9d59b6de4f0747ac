/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings through recognisers: several at a time, printed in order.
 *
 * A worker keeps its recogniser from one item to the next. A failed item is
 * kept as a message and reported in its turn; only an interruption, a full disk
 * or no memory for the bookkeeping ends the run. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "cli/transcribe_internal.h"
#include "frontend/audio.h"

#define CHUNK_SAMPLES 4096
/* Live: how often an end of utterance is looked for. */
#define LIVE_CHUNK_SAMPLES 1600

sn_status sni_take_error(sn_err *err, const senone_error *e) {
  return sn_fail(err, (sn_status)e->status, "%s", e->message);
}

sn_status sni_make_options(const sn_settings *settings, senone_options **out,
                           sn_err *err) {
  senone_error e = {0};
  if (senone_options_create(out, &e) != SENONE_OK)
    return sni_take_error(err, &e);
  sn_str text = {0};
  sn_status s = SN_OK;
  for (const sn_opt *o = sn_settings_table; s == SN_OK && o->name != NULL;
       o++) {
    sn_str_reset(&text);
    s = sn_opt_get(o, settings, &text, err);
    if (s == SN_OK &&
        senone_options_set(*out, o->name, sn_str_get(&text), &e) != SENONE_OK)
      s = sni_take_error(err, &e);
  }
  sn_str_clear(&text);
  if (s != SN_OK) {
    senone_options_destroy(*out);
    *out = NULL;
  }
  return s;
}

/* ---- One item ---- */

sn_status sni_open_audio(const sni_source *src, const sni_item *item,
                         sn_audio **out, sn_err *err) {
  const bool is_stdin = strcmp(item->path, "-") == 0;
  const double raw_hz = src->opts->raw_rate_hz;
  const double rate_hz = senone_model_rate_hz(src->model);
  const sn_audio_opts o = {
      .channel = src->channel,
      .rate_hz = rate_hz,
      .raw_rate_hz = raw_hz > 0 || !is_stdin ? raw_hz : rate_hz,
      .begin_s = item->begin_s,
      .end_s = item->end_s};
  return sn_audio_open(item->path, &o, src->cli->log, out, err);
}

static sn_status open_audio(const sni_job *j, const sni_item *item,
                            sn_audio **out, sn_err *err) {
  const sni_source src = {j->cli, j->opts, j->channel, j->model, NULL, 0};
  return sni_open_audio(&src, item, out, err);
}

/* Up to n samples into the recogniser; *got == 0 at the end. */
static sn_status push_some(const sni_job *j, sn_audio *a, senone_recognizer *r,
                           size_t n, size_t *got, sn_err *err) {
  float samples[CHUNK_SAMPLES];
  senone_error e = {0};
  if (sn_log_cancelled(j->cli->log))
    return sn_fail(err, SN_ECANCEL, "interrupted");
  SN_TRY(sn_audio_read(a, samples, n < CHUNK_SAMPLES ? n : CHUNK_SAMPLES, got,
                       err));
  for (size_t i = 0; i < *got; i++) samples[i] /= 32768.0f;
  if (senone_recognizer_push_f32(r, samples, *got, 0, &e) != SENONE_OK)
    return sni_take_error(err, &e);
  return SN_OK;
}

/* What was said since the recogniser's last start, as text. */
static sn_status end_utterance(const sni_job *j, senone_recognizer *r,
                               const char *id, sni_done *d, sn_err *err) {
  senone_error e = {0};
  senone_result *result = NULL;
  if (senone_recognizer_finish(r, &e) != SENONE_OK ||
      senone_recognizer_take_result(r, &result, &e) != SENONE_OK)
    return sni_take_error(err, &e);
  d->no_path = (senone_result_flags(result) & SENONE_RESULT_NO_PATH) != 0;
  d->no_speech = (senone_result_flags(result) & SENONE_RESULT_NO_SPEECH) != 0;
  d->is_cut_off = senone_result_n_words(result) == 0 &&
                  (senone_result_flags(result) & SENONE_RESULT_INCOMPLETE) != 0;
  d->was_searched = senone_result_n_phones(result) > 0;
  d->n_words = senone_result_n_words(result);
  d->audio_s = senone_result_end_s(result) - senone_result_begin_s(result);
  sn_status s = sni_format_result((sn_out_format)j->opts->output, id, result,
                                  &d->text, err);
  senone_result_destroy(result);
  if (s == SN_OK && j->lattices != NULL &&
      senone_recognizer_take_lattice(r, &d->lattice, &e) != SENONE_OK)
    s = sni_take_error(err, &e);
  return s;
}

/* Worker w's, ready for item i. */
static sn_status get_recognizer(const sni_job *j, size_t i, size_t w,
                                senone_recognizer **out, sn_err *err) {
  senone_error e = {0};
  senone_recognizer **const at = &j->recognizers[w];
  senone_status s = *at == NULL
                        ? senone_recognizer_create(j->model, j->batch, at, &e)
                        : senone_recognizer_reset(*at, &e);
  if (s == SENONE_OK && sni_speaker_of(&j->speakers, i) != NULL)
    s = senone_recognizer_use_speaker(*at, sni_speaker_of(&j->speakers, i), &e);
  *out = *at;
  return s == SENONE_OK ? SN_OK : sni_take_error(err, &e);
}

static sn_status transcribe_item(const sni_job *j, const sni_item *item,
                                 sni_done *d, size_t w, sn_err *err) {
  senone_recognizer *r = NULL;
  sn_audio *a = NULL;
  SN_TRY(open_audio(j, item, &a, err));
  d->rate_hz = sn_audio_source_rate_hz(a);
  d->n_channels = sn_audio_n_channels(a);
  sn_status s = get_recognizer(j, (size_t)(item - j->items), w, &r, err);
  size_t got = 1;
  while (s == SN_OK && got > 0)
    s = push_some(j, a, r, CHUNK_SAMPLES, &got, err);
  if (s == SN_OK) s = end_utterance(j, r, item->id, d, err);
  if (s != SN_OK) sn_err_context(err, "%s", item->path);
  sn_audio_destroy(a);
  return s;
}

static sn_status work(void *user, size_t i, size_t w, sn_err *err) {
  sni_job *const j = user;
  sni_done *const d = &j->done[i];
  const sn_status s = transcribe_item(j, &j->items[i], d, w, &d->err);
  if (s == SN_ECANCEL) return sn_fail(err, s, "interrupted");
  return SN_OK;
}

static sn_status emit(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  sni_job *const j = user;
  sni_done *const d = &j->done[i];
  sn_status s = SN_OK;
  if (d->err.code != SN_OK) {
    j->totals->n_failed++;
    sn_log_msg(j->cli->log, SN_LOG_ERROR, "%s", d->err.msg);
  } else {
    s = sni_print_done(j, &j->items[i], j->items[i].id, d, err);
  }
  sni_done_clear(d);
  return s;
}

/* ---- Live: one stream, utterance by utterance ---- */

static sn_status live_stream(sni_job *j, const sni_item *item, sn_audio *a,
                             senone_recognizer *r, sn_err *err) {
  size_t got = 1;
  for (int number = 1; got > 0; number++) {
    while (got > 0 && !senone_recognizer_at_endpoint(r))
      SN_TRY(push_some(j, a, r, LIVE_CHUNK_SAMPLES, &got, err));
    char id[64];
    (void)snprintf(id, sizeof id, "%s-%04d", item->id, number);
    sni_done d = {.rate_hz = sn_audio_source_rate_hz(a),
                  .n_channels = sn_audio_n_channels(a)};
    senone_error e = {0};
    sn_status s = end_utterance(j, r, id, &d, err);
    if (s == SN_OK && (d.n_words > 0 || (number == 1 && got == 0)))
      s = sni_print_done(j, item, id, &d, err);
    (void)sn_cli_finish(j->cli, SN_EXIT_OK); /* to be seen at once */
    sni_done_clear(&d);
    SN_TRY(s);
    if (got > 0 && senone_recognizer_next(r, &e) != SENONE_OK)
      return sni_take_error(err, &e);
  }
  return SN_OK;
}

static sn_status live(sni_job *j, const sni_item *item, sn_err *err) {
  senone_recognizer *r = NULL;
  sn_audio *a = NULL;
  senone_error e = {0};
  sn_status s = open_audio(j, item, &a, err);
  if (s == SN_OK &&
      senone_recognizer_create(j->model, j->live, &r, &e) != SENONE_OK)
    s = sni_take_error(err, &e);
  if (s == SN_OK) s = live_stream(j, item, a, r, err);
  senone_recognizer_destroy(r);
  sn_audio_destroy(a);
  if (s == SN_OK || s == SN_ECANCEL) return s;
  j->totals->n_failed++;
  sn_err_context(err, "%s", item->path);
  sn_log_msg(j->cli->log, SN_LOG_ERROR, "%s", err->msg);
  sn_err_clear(err);
  return SN_OK;
}

static sn_status run_items(sni_job *j, size_t n, sn_err *err) {
  sn_pool *pool = NULL;
  const bool stream =
      j->opts->live == 2 ||
      (j->opts->live == 0 && n == 1 && strcmp(j->items[0].path, "-") == 0 &&
       sn_out_many((sn_out_format)j->opts->output));
  if (stream) {
    for (size_t i = 0; i < n; i++) SN_TRY(live(j, &j->items[i], err));
    return SN_OK;
  }
  const sni_source src = {j->cli, j->opts, j->channel, j->model, j->items, n};
  SN_TRY(sni_speakers_make(&src, j->settings, &j->speakers, err));
  const size_t jobs = (size_t)j->opts->jobs;
  SN_TRY(sn_pool_create(jobs > n && n > 0 ? n : jobs, &pool, err));
  j->done = sn_calloc(n, sizeof *j->done);
  j->recognizers = sn_calloc(sn_pool_n_threads(pool), sizeof *j->recognizers);
  sn_status s = SN_ENOMEM;
  if (j->done == NULL || j->recognizers == NULL)
    (void)sn_fail_nomem(err, "transcribe");
  else
    s = sn_pool_ordered(pool, n, 0, work, emit, j, err);
  for (size_t i = 0; j->done != NULL && i < n; i++) sni_done_clear(&j->done[i]);
  for (size_t w = 0; j->recognizers != NULL && w < sn_pool_n_threads(pool); w++)
    senone_recognizer_destroy(j->recognizers[w]);
  sn_free(j->done);
  sn_free(j->recognizers);
  sn_pool_destroy(pool);
  return s;
}

sn_status sni_transcribe(sn_cli *cli, const sni_transcribe_opts *o,
                         int32_t channel, const senone_model *model,
                         const sn_settings *settings, const sni_item *items,
                         size_t n, sni_totals *totals) {
  sni_job j = {.cli = cli,
               .opts = o,
               .channel = channel,
               .model = model,
               .items = items,
               .totals = totals};
  sn_settings set = *settings;
  if (settings->cmn == SN_SETTINGS_CMN_AUTO) set.cmn = SN_SETTINGS_CMN_BATCH;
  sn_status s = sni_make_options(&set, &j.batch, &cli->err);
  const sn_settings batch = set;
  j.settings = &batch;
  if (settings->cmn == SN_SETTINGS_CMN_AUTO) set.cmn = SN_SETTINGS_CMN_LIVE;
  if (s == SN_OK) s = sni_make_options(&set, &j.live, &cli->err);
  senone_error e = {0};
  if (s == SN_OK && o->lattice[0] != '\0' &&
      senone_lattice_writer_create(model, o->lattice, &j.lattices, &e) !=
          SENONE_OK)
    s = sni_take_error(&cli->err, &e);
  if (s == SN_OK) s = run_items(&j, n, &cli->err);
  if (s == SN_OK && j.lattices != NULL &&
      senone_lattice_writer_close(j.lattices, &e) != SENONE_OK)
    s = sni_take_error(&cli->err, &e);
  senone_lattice_writer_destroy(j.lattices);
  if (j.n_low_rate > 1)
    sn_warn(cli->log, "%lld recordings in all have a lower rate than the model",
            (long long)j.n_low_rate);
  sni_speakers_clear(&j.speakers);
  senone_options_destroy(j.batch);
  senone_options_destroy(j.live);
  return s;
}
