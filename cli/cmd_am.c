/* SPDX-License-Identifier: Apache-2.0 */
/* senone am import-sphinx|info: acoustic models. */
#include <math.h>

#include "am/am.h"
#include "cli/cli.h"

/* ---- import-sphinx ---- */

static int run_import(sn_cli *cli) {
  const sn_status s = sn_am_import_sphinx(cli->args[0], cli->args[1],
                                          cli->opts[0], cli->log, &cli->err);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_am_import_sphinx = {
    .name = "am import-sphinx",
    .synopsis = "[--option=value ...] SPHINX_DIR OUT_DIR",
    .summary = "make a model directory of a Sphinx acoustic model",
    .description =
        "Reads mdef (text or binary), means, variances, mixture_weights or "
        "sendump, transition_matrices, feat.params and, where they are there, "
        "noisedict, senmgau and feature_transform; continuous, "
        "semi-continuous and phonetically tied (ptm) models, of either byte "
        "order. Writes OUT_DIR/am.bin and OUT_DIR/model.ini.\n\n"
        "A setting in feat.params (-topn, -varfloor, -lw, ...) counts where "
        "the option here has its default value, as in PocketSphinx.",
    .example =
        "senone am import-sphinx "
        "/usr/share/pocketsphinx/model/en-us/en-us en-us",
    .tables = {{sn_am_import_opt_table, sizeof(sn_am_import_opts)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_import};

/* ---- info ---- */

static void print_streams(sn_cli *cli, const sn_am *am, const sn_am_info *i) {
  for (int32_t k = 0; k < i->n_streams; k++) {
    int32_t n = 0;
    const int32_t *const dims = sn_am_stream_dims(am, k, &n);
    sn_cli_print(cli, "stream %d        dimensions", k);
    for (int32_t d = 0; d < n;) {
      int32_t end = d + 1;
      while (end < n && dims[end] == dims[end - 1] + 1) end++;
      sn_cli_print(cli, "%s %d", d > 0 ? "," : "", dims[d]);
      if (end - d > 1) sn_cli_print(cli, " to %d", dims[end - 1]);
      d = end;
    }
    sn_cli_print(cli, "\n");
  }
}

static void print_front_end(sn_cli *cli, const sn_am *am) {
  const sn_feat_config *const c = sn_am_feat(am);
  const char *value = NULL, *name = NULL;
  sn_cli_print(
      cli, "front end       %s",
      sn_feat_config_dialect(c) == SN_FEAT_SPHINX ? "sphinx" : "kaldi");
  for (size_t i = 0; (name = sn_feat_config_at(c, i, &value)) != NULL; i++)
    sn_cli_print(cli, " %s=%s", name, value);
  sn_cli_print(cli, "\n");
}

/* Every base phone between any two contexts at each position. */
static void print_backoff(sn_cli *cli, const sn_am *am) {
  static const char *const names[SN_N_BACKOFF] = {
      "exact", "other position", "edge as silence", "base phone"};
  const int32_t n = sn_am_n_phones(am);
  int64_t count[SN_N_BACKOFF] = {0};
  for (int32_t b = 0; b < n; b++)
    for (int32_t l = 0; l < n; l++)
      for (int32_t r = 0; r < n; r++)
        for (int32_t pos = 0; pos < SN_N_POS; pos++) {
          sn_am_backoff how = SN_BACKOFF_BASE;
          (void)sn_am_triphone(am, b, l, r, (sn_wordpos)pos, &how);
          count[how]++;
        }
  const double all = (double)n * n * n * SN_N_POS;
  sn_cli_print(cli, "contexts        %.0f (base, left, right, position)\n",
               all);
  for (int i = 0; i < SN_N_BACKOFF; i++)
    sn_cli_print(cli, "  %-15s %lld (%.2f %%)\n", names[i], (long long)count[i],
                 100.0 * (double)count[i] / all);
}

static void print_fillers(sn_cli *cli, const sn_am *am) {
  for (int32_t i = 0; i < sn_am_n_fillers(am); i++) {
    const sn_am_filler f = sn_am_filler_at(am, i);
    sn_cli_print(cli, "filler          %s %s, probability %.3g\n", f.word,
                 sn_am_phone(am, f.phone), exp((double)f.logp));
  }
}

static void print_info(sn_cli *cli, const sn_am *am) {
  const sn_am_info i = sn_am_get_info(am);
  const sn_am_scales scales = sn_am_default_scales(am);
  sn_cli_print(cli, "name            %s\n", sn_am_name(am));
  sn_cli_print(cli, "kind            %s\n", sn_am_kind_name(i.kind));
  sn_cli_print(cli, "phones          %d, %d of them fillers\n", i.n_phones,
               i.n_fillers);
  sn_cli_print(cli, "triphones       %d\n", i.n_triphones);
  sn_cli_print(cli, "HMMs            %d of %d states, %d transition matrices\n",
               i.n_hmms, i.n_states, i.n_tmats);
  sn_cli_print(cli, "senones         %d\n", i.n_pdfs);
  if (i.top_n == 0)
    sn_cli_print(cli, "Gaussians       %lld, at most %d a senone, all count\n",
                 (long long)i.n_all_gauss, i.n_gauss);
  else
    sn_cli_print(cli,
                 "Gaussians       %lld (%d codebooks x %d streams x %d), the "
                 "best %d count\n",
                 (long long)i.n_all_gauss, i.n_codebooks, i.n_streams,
                 i.n_gauss, i.top_n);
  if (isfinite(i.clip_nat))
    sn_cli_print(cli, "densities       clipped %.3f nat below the best\n",
                 i.clip_nat);
  print_streams(cli, am, &i);
  print_front_end(cli, am);
  print_fillers(cli, am);
  sn_cli_print(cli, "language scale  %g, word penalty %.4f\n", scales.lm_scale,
               scales.word_penalty);
  sn_cli_print(cli, "topology        crc %08x\n",
               (unsigned)sn_am_topology_crc(am));
  print_backoff(cli, am);
}

static int run_info(sn_cli *cli) {
  sn_am *am = NULL;
  if (sn_am_load(cli->args[0], cli->log, &am, &cli->err) != SN_OK)
    return sn_cli_fail(cli);
  print_info(cli, am);
  sn_am_destroy(am);
  return sn_cli_finish(cli, SN_EXIT_OK);
}

const sn_command sn_cmd_am_info = {
    .name = "am info",
    .synopsis = "MODEL_DIR",
    .summary = "describe an acoustic model",
    .description =
        "Prints kind, phones, HMMs, senones, Gaussians, front end, fillers and "
        "default scales of a model directory, and how many of all (base, left, "
        "right, position) contexts have a triphone of their own or back off: "
        "to another word position, to silence for the context outside the "
        "word, to the base phone.",
    .example = "senone am info en-us",
    .min_args = 1,
    .max_args = 1,
    .run = run_info};
