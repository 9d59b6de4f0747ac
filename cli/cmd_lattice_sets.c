/* SPDX-License-Identifier: Apache-2.0 */
/* senone lattice union, equal. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd_lattice_internal.h"
#include "decoder/lat_det.h"
#include "decoder/lat_ops.h"

/* All lattices of a source, by key. */
typedef struct loaded {
  sni_lat_in in;
  sn_symtab *keys;
  SN_ARR(sn_lat) lats; /* [keys] */
} loaded;

static void loaded_clear(loaded *x) {
  for (size_t i = 0; i < x->lats.n; i++) sn_lat_clear(&x->lats.data[i]);
  SN_ARR_FREE(&x->lats);
  sn_symtab_destroy(x->keys);
  sni_lat_close(&x->in);
}

static sn_status load_all(sn_cli *cli, const char *specifier,
                          sn_lat_words *words, loaded *out) {
  SN_TRY(sn_symtab_create(&out->keys, &cli->err));
  SN_TRY(sni_lat_open(cli, specifier, words, &out->in));
  for (;;) {
    const char *key;
    sn_lat lat;
    int32_t id = -1;
    SN_TRY(sni_lat_next(cli, &out->in, &key, &lat));
    if (key == NULL) return SN_OK;
    sn_status s = SN_ARR_RESERVE(&out->lats, out->lats.n + 1, &cli->err);
    if (s == SN_OK)
      s = sn_symtab_add(out->keys, key, strlen(key), &id, &cli->err);
    if (s == SN_OK && (size_t)id != out->lats.n)
      s = sn_fail(&cli->err, SN_EFORMAT, "%s: utterance '%s' comes twice",
                  specifier, key);
    if (s != SN_OK) {
      sn_lat_clear(&lat);
      return s;
    }
    out->lats.data[out->lats.n++] = lat;
  }
}

static const sn_lat *find(const loaded *x, const char *key) {
  const int32_t id = sn_symtab_finds(x->keys, key);
  return id >= 0 ? &x->lats.data[id] : NULL;
}

/* ---- union ---- */

typedef struct union_opts {
  bool determinize;
} union_opts;

static const sn_opt union_table[] = {
    {"determinize", SN_OPT_BOOL, offsetof(union_opts, determinize), 1, 0, 1,
     NULL, "", "each word sequence once, with its best cost"},
    SN_OPT_END};

/* No pruning: that is another command's work. */
static const sn_lat_det_opts everything = {
    .beam = 1e9, .max_arcs = 5000000, .max_elems = 2e8};

/* The union of `key` over all sources from `first` on. */
static sn_status unite(sn_cli *cli, const loaded *x, size_t n, size_t first,
                       const char *key, const sn_lat **found, sn_lat *out) {
  const union_opts *const o = cli->opts[1];
  size_t n_found = 0;
  for (size_t i = first; i < n; i++) {
    const sn_lat *const l = find(&x[i], key);
    if (l != NULL) found[n_found++] = l;
  }
  SN_TRY(sn_lat_union(found, n_found, out, &cli->err));
  if (!o->determinize) return SN_OK;
  sn_lat raw = *out;
  memset(out, 0, sizeof *out);
  sn_lat_det_stats stats;
  const sn_status s =
      sn_lat_determinize(&raw, &x[0].in.k, &everything, out, &stats, &cli->err);
  if (s == SN_OK && stats.beam < everything.beam)
    sn_warn(cli->log,
            "utterance '%s': a limit of work left only what is within %g of "
            "the best path",
            key, stats.beam);
  sn_lat_clear(&raw);
  return s;
}

static sn_status unite_all(sn_cli *cli, const loaded *x, size_t n,
                           const sn_lat **found, sn_lat_writer *w) {
  for (size_t i = 0; i < n; i++)
    for (int32_t id = 0; id < sn_symtab_n(x[i].keys); id++) {
      const char *const key = sn_symtab_get(x[i].keys, id);
      bool seen = false;
      for (size_t k = 0; k < i && !seen; k++) seen = find(&x[k], key) != NULL;
      if (seen) continue;
      sn_lat out = {0};
      sn_status s = unite(cli, x, n, i, key, found, &out);
      if (s == SN_OK) s = sn_lat_write(w, key, &out, &cli->err);
      sn_lat_clear(&out);
      if (s != SN_OK) {
        sn_err_context(&cli->err, "utterance '%s'", key);
        return s;
      }
    }
  return SN_OK;
}

