/* SPDX-License-Identifier: Apache-2.0 */
/* senone transcribe: recordings in, words out. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/io.h"
#include "base/mem.h"
#include "cli/transcribe_internal.h"
#include "frontend/audio.h"

#define AT(field) offsetof(sni_transcribe_opts, field)
static const sn_opt table[] = {
    {"model", SN_OPT_STRING, AT(model), 0, 0, 0, "en-us", "",
     "name of a model, or its folder"},
    {"output", SN_OPT_ENUM, AT(output), SN_OUT_TEXT, 0, SN_N_OUT - 1,
     SN_OUT_CHOICES, "", "format of the results"},
    {"output-dir", SN_OPT_STRING, AT(output_dir), 0, 0, 0, "", "",
     "write each result to a file of its own, ID.ENDING, in this folder"},
    {"lattice", SN_OPT_STRING, AT(lattice), 0, 0, 0, "", "",
     "write lattices, too: FILE (Senone's archive), ark:FILE, ark,t:FILE "
     "(Kaldi), slf:FOLDER/ (HTK)"},
    {"jobs", SN_OPT_INT, AT(jobs), 0, 0, 1024, NULL, "threads",
     "recordings at a time; 0: as many as the machine has"},
    {"channel", SN_OPT_STRING, AT(channel), 0, 0, 0, "", "",
     "number of the channel, from 0, or mix; else the first one"},
    {"live", SN_OPT_ENUM, AT(live), 0, 0, 2, "auto|no|yes", "",
     "print each utterance when a pause ends it; auto: for stdin alone"},
    {"raw-rate", SN_OPT_DOUBLE, AT(raw_rate_hz), 0, 0, 1e6, NULL, "Hz",
     "files without a header are 16-bit little-endian mono PCM of this rate; "
     "0: only on stdin, and of the model's rate"},
    {"adapt", SN_OPT_ENUM, AT(adapt), SNI_ADAPT_AUTO, 0, 3,
     "auto|none|fmllr|mllr", "",
     "adapt to speakers by a first pass over all of their recordings: fmllr "
     "transforms features, mllr means of Gaussians; auto: as the model says"},
    {"adapt-per", SN_OPT_ENUM, AT(adapt_per), SNI_PER_SPEAKER, 0, 1,
     "speaker|recording", "",
     "whose recordings go together: utt2spk says which speaker's they are, and "
     "one of nobody known stands alone"},
    {"adapt-passes", SN_OPT_INT, AT(adapt_passes), 1, 1, 10, NULL, "",
     "first passes, each with what the one before has found"},
    {"report", SN_OPT_BOOL, AT(report), 0, 0, 1, NULL, "",
     "say at the end how much audio was transcribed and at what cost"},
    SN_OPT_END};

/* ---- Where things are (the only place that reads the environment) ---- */

static sn_status default_models(sn_str *out, sn_err *err) {
  const char *const named = getenv("SENONE_MODELS");
  const char *const data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
  if (named != NULL) SN_TRY(sn_str_addf(out, err, "%s:", named));
  if (data != NULL && data[0] != '\0')
    SN_TRY(sn_str_addf(out, err, "%s/senone/models:", data));
  else if (home != NULL)
    SN_TRY(sn_str_addf(out, err, "%s/.local/share/senone/models:", home));
  return sn_str_adds(
      out, "/usr/local/share/senone/models:/usr/share/senone/models", err);
}

/* Compiled graphs are kept in the user's cache folder, if there may be one. */
static sn_status default_cache(sn_str *out, sn_err *err) {
  const char *const cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (cache != NULL && cache[0] != '\0')
    SN_TRY(sn_str_addf(out, err, "%s/senone/graphs", cache));
  else if (home != NULL)
    SN_TRY(sn_str_addf(out, err, "%s/.cache/senone/graphs", home));
  if (out->n > 0 && sn_dir_make(out->data, NULL) != SN_OK) sn_str_reset(out);
  return SN_OK;
}

/* ---- The model ---- */

static void on_log(void *user, senone_log_level level, const char *text) {
  sn_log_msg(user, (sn_log_level)level, "%s", text);
}

static void on_progress(void *user, const char *what, const char *unit,
                        int64_t done, int64_t total, int last) {
  sn_log_progress(user, what, unit, done, total, last != 0);
}

static int on_poll(void *user) { return sn_log_cancelled(user); }

static sn_status load_model(sn_cli *cli, const char *name, sn_settings set,
                            senone_model **out) {
  sn_str models = {0}, cache = {0};
  senone_options *options = NULL;
  senone_error e = {0};
  sn_status s = SN_OK;
  if (set.models[0] == '\0') {
    s = default_models(&models, &cli->err);
    set.models = sn_str_get(&models);
  }
  const bool compiles =
      set.lm[0] != '\0' || set.grammar[0] != '\0' || set.words[0] != '\0';
  if (s == SN_OK && compiles && set.cache[0] == '\0') {
    s = default_cache(&cache, &cli->err);
    set.cache = sn_str_get(&cache);
  }
  if (strcmp(set.cache, "none") == 0) set.cache = "";
  const char *const temp = getenv("TMPDIR");
  if (temp != NULL && temp[0] != '\0' && strcmp(set.temp, "/tmp") == 0)
    set.temp = temp;
  if (s == SN_OK) s = sni_make_options(&set, &options, &cli->err);
  if (s == SN_OK) {
    senone_options_set_callbacks(options, on_log, SENONE_LOG_DEBUG, on_progress,
                                 on_poll, cli->log);
    if (senone_model_load(name, options, out, &e) != SENONE_OK)
      s = sni_take_error(&cli->err, &e);
  }
  senone_options_destroy(options);
  sn_str_clear(&models);
  sn_str_clear(&cache);
  return s;
}

