/* SPDX-License-Identifier: Apache-2.0 */
/* senone graph build, info, check, draw. */
#include <stdint.h>
#include <string.h>

#include "am/am.h"
#include "base/io.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "graphs/build.h"
#include "graphs/graph.h"
#include "lexicon/lexicon.h"
#include "lm/grammar.h"
#include "lm/ngram.h"

/* ---- build ---- */

typedef struct build_opts {
  const char *model, *lexicon, *lm, *grammar, *rule, *words, *classes, *output;
} build_opts;

#define STRING(name, field, deflt, help)                                    \
  {                                                                         \
    name, SN_OPT_STRING, offsetof(build_opts, field), 0, 0, 0, deflt, NULL, \
        help                                                                \
  }
static const sn_opt build_table[] = {
    STRING("model", model, "", "directory of the acoustic model"),
    STRING("lexicon", lexicon, "",
           "lexicon (.db) or dictionary (text); none: lexicon.db of the model"),
    STRING("lm", lm, "",
           "n-gram model; none: lm.bin of the model, unless there is a grammar "
           "or a word list"),
    STRING("grammar", grammar, "", "JSGF grammar; may stand beside --lm"),
    STRING("rule", rule, "", "the grammar's rule; none: all public ones"),
    STRING("words", words, "", "word list, one word or phrase a line"),
    STRING(
        "class", classes, "",
        "NAME=FILE[,NAME=FILE...]: the word $NAME of the n-gram model stands "
        "for the phrases of a list (a line each, perhaps TAB and weight) or a "
        "JSGF grammar"),
    STRING("output", output, "", "graph file to write"),
    SN_OPT_END};
#undef STRING

typedef struct inputs {
  sn_am *am;
  sn_lexicon lex;
  sn_ngram *lm;
  sn_grammar grammar;
  sn_word_classes classes;
  bool has_grammar;
} inputs;

/* path, or DIR/name when it is empty. Owned by the caller. */
static sn_status path_or(const char *path, const char *dir, const char *name,
                         char **out, sn_err *err) {
  *out = path[0] != '\0' ? sn_strdup(path) : sn_path_join(dir, name);
  return *out != NULL ? SN_OK : sn_fail_nomem(err, "path");
}

static sn_status load_lexicon(sn_cli *cli, const build_opts *o, inputs *in) {
  char *path = NULL;
  SN_TRY(path_or(o->lexicon, o->model, "lexicon.db", &path, &cli->err));
  const sn_status s = sn_lexicon_load(path, cli->log, &in->lex, &cli->err);
  sn_free(path);
  return s;
}

static sn_status load_g(sn_cli *cli, const build_opts *o, inputs *in) {
  in->has_grammar = o->grammar[0] != '\0' || o->words[0] != '\0';
  if (o->grammar[0] != '\0')
    SN_TRY(sn_grammar_load_jsgf(o->grammar, o->rule[0] ? o->rule : NULL,
                                &in->grammar, &cli->err));
  else if (o->words[0] != '\0')
    SN_TRY(sn_grammar_load_words(o->words, &in->grammar, &cli->err));
  if (in->has_grammar && o->lm[0] == '\0') return SN_OK;
  char *path = NULL;
  SN_TRY(path_or(o->lm, o->model, "lm.bin", &path, &cli->err));
  const sn_status s = sn_ngram_load(path, cli->log, &in->lm, &cli->err);
  sn_free(path);
  SN_TRY(s);
  return sn_word_classes_load(o->classes, &in->classes, &cli->err);
}

static sn_status build(sn_cli *cli, const build_opts *o, inputs *in) {
  sn_graph_stats st = {0};
  SN_TRY(sn_am_load(o->model, cli->log, &in->am, &cli->err));
  SN_TRY(load_lexicon(cli, o, in));
  SN_TRY(load_g(cli, o, in));
  const sn_graph_inputs from = {in->am, &in->lex, in->lm,
                                in->has_grammar ? &in->grammar : NULL,
                                in->lm != NULL ? &in->classes : NULL};
  SN_TRY(sn_graph_build_from(&from, cli->opts[1], cli->log, o->output, &st,
                             &cli->err));
  sn_info(cli->log,
          "%s: %lld states, %lld emitting and %lld epsilon arcs, %lld labels; "
          "%.1f CPU s, %.0f MB at most",
          o->output, (long long)st.n_states, (long long)st.n_emit,
          (long long)st.n_eps, (long long)st.n_labels, st.cpu_s,
          (double)st.peak_bytes / 1e6);
  return SN_OK;
}