static int run_union(sn_cli *cli) {
  const size_t n = cli->n_args - 1;
  sn_lat_words *words = NULL;
  sn_lat_writer *w = NULL;
  loaded *const x = sn_calloc(n, sizeof *x);
  const sn_lat **const found = sn_calloc(n, sizeof *found);
  sn_status s =
      x && found ? SN_OK : sn_fail_nomem(&cli->err, "union of lattices");
  if (s == SN_OK) s = sni_lat_words(cli, &words);
  for (size_t i = 0; s == SN_OK && i < n; i++) {
    s = load_all(cli, cli->args[i], words, &x[i]);
    if (s == SN_OK && x[i].in.spelt != x[0].in.spelt)
      s = sn_fail(&cli->err, SN_EMISMATCH,
                  "%s and %s: only one of them has words; give --words",
                  cli->args[0], cli->args[i]);
  }
  if (s == SN_OK) s = sni_lat_create(cli, cli->args[n], &x[0].in, &w);
  if (s == SN_OK) s = unite_all(cli, x, n, found, w);
  if (s == SN_OK) s = sn_lat_writer_commit(w, &cli->err);
  sn_lat_writer_destroy(w);
  for (size_t i = 0; x != NULL && i < n; i++) loaded_clear(&x[i]);
  sn_free(x);
  sn_free(found);
  sn_lat_words_destroy(words);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lattice_union = {
    .name = "lattice union",
    .synopsis = "[--determinize=no] IN IN ... OUT",
    .summary = "the paths of several lattices of each utterance",
    .description =
        "Utterances go by name; one that only some of the inputs have is "
        "taken as it is there. Words go by spelling where the inputs know "
        "it. Lattices of different length are refused. " SNI_LAT_IN_HELP,
    .example = "senone lattice union an4.lat small.lat both.lat",
    .tables = {SNI_LAT_TABLE, {union_table, sizeof(union_opts)}},
    .min_args = 2,
    .max_args = SIZE_MAX,
    .run = run_union};

/* ---- equal ---- */

typedef struct equal_opts {
  double tolerance;
  bool structure;
} equal_opts;

static const sn_opt equal_table[] = {
    {"tolerance", SN_OPT_DOUBLE, offsetof(equal_opts, tolerance), 1e-3, 0, 1e9,
     NULL, "", "by which costs may differ"},
    {"structure", SN_OPT_BOOL, offsetof(equal_opts, structure), 0, 0, 1, NULL,
     "", "compare states, arcs and alignments, not only what is said"},
    SN_OPT_END};

static sn_status compare(sn_cli *cli, const sni_lat_in *in, const char *key,
                         const sn_lat *a, const sn_lat *b, bool *same) {
  const equal_opts *const o = cli->opts[1];
  if (o->structure) {
    SN_TRY(sn_lat_equal(a, b, o->tolerance, same, &cli->err));
    if (!*same) sn_cli_print(cli, "%s\tdifferent\n", key);
    return SN_OK;
  }
  sn_lat_diff d;
  SN_TRY(sn_lat_compare(a, b, &in->k, o->tolerance, &d, &cli->err));
  *same = d.kind == SN_LAT_SAME;
  if (d.kind == SN_LAT_COSTS)
    sn_cli_print(cli, "%s\tcosts %+g %+g\t", key, d.graph, d.acoustic);
  else if (d.kind != SN_LAT_SAME)
    sn_cli_print(cli, "%s\tonly in %s\t", key,
                 cli->args[d.kind == SN_LAT_ONLY_FIRST ? 0 : 1]);
  if (d.kind != SN_LAT_SAME) {
    sni_lat_print_words(cli, in, d.words.data, d.words.n);
    sn_cli_print(cli, "\n");
  }
  sn_lat_diff_clear(&d);
  return SN_OK;
}

static sn_status compare_all(sn_cli *cli, const loaded *a, const loaded *b,
                             int64_t *n_same, int64_t *n_other) {
  for (int32_t id = 0; id < sn_symtab_n(a->keys); id++) {
    const char *const key = sn_symtab_get(a->keys, id);
    const sn_lat *const other = find(b, key);
    bool same = false;
    if (other == NULL)
      sn_cli_print(cli, "%s\tnot in %s\n", key, cli->args[1]);
    else
      SN_TRY(compare(cli, &a->in, key, find(a, key), other, &same));
    *(same ? n_same : n_other) += 1;
  }
  for (int32_t id = 0; id < sn_symtab_n(b->keys); id++) {
    const char *const key = sn_symtab_get(b->keys, id);
    if (find(a, key) != NULL) continue;
    sn_cli_print(cli, "%s\tnot in %s\n", key, cli->args[0]);
    (*n_other)++;
  }
  return SN_OK;
}

static int run_equal(sn_cli *cli) {
  loaded x[2] = {{.in = {0}}, {.in = {0}}};
  sn_lat_words *words = NULL;
  int64_t n_same = 0, n_other = 0;
  sn_status s = sni_lat_words(cli, &words);
  for (size_t i = 0; s == SN_OK && i < 2; i++)
    s = load_all(cli, cli->args[i], words, &x[i]);
  if (s == SN_OK) s = compare_all(cli, &x[0], &x[1], &n_same, &n_other);
  loaded_clear(&x[0]);
  loaded_clear(&x[1]);
  sn_lat_words_destroy(words);
  if (s != SN_OK) return sn_cli_fail(cli);
  sn_cli_print(cli, "%lld equal, %lld different\n", (long long)n_same,
               (long long)n_other);
  return sn_cli_finish(cli, n_other == 0 ? SN_EXIT_OK : SN_EXIT_FAILED);
}

const sn_command sn_cmd_lattice_equal = {
    .name = "lattice equal",
    .synopsis = "[--tolerance=COST] [--structure] IN IN",
    .summary = "whether two archives say the same",
    .description =
        "Compares, utterance by utterance, the set of word sequences, each "
        "with its graph and its acoustic cost; how they share states does not "
        "matter, and lattices that are not deterministic are determinised "
        "first. One difference of each utterance is printed. Exit status 0: "
        "equal, 1: not.\n" SNI_LAT_IN_HELP,
    .example = "senone lattice equal an4.lat an4.lat",
    .tables = {SNI_LAT_TABLE, {equal_table, sizeof(equal_opts)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_equal};