static void report(sn_cli *cli, const sni_totals *t) {
  struct rusage u;
  if (getrusage(RUSAGE_SELF, &u) != 0) return;
  const double cpu_s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                       1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
  fprintf(stderr,
          "%lld recordings, %.1f s of audio, %.2f s CPU: real-time factor "
          "%.3f; %.0f MB at most",
          (long long)t->n_ok, t->audio_s, cpu_s,
          t->audio_s > 0 ? cpu_s / t->audio_s : 0.0,
          (double)u.ru_maxrss / 1024);
  if (t->n_no_speech > 0)
    fprintf(stderr, "; %lld without speech", (long long)t->n_no_speech);
  fputc('\n', stderr);
  (void)cli;
}

static bool parse_channel(const char *text, int32_t *channel) {
  *channel = SN_CHANNEL_FIRST;
  if (text[0] == '\0') return true;
  *channel = SN_CHANNEL_MIX;
  if (strcmp(text, "mix") == 0) return true;
  return sn_parse_int32(sn_span_of(text), channel) && *channel >= 0;
}

static int finish(sn_cli *cli, const sni_transcribe_opts *o, sn_status s,
                  const sni_totals *t) {
  if (s != SN_OK) return sn_cli_fail(cli);
  const int status =
      sn_cli_finish(cli, t->n_failed > 0 ? SN_EXIT_FAILED : SN_EXIT_OK);
  if (t->n_failed > 0)
    fprintf(stderr, "senone transcribe: %lld ok, %lld failed\n",
            (long long)t->n_ok, (long long)t->n_failed);
  if (o->report) report(cli, t);
  return status;
}

static int run(sn_cli *cli) {
  const sni_transcribe_opts *const o = cli->opts[0];
  sn_settings *const set = cli->opts[1];
  int32_t channel = SN_CHANNEL_FIRST;
  if (!parse_channel(o->channel, &channel))
    return sn_cli_usage(cli, "--channel=%s: a number from 0, or mix",
                        o->channel);
  const sn_out_format format = (sn_out_format)o->output;
  /* What the output tells is made; what it does not tell is not. */
  const bool tells = format == SN_OUT_JSON || format == SN_OUT_CTM;
  if (set->confidence == SN_SETTINGS_CONFIDENCE_AUTO)
    set->confidence =
        tells ? SN_SETTINGS_CONFIDENCE_YES : SN_SETTINGS_CONFIDENCE_NO;
  if (o->lattice[0] != '\0') set->keep_lattice = true;
  sni_inputs in = {{0}, {0}, {0}};
  sni_totals totals = {0};
  senone_model *model = NULL;
  sn_status s = sni_gather(cli, &totals, &in);
  if (s == SN_OK && in.items.n > 1 && !sn_out_many(format) &&
      o->output_dir[0] == '\0') {
    sni_inputs_clear(&in);
    return sn_cli_usage(cli,
                        "a .%s file holds one recording: with several of them "
                        "give --output-dir",
                        sn_out_ending(format));
  }
  if (s == SN_OK && o->output_dir[0] != '\0')
    s = sni_check_ids(in.items.data, in.items.n, &cli->err);
  if (s == SN_OK && o->output_dir[0] != '\0')
    s = sn_dir_make(o->output_dir, &cli->err);
  if (s == SN_OK) s = load_model(cli, o->model, *set, &model);
  if (s == SN_OK)
    s = sni_transcribe(cli, o, channel, model, set, in.items.data, in.items.n,
                       &totals);
  senone_model_destroy(model);
  sni_inputs_clear(&in);
  return finish(cli, o, s, &totals);
}

const sn_command sn_cmd_transcribe = {
    .name = "transcribe",
    .synopsis = "[--option=value ...] FILE|DATA_DIR|- ...",
    .summary = "recognise speech",
    .description =
        "Transcribes recordings (any format that libsndfile reads, any rate "
        "and number of channels), the utterances of data directories (wav.scp, "
        "segments), or stdin (-: wav, or 16-bit PCM of the model's rate). "
        "Results come in the order of the arguments, whatever --jobs is.\n\n"
        "The model's own graph is searched, or --graph=FILE, or one that is "
        "compiled for --lm (with --class), --grammar (JSGF) or --words and "
        "kept "
        "in --cache (none: not kept).\n\n"
        "A model with a second language model (rescore-lm in its model.ini) is "
        "searched in two passes; --rescore-lm=FILE gives another one, "
        "--rescore-lm=none leaves the second pass out.\n\n"
        "When some input fails, the others are still transcribed and the exit "
        "status is 1.",
    .example =
        "senone transcribe -m en-us "
        "/usr/share/pocketsphinx/test/data/cards/001.wav\n"
        "senone transcribe -m en-us -o srt "
        "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_"
        "austen_64kb-0880.wav",
    .tables = {{table, sizeof(sni_transcribe_opts)},
               {sn_settings_table, sizeof(sn_settings)}},
    .shorts = "m=model o=output j=jobs",
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run};
