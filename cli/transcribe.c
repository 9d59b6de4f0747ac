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

typedef struct done {
  sn_str text;
  sn_err err; /* why there is no text */
  double audio_s, rate_hz;
  int32_t n_channels;
  size_t n_words;
  senone_lattice *lattice; /* NULL: not asked for */
  bool no_path, no_speech;
  bool is_cut_off;   /* no word, and no way to the graph's end */
  bool was_searched; /* frames of it came to the search */
} done;

static void done_clear(done *d) {
  sn_str_clear(&d->text);
  senone_lattice_destroy(d->lattice);
  d->lattice = NULL;
}

typedef struct job {
  sn_cli *cli;
  const sni_transcribe_opts *opts;
  int32_t channel;
  const senone_model *model;
  senone_options *batch, *live;
  const sni_item *items;
  const sn_settings *settings; /* of batch */
  sni_speakers speakers;
  done *done;                      /* [n] */
  senone_recognizer **recognizers; /* [n_threads], made on first use */
  senone_lattice_writer *lattices; /* NULL: not asked for */
  sni_totals *totals;
  int64_t n_low_rate, n_many_channels;
} job;

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

/* ---- A result as text ---- */

/* Arrays that an sn_out_utt points to. */
typedef struct parts {
  sn_out_word *words;
  sn_out_phone *phones;
  sn_out_alternative *alternatives;
  sn_out_sentence *sentences;
} parts;

static void parts_free(parts *p) {
  sn_free(p->words);
  sn_free(p->phones);
  sn_free(p->alternatives);
  sn_free(p->sentences);
}

static sn_status parts_make(const senone_result *r, parts *p, sn_err *err) {
  const size_t n_others = senone_result_n_alternatives(r);
  p->words = sn_calloc(senone_result_n_words(r), sizeof *p->words);
  p->phones = sn_calloc(senone_result_n_phones(r), sizeof *p->phones);
  p->alternatives = sn_calloc(n_others, sizeof *p->alternatives);
  p->sentences = sn_calloc(senone_result_n_sentences(r), sizeof *p->sentences);
  if (p->words == NULL || p->phones == NULL || p->alternatives == NULL ||
      p->sentences == NULL)
    return sn_fail_nomem(err, "result");
  for (size_t i = 0; i < n_others; i++) {
    const senone_alternative *const x = senone_result_alternative(r, i);
    p->alternatives[i] = (sn_out_alternative){x->word, x->posterior};
  }
  for (size_t i = 0; i < senone_result_n_words(r); i++) {
    const senone_word *const w = senone_result_word(r, i);
    p->words[i] =
        (sn_out_word){.text = w->word,
                      .begin_s = w->begin_s,
                      .end_s = w->end_s,
                      .graph_cost = w->graph_cost,
                      .acoustic_cost = w->acoustic_cost,
                      .has_confidence = w->confidence >= 0.0,
                      .confidence = w->confidence,
                      .alternatives = p->alternatives + w->first_alternative,
                      .n_alternatives = w->n_alternatives};
  }
  for (size_t i = 0; i < senone_result_n_phones(r); i++) {
    const senone_phone *const x = senone_result_phone(r, i);
    p->phones[i] = (sn_out_phone){x->phone, x->begin_s, x->end_s, x->word < 0};
  }
  for (size_t i = 0; i < senone_result_n_sentences(r); i++) {
    const senone_sentence *const x = senone_result_sentence(r, i);
    p->sentences[i] = (sn_out_sentence){x->text, x->graph_cost,
                                        x->acoustic_cost, x->posterior};
  }
  return SN_OK;
}

