/* SPDX-License-Identifier: Apache-2.0 */
/* senone feats: frames of recordings into files. */
#include <stdint.h>
#include <string.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "frontend/datadir.h"
#include "frontend/feat.h"
#include "frontend/feat_file.h"

typedef struct feats_opts {
  int32_t dialect, stage, jobs;
  const char *kind, *argfile, *output, *channel;
  double raw_rate_hz;
  bool list;
} feats_opts;

#define AT(field) offsetof(feats_opts, field)
static const sn_opt feats_table[] = {
    {"dialect", SN_OPT_ENUM, AT(dialect), SN_FEAT_KALDI, 0, 1, "kaldi|sphinx",
     "", "whose front end to compute as, to the last digit but three"},
    {"kind", SN_OPT_STRING, AT(kind), 0, 0, 0, NULL, "KIND",
     "mfcc (default) or fbank; kaldi also plp and pitch"},
    {"stage", SN_OPT_ENUM, AT(stage), SN_FEAT_BASE, 0, 1, "base|full", "",
     "base frames, or also CMN, deltas, splicing, transform"},
    {"argfile", SN_OPT_STRING, AT(argfile), 0, 0, 0, NULL, "FILE",
     "options from a Sphinx feat.params or a Kaldi configuration; those on "
     "the command line win"},
    {"output", SN_OPT_STRING, AT(output), 0, 0, 0, "ark,t:-", "SPEC",
     "ark:PATH, ark,t:PATH, ark,scp:ARK,SCP, htk:DIR or sphinx:DIR"},
    {"channel", SN_OPT_STRING, AT(channel), 0, 0, 0, "first", "",
     "0, 1, ..., mix or first (with a notice if there are more)"},
    {"raw-rate", SN_OPT_DOUBLE, AT(raw_rate_hz), 0, 0, 192000, NULL, "Hz",
     "files are headerless 16-bit little-endian PCM of this rate"},
    {"jobs", SN_OPT_INT, AT(jobs), 1, 0, 1024, NULL, "",
     "recordings at a time, 0: as many as processors"},
    {"list", SN_OPT_BOOL, AT(list), 0, 0, 1, NULL, "",
     "print the dialect's options and stop"},
    SN_OPT_END};
#undef AT

typedef struct item {
  char *id, *speaker; /* owned */
  const char *path;   /* of a directory's store or the command line */
  double begin_s, end_s;
  sn_mat frames;
  bool failed;
} item;

typedef struct job {
  sn_cli *cli;
  const feats_opts *o;
  sn_feat *feat;
  sn_feat *base; /* for speaker statistics, else NULL */
  sn_spk_cmvn *speakers;
  sn_feat_sink *sink;
  sn_pool *pool;
  int32_t channel;
  SN_ARR(item) items;
  SN_ARR(sn_datadir) dirs;
  size_t n_failed;
  bool is_speaker_pass;
} job;

/* ---- What to do ---- */

static sn_status add_item(job *j, item it, const char *id, size_t id_n,
                          const char *speaker, sn_err *err) {
  it.id = sn_strndup(id, id_n);
  it.speaker = sn_strdup(speaker != NULL ? speaker : it.id ? it.id : "");
  if (it.id != NULL && it.speaker != NULL &&
      SN_ARR_PUSH(&j->items, it, err) == SN_OK)
    return SN_OK;
  sn_free(it.id);
  sn_free(it.speaker);
  return sn_fail_nomem(err, "list of recordings");
}

static sn_status add_dir(job *j, const char *path, sn_err *err) {
  sn_datadir d;
  SN_TRY(sn_datadir_load(path, j->cli->log, &d, err));
  const sn_status s = SN_ARR_PUSH(&j->dirs, d, err);
  if (s != SN_OK) {
    sn_datadir_clear(&d);
    return s;
  }
  for (size_t i = 0; i < d.n; i++) {
    const sn_utt *u = &d.utts[i];
    const item it = {.path = u->path, .begin_s = u->begin_s, .end_s = u->end_s};
    SN_TRY(add_item(j, it, u->id, strlen(u->id), u->speaker, err));
  }
  return SN_OK;
}

static sn_status add_argument(job *j, const char *path, sn_err *err) {
  if (sn_dir_exists(path)) return add_dir(j, path, err);
  const char *name = strcmp(path, "-") == 0 ? "stdin" : sn_path_base(path);
  const char *dot = strrchr(name, '.');
  const size_t n =
      dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
  const item it = {.path = path, .end_s = -1};
  return add_item(j, it, name, n, NULL, err);
}

