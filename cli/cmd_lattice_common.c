/* SPDX-License-Identifier: Apache-2.0 */
/* What the lattice commands share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd_lattice_internal.h"

#define DEFAULT_ACOUSTIC_SCALE (1.0 / 12.0)

const sn_opt sni_lat_opt_table[] = {
    {"words", SN_OPT_STRING, offsetof(sni_lat_opts, words), 0, 0, 0, NULL,
     "FILE", "words.txt (word and label on each line) of Kaldi archives"},
    {"acoustic-scale", SN_OPT_DOUBLE, offsetof(sni_lat_opts, acoustic_scale), 0,
     0, 1000, NULL, "",
     "factor of acoustic costs; 0: what the archive says, else 1/12"},
    {"lm-scale", SN_OPT_DOUBLE, offsetof(sni_lat_opts, lm_scale), 1, 0, 1000,
     NULL, "", "factor of graph costs"},
    {"word-penalty", SN_OPT_DOUBLE, offsetof(sni_lat_opts, word_penalty), 0,
     -100, 100, NULL, "", "cost added for each word"},
    {"frame-shift", SN_OPT_DOUBLE, offsetof(sni_lat_opts, frame_shift), 0, 0, 1,
     NULL, "seconds", "length of a frame; 0: what the archive says, else 0.01"},
    SN_OPT_END};

sn_status sni_lat_words(sn_cli *cli, sn_lat_words **out) {
  const sni_lat_opts *const o = cli->opts[0];
  return o->words != NULL && o->words[0] != '\0'
             ? sn_lat_words_load(o->words, out, &cli->err)
             : sn_lat_words_create(out, &cli->err);
}

/* A number that the archive carries. */
static double fact(const sn_lat_reader *r, const char *key, double otherwise) {
  double x;
  const char *const text = sn_lat_reader_meta(r, key);
  return text != NULL && sn_parse_double(sn_span_of(text), &x) && x > 0.0 &&
                 x < 1e6
             ? x
             : otherwise;
}

sn_status sni_lat_open(sn_cli *cli, const char *specifier, sn_lat_words *words,
                       sni_lat_in *out) {
  const sni_lat_opts *const o = cli->opts[0];
  *out = (sni_lat_in){.specifier = specifier, .words = words};
  SN_TRY(sn_lat_reader_open(specifier, &out->reader, &cli->err));
  out->k.acoustic =
      o->acoustic_scale > 0.0
          ? o->acoustic_scale
          : fact(out->reader, "acoustic-scale", DEFAULT_ACOUSTIC_SCALE);
  out->k.graph = o->lm_scale;
  out->k.word_penalty = o->word_penalty;
  out->frame_s = o->frame_shift > 0.0
                     ? o->frame_shift
                     : fact(out->reader, "frame-shift", SN_LAT_FRAME_S);
  out->spelt = (o->words != NULL && o->words[0] != '\0') ||
               sn_lat_reader_has_words(out->reader) ||
               strncmp(specifier, "slf:", 4) == 0;
  sn_lat_reader_set_frame_s(out->reader, out->frame_s);
  /* --frame-shift says otherwise than the archive. */
  const char *const times =
      o->frame_shift > 0.0 ? NULL
                           : sn_lat_reader_meta(out->reader, SN_LAT_META_TIMES);
  sn_status s =
      sn_lat_clock_create(times, out->frame_s, &out->clock, &cli->err);
  if (s != SN_OK) sn_err_context(&cli->err, "%s", specifier);
  if (s == SN_OK) s = sn_lat_reader_set_words(out->reader, words, &cli->err);
  if (s != SN_OK) sni_lat_close(out);
  return s;
}

void sni_lat_close(sni_lat_in *in) {
  sn_lat_reader_destroy(in->reader);
  in->reader = NULL;
  sn_lat_clock_destroy(in->clock);
  in->clock = NULL;
}

sn_status sni_lat_next(sn_cli *cli, sni_lat_in *in, const char **key,
                       sn_lat *lat) {
  SN_TRY(sn_lat_next(in->reader, key, lat, &cli->err));
  if (*key == NULL) return SN_OK;
  const sn_status timed = sn_lat_clock_set(in->clock, *key, &cli->err);
  if (timed != SN_OK) {
    sn_err_context(&cli->err, "%s", in->specifier);
    sn_lat_clear(lat);
    return timed;
  }
  if (!in->spelt) return SN_OK;
  for (int32_t i = 0; i < lat->n_arcs; i++)
    if (sn_lat_words_get(in->words, lat->arcs[i].word) == NULL) {
      const sn_status s =
          sn_fail(&cli->err, SN_EMISMATCH,
                  "%s: utterance '%s': no word has label %d; does --words "
                  "belong to these lattices?",
                  in->specifier, *key, lat->arcs[i].word);
      sn_lat_clear(lat);
      return s;
    }
  return SN_OK;
}

