/* SPDX-License-Identifier: Apache-2.0 */
/* senone align: when each word and phone of known transcripts is said. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "frontend/datadir.h"
#include "train/align_adapt.h"
#include "train/align_output.h"
#include "train/force_align.h"

typedef struct align_opts {
  const char *model, *lexicon, *text, *output_dir;
  int32_t output, jobs, adapt, adapt_passes;
} align_opts;

enum { ADAPT_AUTO, ADAPT_NONE, ADAPT_FMLLR };

#define AT(field) offsetof(align_opts, field)
static const sn_opt table[] = {
    {"model", SN_OPT_STRING, AT(model), 0, 0, 0, "en-us", "",
     "folder of an acoustic model"},
    {"lexicon", SN_OPT_STRING, AT(lexicon), 0, 0, 0, "", "",
     "pronunciations; else lexicon.db in the model's folder"},
    {"text", SN_OPT_STRING, AT(text), 0, 0, 0, "", "",
     "the words of a single recording"},
    {"output", SN_OPT_ENUM, AT(output), 0, 0, 6, SN_ALIGN_FORMS, "",
     "format, see docs/alignment.md"},
    {"output-dir", SN_OPT_STRING, AT(output_dir), 0, 0, 0, "", "",
     "write ID.ENDING for each utterance into this folder"},
    {"adapt", SN_OPT_ENUM, AT(adapt), ADAPT_AUTO, 0, 2, "auto|none|fmllr", "",
     "align twice, the second time with features adapted to each speaker by "
     "the "
     "first; auto: as the model says"},
    {"adapt-passes", SN_OPT_INT, AT(adapt_passes), 1, 1, 10, NULL, "",
     "first alignments, each with what the one before has found"},
    {"jobs", SN_OPT_INT, AT(jobs), 0, 0, 1024, NULL, "threads",
     "utterances at a time; 0: as many as the machine has"},
    SN_OPT_END};
#undef AT

typedef struct slot {
  sn_alignment a;
  char *failed; /* reading failed: why */
} slot;

typedef struct job {
  sn_cli *cli;
  const align_opts *o;
  sn_am *am, *first; /* first: of features that are not adapted, or NULL */
  sn_lexicon lex;
  sn_pool *pool;
  sn_spk_cmvn *speakers;         /* where the model wants their means */
  sn_spk_transforms *transforms; /* where speakers are adapted to */
  sn_aligner **aligners;         /* by worker */
  const sn_utt *utts;
  size_t n;
  slot *slots; /* [n] */
  int64_t n_done, n_failed, n_frames;
  double loglik, margin;
} job;

/* ---- One utterance ---- */

static sn_status write_result(job *j, const char *id, const sn_alignment *a,
                              sn_err *err) {
  sn_str text = {0}, name = {0};
  sn_writer *w = NULL;
  char *path = NULL;
  sn_status s = SN_OK;
  SN_TRY_GOTO(s,
              sn_align_format((sn_align_form)j->o->output, id, a, &text, err));
  if (j->o->output_dir[0] == '\0') {
    sn_cli_print(j->cli, "%s", sn_str_get(&text));
  } else {
    if (strchr(id, '/') != NULL)
      SN_TRY_GOTO(s, sn_fail(err, SN_EARG, "'%s' can not name a file", id));
    SN_TRY_GOTO(s, sn_str_addf(&name, err, "%s.%s", id,
                               sn_align_ending((sn_align_form)j->o->output)));
    path = sn_path_join(j->o->output_dir, name.data);
    if (path == NULL) SN_TRY_GOTO(s, sn_fail_nomem(err, "alignment"));
    SN_TRY_GOTO(s, sn_writer_open(path, &w, err));
    SN_TRY_GOTO(s, sn_write_bytes(w, sn_str_get(&text), text.n, err));
    s = sn_writer_commit(w, err);
  }
fail:
  sn_writer_destroy(w);
  sn_free(path);
  sn_str_clear(&text);
  sn_str_clear(&name);
  return s;
}

/* ---- All utterances ---- */

