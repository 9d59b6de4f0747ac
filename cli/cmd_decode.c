/* SPDX-License-Identifier: Apache-2.0 */
/* senone decode: searches a graph with scores that are there already. */
#include <stdio.h>
#include <string.h>

#include "am/kaldi_model.h"
#include "am/mat_scorer.h"
#include "base/io.h"
#include "base/kaldi_io.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "decoder/decoder.h"
#include "decoder/lat_io.h"
#include "graphs/kaldi_graph.h"

typedef struct decode_opts {
  const char *graph, *words, *phones, *model, *scores, *lattice;
} decode_opts;

#define STRING(name, field, help) \
  { name, SN_OPT_STRING, offsetof(decode_opts, field), 0, 0, 0, "", NULL, help }
static const sn_opt decode_table[] = {
    STRING("graph", graph, "OpenFst file (HCLG.fst) or graph (.sng)"),
    STRING("words", words, "words.txt of HCLG.fst"),
    STRING("phones", phones, "phones.txt of HCLG.fst; may be left out"),
    STRING("model", model, "Kaldi model (final.mdl): its transition model"),
    STRING("scores", scores,
           "log-likelihoods, frames x pdfs: ark:FILE, ark,t:FILE or scp:FILE"),
    STRING("lattice", lattice,
           "where to write lattices: ark:FILE or ark,t:FILE (Kaldi), "
           "lat:FILE, slf:FOLDER/; needs --lattice-beam"),
    SN_OPT_END};
#undef STRING

typedef struct job {
  sn_cli *cli;
  const decode_opts *o;
  sn_graph *graph;
  int32_t *tids; /* of a Kaldi graph; else NULL */
  sn_decoder *decoder;
  sn_ark_reader *scores;
  sn_lat_words *words;
  sn_lat_writer *lattices;
  int64_t n_utts, n_empty, n_frames;
} job;

static void job_clear(job *j) {
  sn_lat_writer_destroy(j->lattices);
  sn_lat_words_destroy(j->words);
  sn_ark_reader_destroy(j->scores);
  sn_decoder_destroy(j->decoder);
  sn_graph_destroy(j->graph);
  sn_free(j->tids);
}

/* ---- Inputs ---- */

static sn_status is_own_graph(const char *path, bool *own, sn_err *err) {
  char magic[sizeof SN_GRAPH_MAGIC] = {0};
  size_t got = 0;
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = sn_read_some(r, magic, sizeof magic, &got, err);
  sn_reader_destroy(r);
  *own =
      got == sizeof magic && memcmp(magic, SN_GRAPH_MAGIC, sizeof magic) == 0;
  return s;
}

static sn_status make_graph(job *j, const sn_kaldi_hclg *in, sn_err *err) {
  SN_TRY(sn_kaldi_graph_make(in, &j->graph, &j->tids, err));
  sn_info(j->cli->log,
          "%s: %d states and %zu arcs became %d states, %lld emitting and %lld "
          "epsilon arcs, %d labels",
          in->name, in->fst->n_states, in->fst->arcs.n, j->graph->n_states,
          (long long)j->graph->n_emit, (long long)j->graph->n_eps,
          j->graph->n_labels);
  return SN_OK;
}

static sn_status load_kaldi(job *j, sn_err *err) {
  const decode_opts *const o = j->o;
  sn_fst_file fst = {0};
  sn_kaldi_trans trans = {0};
  sn_symtab *words = NULL, *phones = NULL;
  sn_status s = sn_fst_file_load(o->graph, &fst, err);
  if (s == SN_OK) s = sn_kaldi_trans_load(o->model, &trans, err);
  if (s == SN_OK) s = sn_kaldi_symbols_load(o->words, &words, err);
  if (s == SN_OK && o->phones[0] != '\0')
    s = sn_kaldi_symbols_load(o->phones, &phones, err);
  if (s == SN_OK) {
    const sn_kaldi_hclg in = {&fst, &trans, words, phones, o->graph};
    s = make_graph(j, &in, err);
  }
  sn_symtab_destroy(phones);
  sn_symtab_destroy(words);
  sn_kaldi_trans_clear(&trans);
  sn_fst_file_clear(&fst);
  return s;
}

static sn_status open_lattices(job *j, const sn_decoder_opts *opts,
                               sn_err *err) {
  char scale[32];
  SN_TRY(sn_lat_words_create(&j->words, err));
  for (int32_t i = 0; i < j->graph->n_words; i++) {
    const char *const word = sn_graph_word(j->graph, i);
    SN_TRY(sn_lat_words_set(j->words, i + 1, word, strlen(word), err));
  }
  SN_TRY(sn_lat_writer_open(j->o->lattice, &j->lattices, err));
  sn_lat_writer_words(j->lattices, j->words);
  (void)snprintf(scale, sizeof scale, "%.9g", (double)opts->acoustic_scale);
  return sn_lat_writer_meta(j->lattices, "acoustic-scale", scale, err);
}

static sn_status open_all(job *j, sn_decoder_opts *opts, sn_err *err) {
  bool own = false;
  SN_TRY(is_own_graph(j->o->graph, &own, err));
  if (own)
    SN_TRY(sn_graph_open(j->o->graph, &j->graph, err));
  else if (j->o->words[0] == '\0' || j->o->model[0] == '\0')
    return sn_fail(err, SN_EARG,
                   "%s is no Senone graph, and a Kaldi graph needs --words and "
                   "--model",
                   j->o->graph);
  else
    SN_TRY(load_kaldi(j, err));
  if (opts->acoustic_scale == 0.0f)
    opts->acoustic_scale = (float)(1.0 / j->graph->lm_scale);
  if (j->o->lattice[0] == '\0') opts->lattice_beam = 0.0f;
  SN_TRY(sn_decoder_create(j->graph, opts, &j->decoder, err));
  SN_TRY(sn_ark_reader_open(j->o->scores, &j->scores, err));
  return j->o->lattice[0] == '\0' ? SN_OK : open_lattices(j, opts, err);
}