static int run_build(sn_cli *cli) {
  const build_opts *const o = cli->opts[0];
  if (o->model[0] == '\0') return sn_cli_usage(cli, "--model=DIR is needed");
  if (o->output[0] == '\0') return sn_cli_usage(cli, "-o FILE is needed");
  if (o->grammar[0] != '\0' && o->words[0] != '\0')
    return sn_cli_usage(cli, "--grammar and --words exclude each other");
  if (o->classes[0] != '\0' && o->lm[0] == '\0' &&
      (o->grammar[0] != '\0' || o->words[0] != '\0'))
    return sn_cli_usage(cli, "--class needs --lm");
  inputs in = {0};
  const sn_status s = build(cli, o, &in);
  sn_am_destroy(in.am);
  sn_lexicon_clear(&in.lex);
  sn_ngram_destroy(in.lm);
  sn_grammar_clear(&in.grammar);
  sn_word_classes_clear(&in.classes);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_graph_build = {
    .name = "graph build",
    .synopsis =
        "--model=DIR [--lexicon=FILE] [--lm=FILE | --grammar=FILE | "
        "--words=FILE] [--class=NAME=FILE,...] -o OUT",
    .summary = "compile a search graph",
    .description =
        "Puts acoustic model, lexicon and language model (or grammar, or word "
        "list) together into the graph that the decoder searches. Give "
        "--grammar or --words beside --lm to add phrases (or whole sentences: "
        "--grammar-place) to a language model; --class where its text has "
        "words "
        "like $CITY for a list of them. "
        "docs/graph.md tells how costs are put together.",
    .example =
        "senone graph build --model=en-us --lexicon=lexicon.db "
        "--grammar=/usr/share/pocketsphinx/test/data/cards/cards.gram "
        "-o cards.sng\n"
        "printf 'go forward $NUMBER meters\\n' | "
        "senone lm estimate --method=wb -o go.arpa\n"
        "printf 'ten\\ntwenty five\\n' >numbers.txt\n"
        "senone graph build --model=en-us --lexicon=lexicon.db "
        "--lm=go.arpa --class=NUMBER=numbers.txt -o go.sng",
    .tables = {{build_table, sizeof(build_opts)},
               {sn_graph_opt_table, sizeof(sn_graph_opts)}},
    .shorts = "m=model o=output",
    .run = run_build};

/* ---- info ---- */

static int run_info(sn_cli *cli) {
  sn_graph *g = NULL;
  if (sn_graph_open(cli->args[0], &g, &cli->err) != SN_OK ||
      sn_graph_verify(g, &cli->err) != SN_OK) {
    sn_graph_destroy(g);
    return sn_cli_fail(cli);
  }
  sn_graph_summary x;
  sn_graph_summarise(g, &x);
  const char *value = NULL;
  const char *key;
  for (size_t i = 0; (key = sn_graph_meta_at(g, i, &value)) != NULL; i++)
    sn_cli_print(cli, "%-18s%s\n", key, value);
  const struct {
    const char *name;
    int64_t n;
  } rows[] = {{"states", g->n_states},
              {"  without label", x.n_junctions},
              {"  begin a phone", x.n_entry},
              {"  final", x.n_final},
              {"emitting arcs", g->n_emit},
              {"epsilon arcs", g->n_eps},
              {"  with a word", x.n_outputs},
              {"labels", g->n_labels},
              {"pdfs", g->n_pdfs},
              {"words", g->n_words},
              {"phones", g->n_phones},
              {"blocks", g->n_blocks},
              {"bytes", x.n_bytes}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    sn_cli_print(cli, "%-18s%lld\n", rows[i].name, (long long)rows[i].n);
  sn_cli_print(cli,
               "states with 0, 1, 2, 3-9, 10+ emitting arcs: %lld %lld %lld "
               "%lld %lld (most: %lld; epsilon arcs: %lld)\n",
               (long long)x.by_emit[0], (long long)x.by_emit[1],
               (long long)x.by_emit[2], (long long)x.by_emit[3],
               (long long)x.by_emit[4], (long long)x.max_emit,
               (long long)x.max_eps);
  sn_graph_destroy(g);
  return sn_cli_finish(cli, SN_EXIT_OK);
}

const sn_command sn_cmd_graph_info = {
    .name = "graph info",
    .synopsis = "GRAPH",
    .summary = "sizes and origin of a search graph",
    .example = "senone graph info cards.sng",
    .min_args = 1,
    .max_args = 1,
    .run = run_info};

/* ---- check ---- */

static int run_check(sn_cli *cli) {
  int status = SN_EXIT_OK;
  for (size_t i = 0; i < cli->n_args; i++) {
    sn_graph *g = NULL;
    sn_err_clear(&cli->err);
    if (sn_graph_open(cli->args[i], &g, &cli->err) == SN_OK &&
        sn_graph_verify(g, &cli->err) == SN_OK)
      sn_cli_print(cli, "%s: ok, %d blocks\n", cli->args[i], g->n_blocks);
    else
      status = sn_cli_fail(cli);
    sn_graph_destroy(g);
  }
  return sn_cli_finish(cli, status);
}

const sn_command sn_cmd_graph_check = {
    .name = "graph check",
    .synopsis = "GRAPH ...",
    .summary = "verify every byte of search graphs",
    .description =
        "The decoder verifies the blocks of a graph when it first comes to "
        "them. This verifies all: checksums, indices, and that no epsilon "
        "arcs form a circle.",
    .example = "senone graph check cards.sng",
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_check};

/* ---- draw ---- */

typedef struct draw_opts {
  int32_t max_states;
} draw_opts;

static const sn_opt draw_table[] = {
    {"max-states", SN_OPT_INT, offsetof(draw_opts, max_states), 2000, 1, 1e6,
     NULL, "states", "refuse larger graphs"},
    SN_OPT_END};

static int run_draw(sn_cli *cli) {
  const draw_opts *const o = cli->opts[0];
  sn_graph *g = NULL;
  sn_str text = {0};
  sn_status s = sn_graph_open(cli->args[0], &g, &cli->err);
  if (s == SN_OK) s = sn_graph_verify(g, &cli->err);
  if (s == SN_OK) s = sn_graph_draw(g, o->max_states, &text, &cli->err);
  if (s == SN_OK) sn_cli_print(cli, "%s", sn_str_get(&text));
  sn_str_clear(&text);
  sn_graph_destroy(g);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_graph_draw = {
    .name = "graph draw",
    .synopsis = "[--max-states=N] GRAPH",
    .summary = "a small search graph in Graphviz's language",
    .description =
        "States show phone, HMM state, position in the word and pdf; dashed "
        "arcs are epsilon arcs. Pipe it into dot -Tsvg.",
    .example = "senone graph draw cards.sng",
    .tables = {{draw_table, sizeof(draw_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_draw};