static sn_status work(void *user, size_t i, size_t w, sn_err *err) {
  job *const j = user;
  sn_err own = {SN_OK, ""};
  const sn_utt *const u = &j->utts[i];
  const sn_status s = sn_align_utt(j->aligners[w], j->speakers, j->transforms,
                                   u, j->cli->log, &j->slots[i].a, &own);
  if (s == SN_OK) return SN_OK;
  if (s == SN_EIO || s == SN_EFORMAT || s == SN_EARG) {
    j->slots[i].failed = sn_strdup(own.msg);
    if (j->slots[i].failed != NULL) return SN_OK;
  }
  return sn_fail(err, s, "%s: %s", u->id, own.msg);
}

static sn_status emit(void *user, size_t i, size_t w, sn_err *err) {
  job *const j = user;
  slot *const r = &j->slots[i];
  (void)w;
  static const char *const why[] = {
      "", "", "not in the lexicon (there is no G2P model to guess them): ",
      "too short: ", ""};
  sn_status s = SN_OK;
  sn_log_progress(j->cli->log, "align", "utterances", (int64_t)i + 1,
                  (int64_t)j->n, i + 1 == j->n);
  if (r->failed != NULL || r->a.failure != SN_ALIGN_DONE) {
    j->n_failed++;
    sn_log_msg(j->cli->log, SN_LOG_ERROR, "%s: not aligned: %s%s",
               j->utts[i].id, r->failed != NULL ? "" : why[r->a.failure],
               r->failed != NULL ? r->failed : r->a.detail);
  } else {
    j->n_done++;
    j->n_frames += r->a.n_frames;
    j->loglik += r->a.loglik;
    j->margin += r->a.margin;
    s = write_result(j, j->utts[i].id, &r->a, err);
  }
  sn_alignment_clear(&r->a);
  sn_free(r->failed);
  r->failed = NULL;
  if (s == SN_OK && sn_log_cancelled(j->cli->log))
    s = sn_fail(err, SN_ECANCEL, "interrupted");
  return s;
}

/* Transforms of the speakers, where model or user want them. */
static sn_status adapt(job *j, const sn_align_opts *opts, const char *temp) {
  sn_err *const err = &j->cli->err;
  sn_adapt_opts how = {.by_default = SN_ADAPT_NONE};
  sn_ini *ini = NULL;
  char *const path = sn_path_join(j->o->model, "model.ini");
  if (path == NULL) return sn_fail_nomem(err, "alignment");
  sn_status s = sn_ini_load(path, &ini, err);
  if (s == SN_OK) s = sn_adapt_opts_read(ini, j->o->model, &how, err);
  sn_ini_destroy(ini);
  sn_free(path);
  SN_TRY(s);
  if (j->o->adapt == ADAPT_NONE ||
      (j->o->adapt == ADAPT_AUTO && how.by_default != SN_ADAPT_FMLLR))
    return SN_OK;
  const sn_align_job corpus = {j->am,   j->first,   &j->lex, temp,
                               opts,    j->utts,    j->n,    j->speakers,
                               j->pool, j->cli->log};
  return sn_align_adapt(&corpus, &how, j->o->adapt_passes, &j->transforms, err);
}

static sn_status load(job *j, const sn_align_opts *opts) {
  sn_err *const err = &j->cli->err;
  const char *temp = getenv("TMPDIR");
  if (temp == NULL || temp[0] == '\0') temp = "/tmp";
  SN_TRY(sn_am_load(j->o->model, j->cli->log, &j->am, err));
  SN_TRY(sn_am_load_part(j->o->model, "am-first", j->am, j->cli->log, &j->first,
                         err));
  char *const path = j->o->lexicon[0] != '\0'
                         ? sn_strdup(j->o->lexicon)
                         : sn_path_join(j->o->model, "lexicon.db");
  if (path == NULL) return sn_fail_nomem(err, "alignment");
  const sn_status s = sn_lexicon_load(path, j->cli->log, &j->lex, err);
  sn_free(path);
  SN_TRY(s);
  if (j->o->output_dir[0] != '\0') SN_TRY(sn_dir_make(j->o->output_dir, err));
  SN_TRY(sn_pool_create((size_t)j->o->jobs, &j->pool, err));
  const size_t n = sn_pool_n_threads(j->pool);
  j->aligners = sn_calloc(n, sizeof(sn_aligner *));
  j->slots = sn_calloc(j->n, sizeof *j->slots);
  if (j->aligners == NULL || j->slots == NULL)
    return sn_fail_nomem(err, "alignment");
  for (size_t i = 0; i < n; i++) {
    SN_TRY(sn_aligner_create(j->am, &j->lex, temp, opts, &j->aligners[i], err));
    sn_aligner_set_first(j->aligners[i], j->first);
  }
  SN_TRY(sn_align_speakers(j->am, j->utts, j->n, j->pool, j->cli->log,
                           &j->speakers, err));
  return adapt(j, opts, temp);
}