/* ---- Utterances ---- */

static sn_status write_lattice(job *j, const char *key, sn_err *err) {
  sn_lat lat = {0};
  sn_lat_det_stats stats;
  sn_status s =
      sn_decoder_lattice(j->decoder, true, j->tids, NULL, &lat, &stats, err);
  if (s == SN_OK && stats.beam < (double)sn_decoder_lattice_beam(j->decoder))
    sn_warn(j->cli->log,
            "%s: the lattice is complete within a beam of %.3g only: a limit "
            "on work or arcs was reached",
            key, stats.beam);
  if (s == SN_OK) s = sn_lat_write(j->lattices, key, &lat, err);
  sn_lat_clear(&lat);
  return s;
}

static sn_status print_best(job *j, const char *key, bool *no_path,
                            sn_err *err) {
  sn_hyp h;
  SN_TRY(sn_decoder_best(j->decoder, true, &h, err));
  *no_path = h.no_path;
  if (h.no_path)
    sn_warn(j->cli->log, "%s: no path survived; try a wider --beam", key);
  else if (!h.reached_final)
    sn_warn(j->cli->log, "%s: no final state was reached: a partial answer",
            key);
  sn_cli_print(j->cli, "%s\t%.9g\t%.9g\t", key, h.graph_cost,
               h.acoustic_cost * sn_decoder_scales(j->decoder).acoustic);
  for (size_t i = 0; i < h.n_words; i++)
    sn_cli_print(j->cli, "%s%s", i > 0 ? " " : "",
                 sn_graph_word(j->graph, h.words[i].word));
  sn_cli_print(j->cli, "\n");
  sn_hyp_clear(&h);
  return SN_OK;
}

static sn_status decode_utt(job *j, const char *key, sn_cmat m, sn_err *err) {
  sn_scorer *scorer = NULL;
  bool no_path = true;
  SN_TRY(sn_mat_scorer_create(m, SN_LAT_FRAME_S, &scorer, err));
  sn_status s = sn_decoder_start(j->decoder, err);
  if (s == SN_OK) s = sn_decoder_advance(j->decoder, scorer, err);
  sn_scorer_destroy(scorer);
  if (s == SN_OK) s = print_best(j, key, &no_path, err);
  if (s == SN_OK && !no_path && j->lattices != NULL)
    s = write_lattice(j, key, err);
  j->n_utts++;
  j->n_empty += no_path;
  j->n_frames += (int64_t)m.rows;
  return s;
}

static sn_status decode_all(job *j, sn_err *err) {
  for (;;) {
    const char *key = NULL;
    sn_cmat m;
    SN_TRY(sn_ark_next_mat(j->scores, &key, &m, err));
    if (key == NULL) break;
    const sn_status s = decode_utt(j, key, m, err);
    if (s != SN_OK) {
      sn_err_context(err, "utterance '%s'", key);
      return s;
    }
  }
  return j->lattices != NULL ? sn_lat_writer_commit(j->lattices, err) : SN_OK;
}

static int run_decode(sn_cli *cli) {
  job j = {.cli = cli, .o = cli->opts[0]};
  if (j.o->graph[0] == '\0') return sn_cli_usage(cli, "--graph=FILE is needed");
  if (j.o->scores[0] == '\0')
    return sn_cli_usage(cli, "--scores=ark:FILE is needed");
  sn_decoder_opts *const opts = cli->opts[1];
  if (j.o->lattice[0] != '\0' && !(opts->lattice_beam > 0.0f))
    return sn_cli_usage(cli, "--lattice needs --lattice-beam (6, say)");
  sn_status s = open_all(&j, opts, &cli->err);
  if (s == SN_OK) s = decode_all(&j, &cli->err);
  if (s == SN_OK)
    sn_info(cli->log, "%lld utterances, %lld frames; %lld without a path",
            (long long)j.n_utts, (long long)j.n_frames, (long long)j.n_empty);
  job_clear(&j);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_decode = {
    .name = "decode",
    .synopsis =
        "--graph=HCLG.fst --words=words.txt --model=final.mdl "
        "--scores=ark:FILE [--option=value ...]",
    .summary = "search a graph with given log-likelihoods",
    .description =
        "Prints a line an utterance, separated by tabs: its name, the graph "
        "cost, the acoustic cost times --acoustic-scale, the words (separated "
        "by blanks). Where no path survives, both costs are inf and there are "
        "no words.\n"
        "The graph is Kaldi's (an OpenFst file over transition ids, with "
        "--words and --model) or Senone's (.sng, alone). In lattices, "
        "alignments are transition ids with Kaldi's graphs and labels of the "
        "graph with Senone's. docs/decoding.md tells more.",
    .example =
        "senone decode --graph=HCLG.fst --words=words.txt --model=final.mdl "
        "--scores=ark:loglikes.ark --beam=13 --max-active=7000 "
        "--acoustic-scale=0.083333 --lattice-beam=6 --lattice=ark:lat.ark",
    .tables = {{decode_table, sizeof(decode_opts)},
               {sn_decoder_opt_table, sizeof(sn_decoder_opts)}},
    .run = run_decode};