static sn_status make_config(const sn_cli *cli, const feats_opts *o,
                             sn_feat_config **out, sn_err *err) {
  SN_TRY(sn_feat_config_create((sn_feat_dialect)o->dialect, out, err));
  if (o->argfile != NULL)
    SN_TRY(sn_feat_config_read_params(*out, o->argfile, err));
  if (o->kind != NULL) SN_TRY(sn_feat_config_set(*out, "kind", o->kind, err));
  for (size_t i = 0; i < cli->n_extra; i++)
    SN_TRY(sn_feat_config_set(*out, cli->extra_names[i], cli->extra_values[i],
                              err));
  return SN_OK;
}

static sn_htk_kind htk_kind(const feats_opts *o, const sn_feat_config *c) {
  if (o->stage == SN_FEAT_FULL) return SN_HTK_USER;
  if (o->dialect == SN_FEAT_SPHINX)
    return strcmp(sn_feat_config_get(c, "logspec"), "yes") == 0 ? SN_HTK_FBANK
                                                                : SN_HTK_MFCC_0;
  const char *kind = sn_feat_config_get(c, "kind");
  return strcmp(kind, "fbank") == 0 ? SN_HTK_FBANK
         : strcmp(kind, "plp") == 0 ? SN_HTK_PLP
                                    : SN_HTK_USER;
}

static sn_status parse_channel(const char *text, int32_t *out, sn_err *err) {
  if (strcmp(text, "first") == 0) {
    *out = SN_CHANNEL_FIRST;
  } else if (strcmp(text, "mix") == 0) {
    *out = SN_CHANNEL_MIX;
  } else if (!sn_parse_int32(sn_span_of(text), out) || *out < 0) {
    return sn_fail(err, SN_EARG,
                   "--channel: '%s' is neither a number from 0, nor mix, nor "
                   "first",
                   text);
  }
  return SN_OK;
}

static sn_status plan(job *j, sn_err *err) {
  const feats_opts *o = j->o;
  sn_feat_config *c = NULL;
  sn_status s = make_config(j->cli, o, &c, err);
  if (s == SN_OK) s = parse_channel(o->channel, &j->channel, err);
  if (s == SN_OK) s = sn_feat_create(c, (sn_feat_stage)o->stage, &j->feat, err);
  if (s == SN_OK && o->stage == SN_FEAT_FULL &&
      sn_feat_config_wants_speaker(c)) {
    s = sn_feat_create(c, SN_FEAT_BASE, &j->base, err);
    if (s == SN_OK)
      s = sn_spk_cmvn_create(sn_feat_dim(j->base), &j->speakers, err);
  }
  for (size_t i = 0; s == SN_OK && i < j->cli->n_args; i++)
    s = add_argument(j, j->cli->args[i], err);
  if (s == SN_OK) s = sn_pool_create((size_t)o->jobs, &j->pool, err);
  if (s == SN_OK) {
    const sn_feat_sink_opts opts = {htk_kind(o, c),
                                    sn_feat_frame_shift_s(j->feat)};
    s = sn_feat_sink_open(o->output, &opts, &j->sink, err);
  }
  sn_feat_config_destroy(c);
  return s;
}

/* ---- Doing it: work in parallel, emit in order ---- */

static sn_status work(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  job *j = user;
  item *it = &j->items.data[i];
  if (sn_log_cancelled(j->cli->log))
    return sn_fail(err, SN_ECANCEL, "interrupted");
  const sn_audio_opts audio = {.channel = j->channel,
                               .raw_rate_hz = j->o->raw_rate_hz,
                               .begin_s = it->begin_s,
                               .end_s = it->end_s};
  const sn_cmvn_stats *stats = j->is_speaker_pass || j->speakers == NULL
                                   ? NULL
                                   : sn_spk_cmvn_find(j->speakers, it->speaker);
  sn_err own = {0};
  const sn_status s =
      it->failed
          ? SN_EIO /* reported in the first pass */
          : sn_feat_recording(j->is_speaker_pass ? j->base : j->feat, stats,
                              it->path, &audio, j->cli->log, &it->frames, &own);
  if (s == SN_ENOMEM) return sn_fail(err, s, "%s", own.msg);
  if (s != SN_OK && !it->failed)
    sn_log_msg(j->cli->log, SN_LOG_ERROR, "%s: %s", it->id, own.msg);
  it->failed = s != SN_OK;
  return SN_OK;
}