static void job_clear(job *j) {
  for (size_t i = 0; j->aligners != NULL && i < sn_pool_n_threads(j->pool); i++)
    sn_aligner_destroy(j->aligners[i]);
  for (size_t i = 0; j->slots != NULL && i < j->n; i++) {
    sn_alignment_clear(&j->slots[i].a);
    sn_free(j->slots[i].failed);
  }
  sn_free(j->aligners);
  sn_free(j->slots);
  sn_spk_cmvn_destroy(j->speakers);
  sn_pool_destroy(j->pool);
  sn_lexicon_clear(&j->lex);
  sn_spk_transforms_destroy(j->transforms);
  sn_am_destroy(j->first);
  sn_am_destroy(j->am);
}

static sn_status align(job *j) {
  SN_TRY(load(j, j->cli->opts[1]));
  SN_TRY(sn_pool_ordered(j->pool, j->n, 0, work, emit, j, &j->cli->err));
  const double n = j->n_frames > 0 ? (double)j->n_frames : 1;
  sn_info(j->cli->log,
          "%lld aligned, %lld failed; log-likelihood %.3f, margin %.3f a frame",
          (long long)j->n_done, (long long)j->n_failed, j->loglik / n,
          j->margin / n);
  return SN_OK;
}

static int run_align(sn_cli *cli) {
  job j = {.cli = cli, .o = cli->opts[0]};
  sn_datadir dir = {0};
  const char *const what = cli->args[0];
  const sn_utt one = {sn_path_base(what), what, 0, -1, j.o->text, NULL};
  const bool is_dir = sn_dir_exists(what);
  if (is_dir == (j.o->text[0] != '\0'))
    return sn_cli_usage(cli,
                        is_dir ? "--text is for a single recording; a data "
                                 "directory has its own"
                               : "give the words of '%s' as --text='...'",
                        what);
  const sn_align_form form = (sn_align_form)j.o->output;
  if (!sn_align_many(form) && is_dir && j.o->output_dir[0] == '\0')
    return sn_cli_usage(cli,
                        "a .%s file holds one utterance: use "
                        "--output-dir=FOLDER",
                        sn_align_ending(form));
  sn_status s = is_dir
                    ? sn_datadir_load_unchecked(what, cli->log, &dir, &cli->err)
                    : SN_OK;
  j.utts = is_dir ? dir.utts : &one;
  j.n = is_dir ? dir.n : 1;
  if (s == SN_OK) s = align(&j);
  job_clear(&j);
  sn_datadir_clear(&dir);
  if (s != SN_OK) return sn_cli_fail(cli);
  return sn_cli_finish(cli, j.n_failed > 0 ? SN_EXIT_FAILED : SN_EXIT_OK);
}

const sn_command sn_cmd_align = {
    .name = "align",
    .synopsis = "[--option=value ...] DATA_DIR | RECORDING --text=WORDS",
    .summary = "when each word and phone of known transcripts is said",
    .description =
        "Finds the most likely way through the words of each transcript, with "
        "all their pronunciations and the model's silence and noises between "
        "them, under any acoustic model. The beam is doubled from --beam to "
        "--retry-beam until a path reaches the end. Utterances that can not "
        "be aligned (no words, words outside the lexicon, too short, no path) "
        "are named, and the exit status is then 1. A model of features adapted "
        "to speakers (senone train sat) aligns twice: from the first alignment "
        "each speaker gets a transform for the second. Times are seconds from "
        "the start of the utterance; docs/alignment.md describes the formats.",
    .example =
        "senone align --model=en-us --lexicon=lexicon.db --text='ten of clubs' "
        "/usr/share/pocketsphinx/test/data/cards/001.wav",
    .tables = {{table, sizeof(align_opts)},
               {sn_align_opt_table, sizeof(sn_align_opts)}},
    .shorts = "m=model o=output j=jobs",
    .min_args = 1,
    .max_args = 1,
    .run = run_align};
