/* SPDX-License-Identifier: Apache-2.0 */
/* senone train map, senone train mllr: adapt an acoustic model to a corpus. */
#include <stddef.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "train/map_train.h"

typedef struct map_opts {
  const char *model, *lexicon;
  double max_failed;
  int32_t jobs;
} map_opts;

#define AT(field) offsetof(map_opts, field)
static const sn_opt table[] = {
    {"model", SN_OPT_STRING, AT(model), 0, 0, 0, "en-us", "",
     "folder of the model that is adapted"},
    {"lexicon", SN_OPT_STRING, AT(lexicon), 0, 0, 0, "", "",
     "pronunciations; else lexicon.db in the model's folder"},
    {"max-failed", SN_OPT_DOUBLE, AT(max_failed), 0.1, 0, 1, NULL, "",
     "share of utterances that may fail to align"},
    {"jobs", SN_OPT_INT, AT(jobs), 0, 0, 1024, NULL, "threads",
     "utterances at a time; 0: as many as the machine has"},
    SN_OPT_END};
#undef AT

static sn_status adapt(sn_cli *cli, sn_map_job *job, sn_lexicon *lex,
                       sn_datadir *data, sn_map_result *r) {
  const map_opts *const o = cli->opts[0];
  char *const path = o->lexicon[0] != '\0'
                         ? sn_strdup(o->lexicon)
                         : sn_path_join(o->model, "lexicon.db");
  if (path == NULL) return sn_fail_nomem(&cli->err, "lexicon");
  const sn_status s = sn_lexicon_load(path, cli->log, lex, &cli->err);
  sn_free(path);
  SN_TRY(s);
  SN_TRY(sn_datadir_load(cli->args[0], cli->log, data, &cli->err));
  SN_TRY(sn_pool_create((size_t)o->jobs, &job->pool, &cli->err));
  return sn_map_train(job, cli->args[1], r, &cli->err);
}

static sn_status run(sn_cli *cli, const sn_map_opts *map,
                     const sn_mllr_opts *mllr, sn_map_result *r) {
  const map_opts *const o = cli->opts[0];
  const sn_align_opts *const align = cli->opts[1];
  sn_lexicon lex = {0};
  sn_datadir data = {0};
  const char *temp = getenv("TMPDIR");
  if (temp == NULL || temp[0] == '\0') temp = "/tmp";
  sn_map_job job = {.model_dir = o->model,
                    .lex = &lex,
                    .data = &data,
                    .align = *align,
                    .mllr = mllr,
                    .temp = temp,
                    .max_failed = o->max_failed,
                    .log = cli->log};
  if (map != NULL) job.map = *map;
  const sn_status s = adapt(cli, &job, &lex, &data, r);
  sn_pool_destroy(job.pool);
  sn_datadir_clear(&data);
  sn_lexicon_clear(&lex);
  if (s == SN_OK)
    sn_cli_print(cli,
                 "utterances      %lld, %lld left out\n"
                 "frames          %lld\n"
                 "log-likelihood  %.3f a frame, margin %.3f\n",
                 (long long)r->n_used, (long long)r->n_failed,
                 (long long)r->n_frames, r->loglik, r->margin);
  return s;
}

static int run_map(sn_cli *cli) {
  sn_map_result r = {0};
  if (run(cli, cli->opts[2], NULL, &r) != SN_OK) return sn_cli_fail(cli);
  sn_cli_print(cli,
               "Gaussians       %lld of %lld with a frame or more\n"
               "moved by        %.3f standard deviations on average\n"
               "variances       %lld floored\n",
               (long long)r.update.n_moved, (long long)r.update.n_gauss,
               r.update.shift, (long long)r.update.n_floored);
  return sn_cli_finish(cli, SN_EXIT_OK);
}

static int run_mllr(sn_cli *cli) {
  sn_map_result r = {0};
  if (run(cli, NULL, cli->opts[2], &r) != SN_OK) return sn_cli_fail(cli);
  sn_cli_print(cli,
               "transforms      %d, for %d classes of %lld Gaussians\n"
               "gain            %.4f nat a frame\n"
               "moved by        %.3f standard deviations on average\n",
               r.mllr.n_estimated, r.mllr.n_classes, (long long)r.mllr.n_gauss,
               r.mllr.gain, r.mllr.shift);
  return sn_cli_finish(cli, SN_EXIT_OK);
}

const sn_command sn_cmd_train_mllr = {
    .name = "train mllr",
    .synopsis = "[--option=value ...] DATA_DIR OUT_DIR",
    .summary = "adapt an acoustic model to a corpus (MLLR)",
    .description =
        "Aligns the corpus with the model (as 'senone align') and moves the "
        "means of all its Gaussians by linear transforms of greatest "
        "likelihood, one for each class of Gaussians: few data move those too "
        "that were not heard. As many classes are made, up to --classes for a "
        "stream, as have --min-count frames. OUT_DIR gets the new Gaussians; "
        "graph and lexicon stay those of the old model, which its model.ini "
        "names. Utterances that can not be aligned are left out by name; more "
        "than --max-failed of them end the adaptation without a model.",
    .example =
        "senone train mllr --model=en-us --lexicon=lexicon.db cards "
        "en-us-mllr",
    .tables = {{table, sizeof(map_opts)},
               {sn_align_opt_table, sizeof(sn_align_opts)},
               {sn_mllr_opt_table, sizeof(sn_mllr_opts)}},
    .shorts = "m=model j=jobs",
    .min_args = 2,
    .max_args = 2,
    .run = run_mllr};

const sn_command sn_cmd_train_map = {
    .name = "train map",
    .synopsis = "[--option=value ...] DATA_DIR OUT_DIR",
    .summary = "adapt an acoustic model to a corpus (MAP)",
    .description =
        "Aligns the corpus with the model (as 'senone align') and moves the "
        "means of its Gaussians, and with --variances=yes the variances, "
        "towards the data, as far as there are data: what the old model says "
        "counts as --tau frames. OUT_DIR gets the new Gaussians; graph and "
        "lexicon stay those of the old model, which its model.ini names. "
        "Utterances that can not be aligned are left out by name; more than "
        "--max-failed of them end the adaptation without a model.",
    .example =
        "senone train map --model=en-us --lexicon=lexicon.db cards en-us-cards",
    .tables = {{table, sizeof(map_opts)},
               {sn_align_opt_table, sizeof(sn_align_opts)},
               {sn_map_opt_table, sizeof(sn_map_opts)}},
    .shorts = "m=model j=jobs",
    .min_args = 2,
    .max_args = 2,
    .run = run_map};
