/* SPDX-License-Identifier: Apache-2.0 */
/* senone lattice copy, prune, info, draw. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cmd_lattice_internal.h"
#include "decoder/lat_det.h"
#include "decoder/lat_ops.h"

static int end(sn_cli *cli, sn_status s) {
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

/* ---- copy ---- */

typedef struct copy_opts {
  bool determinize;
} copy_opts;

static const sn_opt copy_table[] = {
    {"determinize", SN_OPT_BOOL, offsetof(copy_opts, determinize), 0, 0, 1,
     NULL, "",
     "each word sequence within --lattice-beam once, with its best cost"},
    SN_OPT_END};

static sn_status copy_one(sn_cli *cli, void *user, const sni_lat_in *in,
                          const char *key, sn_lat *lat) {
  (void)user;
  const copy_opts *const o = cli->opts[1];
  const sn_lat_det_opts *const det = cli->opts[2];
  if (!o->determinize) return SN_OK;
  sn_lat out;
  sn_lat_det_stats stats;
  SN_TRY(sn_lat_determinize(lat, &in->k, det, &out, &stats, &cli->err));
  if (stats.beam < det->beam)
    sn_warn(cli->log, "utterance '%s': a limit of work narrowed the beam to %g",
            key, stats.beam);
  sn_lat_clear(lat);
  *lat = out;
  return SN_OK;
}

static int run_copy(sn_cli *cli) {
  return end(cli, sni_lat_filter(cli, copy_one, NULL));
}