const char *sni_lat_word(const sni_lat_in *in, int32_t label, char digits[16]) {
  const char *const text =
      in->spelt ? sn_lat_words_get(in->words, label) : NULL;
  if (text != NULL) return text;
  (void)snprintf(digits, 16, "%d", label);
  return digits;
}

void sni_lat_print_words(sn_cli *cli, const sni_lat_in *in,
                         const int32_t *labels, size_t n) {
  char digits[16];
  for (size_t i = 0; i < n; i++)
    sn_cli_print(cli, "%s%s", i > 0 ? " " : "",
                 sni_lat_word(in, labels[i], digits));
}

sn_status sni_lat_spans(sn_cli *cli, const sni_lat_in *in, const char *key,
                        const sn_lat *lat, sn_lat_spans *out, bool *found) {
  const char *const labels = sn_lat_reader_meta(in->reader, SN_LAT_META_LABELS);
  memset(out, 0, sizeof *out);
  *found = false;
  if (labels == NULL || lat->n_states == 0) return SN_OK;
  SN_TRY(sn_lat_spans_make(labels, false, lat, &in->k, out, found, &cli->err));
  if (!*found)
    sn_warn(cli->log,
            "utterance '%s': its alignment is not one of the archive's model; "
            "a word lasts from where its arc begins to where it ends",
            key);
  return SN_OK;
}

/* Facts go along, but for those that have changed. */
static sn_status copy_facts(sn_cli *cli, const sni_lat_in *in,
                            sn_lat_writer *w) {
  char text[32];
  const char *value, *key;
  for (size_t i = 0;
       (key = sn_lat_reader_meta_at(in->reader, i, &value)) != NULL; i++)
    if (strcmp(key, "acoustic-scale") != 0 && strcmp(key, "frame-shift") != 0)
      SN_TRY(sn_lat_writer_meta(w, key, value, &cli->err));
  (void)snprintf(text, sizeof text, "%.9g", in->k.acoustic);
  SN_TRY(sn_lat_writer_meta(w, "acoustic-scale", text, &cli->err));
  (void)snprintf(text, sizeof text, "%.9g", in->frame_s);
  return sn_lat_writer_meta(w, "frame-shift", text, &cli->err);
}

sn_status sni_lat_create(sn_cli *cli, const char *specifier,
                         const sni_lat_in *like, sn_lat_writer **out) {
  SN_TRY(sn_lat_writer_open(specifier, out, &cli->err));
  const sn_slf_opts slf = {like->frame_s, like->k.acoustic, like->k.graph,
                           0.0 - like->k.word_penalty};
  sn_lat_writer_slf(*out, &slf);
  if (like->spelt) sn_lat_writer_words(*out, like->words);
  const sn_status s = copy_facts(cli, like, *out);
  if (s != SN_OK) {
    sn_lat_writer_destroy(*out);
    *out = NULL;
  }
  return s;
}

static sn_status loop(sn_cli *cli, sni_lat_in *in, sni_lat_fn *fn, void *user,
                      sn_lat_writer *out) {
  const int64_t total = sn_lat_reader_n(in->reader);
  for (int64_t done = 0;; done++) {
    const char *key;
    sn_lat lat;
    if (sn_log_cancelled(cli->log))
      return sn_fail(&cli->err, SN_ECANCEL, "interrupted");
    SN_TRY(sni_lat_next(cli, in, &key, &lat));
    if (out != NULL)
      sn_log_progress(cli->log, "lattices", "utterances", done, total,
                      key == NULL);
    if (key == NULL) return SN_OK;
    sn_status s = fn(cli, user, in, key, &lat);
    if (s == SN_OK && out != NULL) s = sn_lat_write(out, key, &lat, &cli->err);
    if (s != SN_OK && strstr(cli->err.msg, key) == NULL)
      sn_err_context(&cli->err, "%s: utterance '%s'", in->specifier, key);
    sn_lat_clear(&lat);
    SN_TRY(s);
  }
}

static sn_status run(sn_cli *cli, sni_lat_fn *fn, void *user, const char *to) {
  sn_lat_words *words = NULL;
  sni_lat_in in = {0};
  sn_lat_writer *out = NULL;
  SN_TRY(sni_lat_words(cli, &words));
  sn_status s = sni_lat_open(cli, cli->args[0], words, &in);
  if (s == SN_OK && to != NULL) s = sni_lat_create(cli, to, &in, &out);
  if (s == SN_OK) s = loop(cli, &in, fn, user, out);
  if (s == SN_OK && out != NULL) s = sn_lat_writer_commit(out, &cli->err);
  sn_lat_writer_destroy(out);
  sni_lat_close(&in);
  sn_lat_words_destroy(words);
  return s;
}

sn_status sni_lat_each(sn_cli *cli, sni_lat_fn *fn, void *user) {
  return run(cli, fn, user, NULL);
}

sn_status sni_lat_filter(sn_cli *cli, sni_lat_fn *fn, void *user) {
  return run(cli, fn, user, cli->args[1]);
}