static sn_status format_result(sn_out_format format, const char *id,
                               const senone_result *r, sn_str *out,
                               sn_err *err) {
  parts p = {0};
  sn_status s = parts_make(r, &p, err);
  if (s == SN_OK) {
    const uint32_t flags = senone_result_flags(r);
    const sn_out_utt u = {.id = id,
                          .words = p.words,
                          .n_words = senone_result_n_words(r),
                          .phones = p.phones,
                          .n_phones = senone_result_n_phones(r),
                          .begin_s = senone_result_begin_s(r),
                          .end_s = senone_result_end_s(r),
                          .graph_cost = senone_result_graph_cost(r),
                          .acoustic_cost = senone_result_acoustic_cost(r),
                          .no_path = (flags & SENONE_RESULT_NO_PATH) != 0,
                          .incomplete = (flags & SENONE_RESULT_INCOMPLETE) != 0,
                          .no_speech = (flags & SENONE_RESULT_NO_SPEECH) != 0,
                          .rescored = (flags & SENONE_RESULT_RESCORED) != 0,
                          .sentences = p.sentences,
                          .n_sentences = senone_result_n_sentences(r)};
    s = sn_out_add(format, &u, out, err);
  }
  parts_free(&p);
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

static sn_status open_audio(const job *j, const sni_item *item, sn_audio **out,
                            sn_err *err) {
  const sni_source src = {j->cli, j->opts, j->channel, j->model, NULL, 0};
  return sni_open_audio(&src, item, out, err);
}

/* Up to n samples into the recogniser; *got == 0 at the end. */
static sn_status push_some(const job *j, sn_audio *a, senone_recognizer *r,
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
static sn_status end_utterance(const job *j, senone_recognizer *r,
                               const char *id, done *d, sn_err *err) {
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
  sn_status s =
      format_result((sn_out_format)j->opts->output, id, result, &d->text, err);
  senone_result_destroy(result);
  if (s == SN_OK && j->lattices != NULL &&
      senone_recognizer_take_lattice(r, &d->lattice, &e) != SENONE_OK)
    s = sni_take_error(err, &e);
  return s;
}

/* Worker w's, ready for item i. */
static sn_status get_recognizer(const job *j, size_t i, size_t w,
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

static sn_status transcribe_item(const job *j, const sni_item *item, done *d,
                                 size_t w, sn_err *err) {
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
  job *const j = user;
  done *const d = &j->done[i];
  const sn_status s = transcribe_item(j, &j->items[i], d, w, &d->err);
  if (s == SN_ECANCEL) return sn_fail(err, s, "interrupted");
  return SN_OK;
}

/* ---- Printing ---- */

static sn_status write_file(const job *j, const sni_item *item, const done *d,
                            sn_err *err) {
  sn_str path = {0};
  sn_writer *w = NULL;
  SN_TRY(sn_str_addf(&path, err, "%s/", j->opts->output_dir));
  const size_t base = path.n;
  sn_status s = sn_str_addf(&path, err, "%s.%s", item->id,
                            sn_out_ending((sn_out_format)j->opts->output));
  for (size_t i = base; s == SN_OK && i < path.n; i++)
    if (path.data[i] == '/') path.data[i] = '_';
  if (s == SN_OK) s = sn_writer_open(path.data, &w, err);
  if (s == SN_OK) s = sn_write_bytes(w, sn_str_get(&d->text), d->text.n, err);
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  sn_str_clear(&path);
  return s;
}

static void warn_of(job *j, const sni_item *item, const done *d) {
  sn_log *const log = j->cli->log;
  const double wanted = senone_model_rate_hz(j->model);
  if (d->audio_s <= 0.0)
    sn_warn(log, "%s: no samples, so the result is empty", item->path);
  else if (d->no_speech && d->is_cut_off && d->was_searched)
    sn_warn(log,
            "%s: no path reached the end of what may be said, so the result "
            "is empty: all of its %.1f s are silence or noise, or what was "
            "said was lost; then try a wider --beam or a larger --max-active",
            item->path, d->audio_s);
  else if (d->no_speech)
    sn_warn(log,
            "%s: all of its %.1f s are silence or noise, so the result is "
            "empty",
            item->path, d->audio_s);
  else if (d->no_path)
    sn_warn(log,
            "%s: no path survived the beam, so the result is empty; try a "
            "wider --beam",
            item->path);
  else if (d->is_cut_off)
    sn_warn(log,
            "%s: no path reached the end of what may be said, so the result "
            "is empty; try a wider --beam or a larger --max-active",
            item->path);
  if (d->n_channels > 1 && j->channel == SN_CHANNEL_FIRST &&
      j->n_many_channels++ == 0)
    sn_warn(log,
            "%s: of %d channels the first one is used, here and for others; "
            "--channel=N (from 0) or --channel=mix chooses",
            item->path, (int)d->n_channels);
  if (d->rate_hz < wanted && j->n_low_rate++ == 0)
    sn_warn(log,
            "%s: %g Hz audio for a %g Hz model: there is nothing above %g Hz, "
            "which the model was trained to hear, so expect more errors; a "
            "model made for %g Hz would do better",
            item->path, d->rate_hz, wanted, d->rate_hz / 2, d->rate_hz);
}

static sn_status write_lattice(job *j, const char *id, const done *d,
                               sn_err *err) {
  senone_error e = {0};
  if (d->lattice == NULL || senone_lattice_n_states(d->lattice) == 0)
    return SN_OK; /* of no path a warning tells */
  if (senone_lattice_writer_add(j->lattices, id, d->lattice, &e) != SENONE_OK)
    return sni_take_error(err, &e);
  return SN_OK;
}

static sn_status print_done(job *j, const sni_item *item, const char *id,
                            const done *d, sn_err *err) {
  warn_of(j, item, d);
  SN_TRY(write_lattice(j, id, d, err));
  j->totals->n_ok++;
  j->totals->audio_s += d->audio_s;
  j->totals->n_no_speech += d->no_speech;
  if (j->opts->output_dir[0] != '\0') return write_file(j, item, d, err);
  sn_cli_print(j->cli, "%s", sn_str_get(&d->text));
  return SN_OK;
}

static sn_status emit(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  job *const j = user;
  done *const d = &j->done[i];
  sn_status s = SN_OK;
  if (d->err.code != SN_OK) {
    j->totals->n_failed++;
    sn_log_msg(j->cli->log, SN_LOG_ERROR, "%s", d->err.msg);
  } else {
    s = print_done(j, &j->items[i], j->items[i].id, d, err);
  }
  done_clear(d);
  return s;
}

/* ---- Live: one stream, utterance by utterance ---- */

static sn_status live_stream(job *j, const sni_item *item, sn_audio *a,
                             senone_recognizer *r, sn_err *err) {
  size_t got = 1;
  for (int number = 1; got > 0; number++) {
    while (got > 0 && !senone_recognizer_at_endpoint(r))
      SN_TRY(push_some(j, a, r, LIVE_CHUNK_SAMPLES, &got, err));
    char id[64];
    (void)snprintf(id, sizeof id, "%s-%04d", item->id, number);
    done d = {.rate_hz = sn_audio_source_rate_hz(a),
              .n_channels = sn_audio_n_channels(a)};
    senone_error e = {0};
    sn_status s = end_utterance(j, r, id, &d, err);
    if (s == SN_OK && (d.n_words > 0 || (number == 1 && got == 0)))
      s = print_done(j, item, id, &d, err);
    (void)sn_cli_finish(j->cli, SN_EXIT_OK); /* to be seen at once */
    done_clear(&d);
    SN_TRY(s);
    if (got > 0 && senone_recognizer_next(r, &e) != SENONE_OK)
      return sni_take_error(err, &e);
  }
  return SN_OK;
}

static sn_status live(job *j, const sni_item *item, sn_err *err) {
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

static sn_status run_items(job *j, size_t n, sn_err *err) {
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
  for (size_t i = 0; j->done != NULL && i < n; i++) done_clear(&j->done[i]);
  for (size_t w = 0; j->recognizers != NULL && w < sn_pool_n_threads(pool); w++)
    senone_recognizer_destroy(j->recognizers[w]);
  sn_free(j->done);
  sn_free(j->recognizers);
  sn_pool_destroy(pool);
  return s;
}

sn_status sni_check_ids(const sni_item *items, size_t n, sn_err *err) {
  sn_symtab *ids = NULL;
  sn_str name = {0};
  sn_status s = sn_symtab_create(&ids, err);
  for (size_t i = 0; s == SN_OK && i < n; i++) {
    int32_t id = 0;
    sn_str_reset(&name);
    s = sn_str_adds(&name, items[i].id, err);
    for (size_t k = 0; s == SN_OK && k < name.n; k++)
      if (name.data[k] == '/') name.data[k] = '_';
    if (s == SN_OK) s = sn_symtab_add(ids, sn_str_get(&name), name.n, &id, err);
    if (s == SN_OK && (size_t)id < i)
      s = sn_fail(err, SN_EARG,
                  "%s and %s would both be written to --output-dir as '%s'; "
                  "rename one or transcribe them apart",
                  items[id].path, items[i].path, sn_str_get(&name));
  }
  sn_str_clear(&name);
  sn_symtab_destroy(ids);
  return s;
}

sn_status sni_transcribe(sn_cli *cli, const sni_transcribe_opts *o,
                         int32_t channel, const senone_model *model,
                         const sn_settings *settings, const sni_item *items,
                         size_t n, sni_totals *totals) {
  job j = {.cli = cli,
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
