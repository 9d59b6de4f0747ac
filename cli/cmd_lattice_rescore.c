/* SPDX-License-Identifier: Apache-2.0 */
/* senone lattice rescore. */
#include "cli/cmd_lattice_internal.h"
#include "decoder/lat_rescore.h"
#include "lm/class_token.h"

typedef struct rescore_opts {
  const char *lm, *old_lm;
} rescore_opts;

static const sn_opt rescore_table[] = {
    {"lm", SN_OPT_STRING, offsetof(rescore_opts, lm), 0, 0, 0, "", "FILE",
     "model to put in: ARPA, .lm.bin or Senone's binary"},
    {"old-lm", SN_OPT_STRING, offsetof(rescore_opts, old_lm), 0, 0, 0, "",
     "FILE", "model to take out: the one the search graph was made from"},
    SN_OPT_END};

/* A model with its ids of the labels, which may grow while lattices are read
 * (words of SLF files). */
typedef struct model {
  sn_ngram *lm;
  sn_arr_i32 map;
  sn_lat_lm use;
} model;

typedef struct job {
  model old, now;
  sn_lat_rescore_stats sums;
} job;

static sn_status model_map(sn_cli *cli, model *m, const sn_lat_words *words) {
  if (m->lm == NULL || m->map.n == (size_t)sn_lat_words_n(words)) return SN_OK;
  SN_TRY(sn_lat_words_map(words, m->lm, &m->map, &cli->err));
  m->use = (sn_lat_lm){m->lm, m->map.data, m->map.n};
  return SN_OK;
}

static void model_clear(model *m) {
  sn_ngram_destroy(m->lm);
  SN_ARR_FREE(&m->map);
}

static sn_status rescore_one(sn_cli *cli, void *user, const sni_lat_in *in,
                             const char *key, sn_lat *lat) {
  job *const j = user;
  (void)key;
  if (!in->spelt)
    return sn_fail(&cli->err, SN_EARG,
                   "%s: labels without words can not be rescored; give --words",
                   in->specifier);
  SN_TRY(model_map(cli, &j->old, in->words));
  SN_TRY(model_map(cli, &j->now, in->words));
  sn_lat out;
  sn_lat_rescore_stats stats;
  SN_TRY(sn_lat_rescore(lat, &in->k, &j->old.use, &j->now.use, cli->opts[2],
                        &out, &stats, &cli->err));
  if (lat->n_states > 0 && out.n_states == 0)
    sn_warn(cli->log, "utterance '%s': no path is left", key);
  sn_lat_clear(lat);
  *lat = out;
  j->sums.n_states += stats.n_states;
  j->sums.n_arcs += stats.n_arcs;
  j->sums.n_cut += stats.n_cut;
  j->sums.n_oov += stats.n_oov;
  return SN_OK;
}

/* What the members of a class cost in a graph is in no model: --old-lm must
 * have none. */
static sn_status check_classes(sn_cli *cli, const char *path,
                               const sn_ngram *lm, bool is_old) {
  sn_str names = {0};
  int32_t n = 0;
  if (lm == NULL) return SN_OK;
  SN_TRY(sn_class_refuse_found(lm, path, &cli->err));
  sn_status s =
      sn_class_tokens(lm, SN_CLASS_NAMED, NULL, &names, &n, &cli->err);
  if (s == SN_OK && n > 0 && is_old)
    s = sn_fail(
        &cli->err, SN_EMISMATCH,
        "--old-lm: %s has %d classes (%s): what their members cost in a "
        "graph made with --class can not be taken out; make a graph of "
        "a model of words (senone lm expand) to rescore its lattices",
        path, n, sn_str_get(&names));
  else if (s == SN_OK && n > 0)
    sn_warn(cli->log,
            "--lm: %s has %d classes (%s): members that are no words of their "
            "own are unknown",
            path, n, sn_str_get(&names));
  sn_str_clear(&names);
  return s;
}

static int run_rescore(sn_cli *cli) {
  const rescore_opts *const o = cli->opts[1];
  if (o->lm[0] == '\0' && o->old_lm[0] == '\0')
    return sn_cli_usage(cli, "--lm=FILE or --old-lm=FILE is needed");
  job j = {.old = {.lm = NULL}};
  sn_status s = SN_OK;
  if (o->old_lm[0] != '\0')
    s = sn_ngram_load(o->old_lm, cli->log, &j.old.lm, &cli->err);
  if (s == SN_OK && o->lm[0] != '\0')
    s = sn_ngram_load(o->lm, cli->log, &j.now.lm, &cli->err);
  if (s == SN_OK) s = check_classes(cli, o->old_lm, j.old.lm, true);
  if (s == SN_OK) s = check_classes(cli, o->lm, j.now.lm, false);
  if (s == SN_OK) s = sni_lat_filter(cli, rescore_one, &j);
  if (s == SN_OK)
    sn_info(cli->log,
            "%lld states and %lld arcs made, %lld histories cut off, %lld "
            "arcs of words that %s does not have",
            (long long)j.sums.n_states, (long long)j.sums.n_arcs,
            (long long)j.sums.n_cut, (long long)j.sums.n_oov, o->lm);
  model_clear(&j.old);
  model_clear(&j.now);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lattice_rescore = {
    .name = "lattice rescore",
    .synopsis = "--lm=FILE [--old-lm=FILE] [--option=value ...] IN OUT",
    .summary = "another n-gram model for the words of lattices",
    .description =
        "Each path's graph cost loses the old model's cost of its words and "
        "gains the new one's; acoustic costs, times and the rest of the graph "
        "cost stay. --old-lm must be the very model the search graph was made "
        "from (the pruned one).\n" SNI_LAT_IN_HELP " " SNI_LAT_OUT_HELP,
    .example =
        "senone lattice rescore --old-lm=small.arpa --lm=big.lm.bin an4.lat "
        "an4-big.lat",
    .tables = {SNI_LAT_TABLE,
               {rescore_table, sizeof(rescore_opts)},
               {sn_lat_rescore_opt_table, sizeof(sn_lat_rescore_opts)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_rescore};
