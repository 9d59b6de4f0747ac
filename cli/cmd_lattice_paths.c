/* SPDX-License-Identifier: Apache-2.0 */
/* senone lattice best, nbest. */
#include <math.h>

#include "base/mem.h"
#include "cli/cmd_lattice_internal.h"

enum { FORM_COSTS, FORM_TEXT, FORM_CTM };

static int end(sn_cli *cli, sn_status s) {
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

/* ---- best ---- */

typedef struct best_opts {
  int32_t output;
  bool sweep;
  sni_lat_sweep grid;
} best_opts;

static const sn_opt best_table[] = {
    {"output", SN_OPT_ENUM, offsetof(best_opts, output), FORM_COSTS, 0, 2,
     "costs|text|ctm", "", "what to print for each utterance"},
    {"sweep", SN_OPT_BOOL, offsetof(best_opts, sweep), 0, 0, 1, NULL, "",
     "print error rates against --reference for a grid of scales instead"},
    {"reference", SN_OPT_STRING, offsetof(best_opts, grid.reference), 0, 0, 0,
     NULL, "FILE", "texts, for --sweep: Kaldi, trn or ctm"},
    {"lm-weights", SN_OPT_STRING, offsetof(best_opts, grid.weights), 0, 0, 0,
     "4:20:1", "FROM:TO:STEP",
     "for --sweep: LM weights, each with the acoustic scale 1 / weight"},
    {"word-penalties", SN_OPT_STRING, offsetof(best_opts, grid.penalties), 0, 0,
     0, "0:1:0.5", "FROM:TO:STEP", "for --sweep: costs added for each word"},
    SN_OPT_END};

/* Words by their phones where the archive tells how; else a word lasts until
 * the next begins. */
static sn_status print_ctm(sn_cli *cli, const sni_lat_in *in, const char *key,
                           const sn_lat_path *p) {
  const char *const labels = sn_lat_reader_meta(in->reader, SN_LAT_META_LABELS);
  sn_arr_i32 begin = {0}, end = {0};
  bool found = false;
  sn_status s = SN_OK;
  if (labels != NULL)
    s = sn_lat_word_times(labels, p, &begin, &end, &found, &cli->err);
  if (s == SN_OK && labels != NULL && !found)
    sn_warn(cli->log,
            "utterance '%s': its alignment is not one of the archive's model; "
            "a word lasts until the next begins",
            key);
  for (size_t i = 0; s == SN_OK && i < p->words.n; i++) {
    char digits[16];
    const int32_t from = found ? begin.data[i] : p->begin.data[i];
    const int32_t to = found                ? end.data[i]
                       : i + 1 < p->words.n ? p->begin.data[i + 1]
                                            : (int32_t)p->ali.n;
    const double begin_s = sn_lat_clock_begin_s(in->clock, from);
    sn_cli_print(cli, "%s 1 %.2f %.2f %s\n", key, begin_s,
                 sn_lat_clock_end_s(in->clock, to) - begin_s,
                 sni_lat_word(in, p->words.data[i], digits));
  }
  SN_ARR_FREE(&begin);
  SN_ARR_FREE(&end);
  return s;
}

static void print_path(sn_cli *cli, const sni_lat_in *in, const char *key,
                       const sn_lat_path *p) {
  const double graph = isfinite(p->total) ? p->graph * in->k.graph : HUGE_VAL;
  const double acoustic =
      isfinite(p->total) ? p->acoustic * in->k.acoustic : HUGE_VAL;
  sn_cli_print(cli, "%s\t%.6g\t%.6g\t", key, graph, acoustic);
  sni_lat_print_words(cli, in, p->words.data, p->words.n);
  sn_cli_print(cli, "\n");
}

static sn_status best_one(sn_cli *cli, void *user, const sni_lat_in *in,
                          const char *key, sn_lat *lat) {
  (void)user;
  const best_opts *const o = cli->opts[1];
  sn_lat_path p;
  SN_TRY(sn_lat_best(lat, &in->k, &p, &cli->err));
  if (!isfinite(p.total))
    sn_warn(cli->log, "utterance '%s': the lattice is empty", key);
  sn_status s = SN_OK;
  if (o->output == FORM_CTM) {
    s = print_ctm(cli, in, key, &p);
  } else if (o->output == FORM_TEXT) {
    sn_cli_print(cli, p.words.n > 0 ? "%s " : "%s", key);
    sni_lat_print_words(cli, in, p.words.data, p.words.n);
    sn_cli_print(cli, "\n");
  } else {
    print_path(cli, in, key, &p);
  }
  sn_lat_path_clear(&p);
  return s;
}

static int run_best(sn_cli *cli) {
  const best_opts *const o = cli->opts[1];
  if (o->sweep) {
    if (o->grid.reference == NULL || o->grid.reference[0] == '\0')
      return sn_cli_usage(cli, "--sweep needs --reference=FILE");
    return sni_lat_run_sweep(cli, &o->grid);
  }
  return end(cli, sni_lat_each(cli, best_one, NULL));
}

const sn_command sn_cmd_lattice_best = {
    .name = "lattice best",
    .synopsis =
        "[--acoustic-scale=X] [--output=text|ctm] [--sweep --reference=FILE] "
        "IN",
    .summary = "the best path of each lattice",
    .description =
        "Prints utterance, graph cost, scaled acoustic cost and words, "
        "TAB-separated (--output=costs; an empty lattice has costs inf and no "
        "words), or 'utterance word ...' (text), or ctm: by the phones of the "
        "alignment where senone transcribe made the archive; else a word "
        "lasts until the next begins.\n"
        "--sweep prints a line for each LM weight and word penalty: weight, "
        "penalty, word error rate in percent, errors, insertions, deletions, "
        "substitutions; the best again at the end. " SNI_LAT_IN_HELP,
    .example =
        "senone lattice best --acoustic-scale=0.083333 an4.lat\n"
        "senone lattice best --sweep --reference=text an4.lat",
    .tables = {SNI_LAT_TABLE, {best_table, sizeof(best_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_best};

/* ---- nbest ---- */

typedef struct nbest_opts {
  size_t n;
} nbest_opts;

static const sn_opt nbest_table[] = {
    {"n", SN_OPT_SIZE, offsetof(nbest_opts, n), 10, 1, 1e6, NULL, "paths",
     "at most that many of each lattice"},
    SN_OPT_END};

static sn_status nbest_one(sn_cli *cli, void *user, const sni_lat_in *in,
                           const char *key, sn_lat *lat) {
  (void)user;
  const nbest_opts *const o = cli->opts[1];
  sn_lat_path *paths;
  size_t n;
  sn_str name = {0};
  if (!sn_lat_is_deterministic(lat))
    sn_warn(cli->log,
            "utterance '%s': the lattice is not deterministic: words may come "
            "twice (senone lattice copy --determinize)",
            key);
  SN_TRY(sn_lat_nbest(lat, &in->k, o->n, &paths, &n, &cli->err));
  sn_status s = SN_OK;
  for (size_t i = 0; i < n; i++) {
    sn_str_reset(&name);
    if (s == SN_OK) s = sn_str_addf(&name, &cli->err, "%s-%zu", key, i + 1);
    if (s == SN_OK) print_path(cli, in, sn_str_get(&name), &paths[i]);
    sn_lat_path_clear(&paths[i]);
  }
  sn_str_clear(&name);
  sn_free(paths);
  return s;
}

static int run_nbest(sn_cli *cli) {
  return end(cli, sni_lat_each(cli, nbest_one, NULL));
}

const sn_command sn_cmd_lattice_nbest = {
    .name = "lattice nbest",
    .synopsis = "[--n=N] IN",
    .summary = "the best word sequences of each lattice, in order",
    .description =
        "Prints utterance-rank, graph cost, scaled acoustic cost and words, "
        "TAB-separated. Exact, and all different where the lattice is "
        "deterministic. " SNI_LAT_IN_HELP,
    .example = "senone lattice nbest --n=5 an4.lat",
    .tables = {SNI_LAT_TABLE, {nbest_table, sizeof(nbest_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_nbest};