const sn_command sn_cmd_lattice_copy = {
    .name = "lattice copy",
    .synopsis = "[--words=FILE] [--determinize] IN OUT",
    .summary = "change the format of lattices",
    .description = SNI_LAT_IN_HELP
    " " SNI_LAT_OUT_HELP
    "\nWith --words the archive written keeps the spelling of its words, "
    "and later commands need no --words.",
    .example =
        "senone lattice copy --words=words.txt ark:lat.ark an4.lat\n"
        "senone lattice copy an4.lat slf:slf/",
    .tables = {SNI_LAT_TABLE,
               {copy_table, sizeof(copy_opts)},
               {sn_lat_det_opt_table, sizeof(sn_lat_det_opts)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_copy};

/* ---- prune ---- */

typedef struct prune_opts {
  double beam;
} prune_opts;

static const sn_opt prune_table[] = {
    {"beam", SN_OPT_DOUBLE, offsetof(prune_opts, beam), 6, 0, 1e9, NULL, "",
     "paths within this cost of the best stay"},
    SN_OPT_END};

static sn_status prune_one(sn_cli *cli, void *user, const sni_lat_in *in,
                           const char *key, sn_lat *lat) {
  (void)user;
  (void)key;
  const prune_opts *const o = cli->opts[1];
  sn_lat out;
  SN_TRY(sn_lat_prune(lat, &in->k, o->beam, &out, &cli->err));
  sn_lat_clear(lat);
  *lat = out;
  return SN_OK;
}

static int run_prune(sn_cli *cli) {
  return end(cli, sni_lat_filter(cli, prune_one, NULL));
}

const sn_command sn_cmd_lattice_prune = {
    .name = "lattice prune",
    .synopsis = "[--beam=COST] IN OUT",
    .summary = "keep what is near the best path",
    .description =
        "Keeps the states and arcs that are on a path whose cost (graph * "
        "lm-scale + acoustic * acoustic-scale + word penalties) is within the "
        "beam of the best.\n" SNI_LAT_IN_HELP " " SNI_LAT_OUT_HELP,
    .example = "senone lattice prune --beam=3 an4.lat small.lat",
    .tables = {SNI_LAT_TABLE, {prune_table, sizeof(prune_opts)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_prune};

/* ---- info ---- */

typedef struct info_opts {
  bool per_utterance;
} info_opts;

static const sn_opt info_table[] = {
    {"per-utterance", SN_OPT_BOOL, offsetof(info_opts, per_utterance), 0, 0, 1,
     NULL, "", "a line for each, with the names of the columns first"},
    SN_OPT_END};

typedef struct totals {
  int64_t n_utts, n_empty, n_states, n_arcs, n_frames, n_timed, n_det;
  double arc_frames; /* depth times frames */
} totals;

static sn_status info_one(sn_cli *cli, void *user, const sni_lat_in *in,
                          const char *key, sn_lat *lat) {
  const info_opts *const o = cli->opts[1];
  totals *const t = user;
  (void)in;
  int32_t n_frames = 0;
  int32_t *const frames = sn_calloc((size_t)lat->n_states, sizeof *frames);
  if (frames == NULL) return sn_fail_nomem(&cli->err, "lattice");
  const bool timed =
      lat->n_states > 0 && sn_lat_times(lat, frames, &n_frames, NULL) == SN_OK;
  sn_free(frames);
  const double depth = timed ? sn_lat_depth(lat) : (double)NAN;
  const bool det = sn_lat_is_deterministic(lat);
  t->n_utts++;
  t->n_empty += lat->n_states == 0;
  t->n_states += lat->n_states;
  t->n_arcs += lat->n_arcs;
  t->n_det += det;
  if (timed && n_frames > 0) {
    t->n_timed++;
    t->n_frames += n_frames;
    t->arc_frames += depth * n_frames;
  }
  if (o->per_utterance)
    sn_cli_print(cli, "%s\t%d\t%d\t%d\t%.6g\t%.4g\t%s\n", key, n_frames,
                 lat->n_states, lat->n_arcs, sn_lat_n_paths(lat), depth,
                 det ? "yes" : "no");
  return SN_OK;
}

/* What is long or has lines of its own (labels, times of utterances) by its
 * size. */
static void print_fact(sn_cli *cli, const char *key, const char *value) {
  const size_t n = strlen(value);
  if (n > 100 || strchr(value, '\n') != NULL)
    sn_cli_print(cli, "%s\t(%zu bytes)\n", key, n);
  else
    sn_cli_print(cli, "%s\t%s\n", key, value);
}

static sn_status print_facts(sn_cli *cli) {
  sn_lat_reader *r = NULL;
  SN_TRY(sn_lat_reader_open(cli->args[0], &r, &cli->err));
  const char *key, *value;
  for (size_t i = 0; (key = sn_lat_reader_meta_at(r, i, &value)) != NULL; i++)
    print_fact(cli, key, value);
  if (sn_lat_reader_has_words(r)) {
    sn_lat_words *words = NULL;
    sn_status s = sn_lat_words_create(&words, &cli->err);
    if (s == SN_OK) s = sn_lat_reader_set_words(r, words, &cli->err);
    if (s == SN_OK) sn_cli_print(cli, "words\t%d\n", sn_lat_words_n(words) - 1);
    sn_lat_words_destroy(words);
    sn_lat_reader_destroy(r);
    return s;
  }
  sn_lat_reader_destroy(r);
  return SN_OK;
}

static int run_info(sn_cli *cli) {
  const info_opts *const o = cli->opts[1];
  totals t = {0};
  if (o->per_utterance)
    sn_cli_print(cli,
                 "utterance\tframes\tstates\tarcs\tpaths\tdepth\t"
                 "deterministic\n");
  if (sni_lat_each(cli, info_one, &t) != SN_OK) return sn_cli_fail(cli);
  if (o->per_utterance) return sn_cli_finish(cli, SN_EXIT_OK);
  const bool pipe = strcmp(cli->args[0] + strlen(cli->args[0]) - 1, "-") == 0;
  if (!pipe && print_facts(cli) != SN_OK) return sn_cli_fail(cli);
  sn_cli_print(cli, "utterances\t%lld\n", (long long)t.n_utts);
  sn_cli_print(cli, "empty\t%lld\n", (long long)t.n_empty);
  sn_cli_print(cli, "deterministic\t%lld\n", (long long)t.n_det);
  sn_cli_print(cli, "states\t%lld\n", (long long)t.n_states);
  sn_cli_print(cli, "arcs\t%lld\n", (long long)t.n_arcs);
  sn_cli_print(cli, "with-times\t%lld\n", (long long)t.n_timed);
  sn_cli_print(cli, "frames\t%lld\n", (long long)t.n_frames);
  if (t.n_frames > 0)
    sn_cli_print(cli, "depth\t%.4f\n", t.arc_frames / (double)t.n_frames);
  return sn_cli_finish(cli, SN_EXIT_OK);
}

const sn_command sn_cmd_lattice_info = {
    .name = "lattice info",
    .synopsis = "[--per-utterance] IN",
    .summary = "sizes and depth of lattices; reads and checks all of them",
    .description =
        "Depth is the number of arcs that cross a frame, on average over all "
        "frames. TAB-separated. " SNI_LAT_IN_HELP,
    .example = "senone lattice info an4.lat",
    .tables = {SNI_LAT_TABLE, {info_table, sizeof(info_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_info};

/* ---- draw ---- */

typedef struct draw_opts {
  int32_t max_states;
} draw_opts;

static const sn_opt draw_table[] = {
    {"max-states", SN_OPT_INT, offsetof(draw_opts, max_states), 500, 1, 1e6,
     NULL, "states", "refuse larger lattices"},
    SN_OPT_END};

typedef struct drawing {
  const char *key; /* NULL: the first */
  bool done;
} drawing;

static sn_status draw_one(sn_cli *cli, void *user, const sni_lat_in *in,
                          const char *key, sn_lat *lat) {
  drawing *const d = user;
  if (d->done || (d->key != NULL && strcmp(d->key, key) != 0)) return SN_OK;
  const draw_opts *const o = cli->opts[1];
  const sn_lat_draw_opts opts = {in->k, in->frame_s, o->max_states};
  sn_str text = {0};
  const sn_status s = sn_lat_draw(lat, key, in->spelt ? in->words : NULL, &opts,
                                  &text, &cli->err);
  if (s == SN_OK) sn_cli_print(cli, "%s", sn_str_get(&text));
  sn_str_clear(&text);
  d->done = true;
  return s;
}

static int run_draw(sn_cli *cli) {
  drawing d = {cli->n_args > 1 ? cli->args[1] : NULL, false};
  sn_status s = sni_lat_each(cli, draw_one, &d);
  if (s == SN_OK && !d.done)
    s = sn_fail(&cli->err, SN_EMISMATCH, "%s: no utterance '%s'", cli->args[0],
                d.key != NULL ? d.key : "(any)");
  return end(cli, s);
}

const sn_command sn_cmd_lattice_draw = {
    .name = "lattice draw",
    .synopsis = "[--max-states=N] IN [UTTERANCE]",
    .summary = "a small lattice in Graphviz's language",
    .description =
        "Draws one utterance (the first if none is named): states with their "
        "times, arcs with word, graph + acoustic cost and posterior; the "
        "wider an arc, the likelier. Pipe it into dot -Tsvg. " SNI_LAT_IN_HELP,
    .example = "senone lattice draw an4.lat",
    .tables = {SNI_LAT_TABLE, {draw_table, sizeof(draw_opts)}},
    .min_args = 1,
    .max_args = 2,
    .run = run_draw};