static sn_status emit(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  job *j = user;
  item *it = &j->items.data[i];
  sn_status s = SN_OK;
  if (it->failed)
    j->n_failed += !j->is_speaker_pass;
  else if (j->is_speaker_pass)
    s = sn_spk_cmvn_add(j->speakers, it->speaker, sn_mat_const(it->frames),
                        err);
  else
    s = sn_feat_sink_write(j->sink, it->id, sn_mat_const(it->frames), err);
  sn_mat_free(&it->frames);
  if (j->items.n > 1)
    sn_log_progress(
        j->cli->log, j->is_speaker_pass ? "speaker statistics" : "features",
        "recordings", (int64_t)i + 1, (int64_t)j->items.n, i + 1 == j->items.n);
  return s;
}

static sn_status run_job(job *j, sn_err *err) {
  if (j->speakers != NULL) {
    j->is_speaker_pass = true;
    SN_TRY(sn_pool_ordered(j->pool, j->items.n, 0, work, emit, j, err));
    j->is_speaker_pass = false;
  }
  SN_TRY(sn_pool_ordered(j->pool, j->items.n, 0, work, emit, j, err));
  return sn_feat_sink_commit(j->sink, err);
}

static void clear(job *j) {
  sn_feat_sink_destroy(j->sink);
  sn_pool_destroy(j->pool);
  sn_spk_cmvn_destroy(j->speakers);
  sn_feat_destroy(j->feat);
  sn_feat_destroy(j->base);
  for (size_t i = 0; i < j->items.n; i++) {
    sn_free(j->items.data[i].id);
    sn_free(j->items.data[i].speaker);
    sn_mat_free(&j->items.data[i].frames);
  }
  SN_ARR_FREE(&j->items);
  for (size_t i = 0; i < j->dirs.n; i++) sn_datadir_clear(&j->dirs.data[i]);
  SN_ARR_FREE(&j->dirs);
}

static int list_options(sn_cli *cli, const feats_opts *o) {
  sn_str text = {0};
  const sn_status s =
      sn_feat_help((sn_feat_dialect)o->dialect, &text, &cli->err);
  if (s == SN_OK) sn_cli_print(cli, "%s", sn_str_get(&text));
  sn_str_clear(&text);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

static int run(sn_cli *cli) {
  const feats_opts *o = cli->opts[0];
  if (o->list) return list_options(cli, o);
  if (cli->n_args == 0)
    return sn_cli_usage(cli, "no recording and no data directory is given");
  job j = {.cli = cli, .o = o};
  sn_status s = plan(&j, &cli->err);
  const bool is_usage = s == SN_EARG; /* options that do not fit */
  if (s == SN_OK) s = run_job(&j, &cli->err);
  const size_t n_failed = j.n_failed, n = j.items.n;
  clear(&j);
  if (is_usage) return sn_cli_usage(cli, "%s", cli->err.msg);
  if (s != SN_OK) return sn_cli_fail(cli);
  if (n_failed > 0)
    sn_warn(cli->log, "%zu ok, %zu failed", n - n_failed, n_failed);
  return sn_cli_finish(cli, n_failed > 0 ? SN_EXIT_FAILED : SN_EXIT_OK);
}

const sn_command sn_cmd_feats = {
    .name = "feats",
    .synopsis = "[--option=value ...] -o SPEC FILE|DATA_DIR ...",
    .summary = "compute MFCC, filterbank, PLP or pitch features",
    .description =
        "Each FILE is an utterance, named by its base name without ending; a "
        "DATA_DIR (Kaldi style: wav.scp, segments, utt2spk) brings many. "
        "Options that are not below are the dialect's own, under Kaldi's or "
        "sphinx_fe's names: --list prints them.\n\n"
        "The kaldi dialect computes as compute-mfcc-feats, "
        "compute-fbank-feats, compute-plp-feats and "
        "compute-kaldi-pitch-feats; with --stage=full then --cmn, "
        "--delta-order, --left-context, --right-context, --transform. The "
        "sphinx dialect computes as sphinx_fe; with --stage=full then as "
        "PocketSphinx computes its features.\n\n"
        "A recording of another rate is resampled. What cannot be read is "
        "reported and left out, and the exit status is then 1.",
    .example =
        "senone feats --dialect sphinx "
        "--argfile=/usr/share/pocketsphinx/model/en-us/en-us/feat.params "
        "-o ark,t:- /usr/share/pocketsphinx/test/data/cards/001.wav",
    .tables = {{feats_table, sizeof(feats_opts)}},
    .shorts = "o=output j=jobs",
    .max_args = SIZE_MAX,
    .allow_extra = true,
    .run = run};
