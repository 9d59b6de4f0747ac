/* SPDX-License-Identifier: Apache-2.0 */
/* tests/api/fixture.h - a small model in a scratch folder: Debian's en-us
 * acoustic model, the words of the card game, their grammar. */
#ifndef SN_TESTS_API_FIXTURE_H
#define SN_TESTS_API_FIXTURE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "am/am.h"
#include "base/io.h"
#include "base/mem.h"
#include "graphs/build.h"
#include "lexicon/formats.h"
#include "lexicon/store.h"
#include "lm/grammar.h"
#include "tests/ref/temp_path.h"

#define SPHINX_MODEL "/usr/share/pocketsphinx/model/en-us/en-us"
#define SPHINX_CARDS "/usr/share/pocketsphinx/test/data/cards"

static const char cards_dict[] =
    "ace EY S\ntwo T UW\nthree TH R IY\nfour F AO R\nfive F AY V\n"
    "six S IH K S\nseven S EH V AH N\neight EY T\nnine N AY N\nten T EH N\n"
    "jack JH AE K\nqueen K W IY N\nking K IH NG\nlady L EY D IY\nof AH V\n"
    "clubs K L AH B Z\nhearts HH AA R T S\ndiamonds D AY M AH N D Z\n"
    "spades S P EY D Z\n";

typedef struct fixture {
  char dir[64];      /* the model */
  char graph[80];    /* its graph file */
  int16_t *cards[5]; /* the five recordings */
  size_t n_cards[5];
} fixture;

static const char *const cards_text[5] = {
    "ten of clubs", "four queen of clubs", "seven of clubs", "five five",
    "eight of spades four of clubs seven of hearts"};

static void fixture_need(sn_status s, const sn_err *err) {
  if (s == SN_OK) return;
  fprintf(stderr, "fixture: %s\n", err->msg);
  exit(1);
}

/* Samples of a 16-bit wav with a 44-byte header. */
static void fixture_read_wav(const char *path, int16_t **samples, size_t *n) {
  char *data = NULL;
  size_t bytes = 0;
  sn_err err = {0};
  fixture_need(sn_file_read(path, &data, &bytes, &err), &err);
  *n = (bytes - 44) / 2;
  *samples = malloc(*n * 2);
  if (*samples == NULL) exit(1);
  memcpy(*samples, data + 44, *n * 2);
  sn_free(data);
}

/* Ends the program with 77, saying why, without Debian's packages. */
static void fixture_init(fixture *f) {
  if (!sn_file_exists(SPHINX_MODEL "/mdef") ||
      !sn_file_exists(SPHINX_CARDS "/001.wav")) {
    printf(
        "skipped: needs the packages pocketsphinx-en-us and "
        "pocketsphinx-testdata\n");
    exit(77);
  }
  memset(f, 0, sizeof *f);
  temp_template(f->dir, sizeof f->dir, "api");
  if (mkdtemp(f->dir) == NULL) exit(1);
  (void)snprintf(f->graph, sizeof f->graph, "%s/graph.sng", f->dir);
  sn_err err = {0};
  sn_am *am = NULL;
  sn_lexicon lex = {0};
  sn_store *store = NULL;
  sn_grammar grammar = {0};
  char path[80];
  (void)snprintf(path, sizeof path, "%s/lexicon.db", f->dir);
  fixture_need(sn_am_import_sphinx(SPHINX_MODEL, f->dir, NULL, NULL, &err),
               &err);
  fixture_need(sn_am_load(f->dir, NULL, &am, &err), &err);
  fixture_need(sn_lexicon_read_memory(cards_dict, sizeof cards_dict - 1,
                                      "cards", NULL, NULL, &lex, NULL, &err),
               &err);
  fixture_need(sn_store_open(path, SN_STORE_CREATE, &store, &err), &err);
  const sn_import_opts import = {SN_SOURCE_BASE, "cards", SN_ENTRY_APPROVED,
                                 true};
  fixture_need(sn_store_import(store, &lex, &import, NULL, NULL, &err), &err);
  sn_store_destroy(store);
  fixture_need(
      sn_grammar_load_jsgf(SPHINX_CARDS "/cards.gram", NULL, &grammar, &err),
      &err);
  sn_graph_opts o;
  sn_opt_defaults(sn_graph_opt_table, &o);
  fixture_need(
      sn_graph_build(am, &lex, NULL, &grammar, &o, NULL, f->graph, NULL, &err),
      &err);
  sn_grammar_clear(&grammar);
  sn_lexicon_clear(&lex);
  sn_am_destroy(am);
  for (int i = 0; i < 5; i++) {
    (void)snprintf(path, sizeof path, SPHINX_CARDS "/00%d.wav", i + 1);
    fixture_read_wav(path, &f->cards[i], &f->n_cards[i]);
  }
}

static void fixture_clear(fixture *f) {
  for (int i = 0; i < 5; i++) free(f->cards[i]);
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
  if (system(command) != 0) fprintf(stderr, "left behind: %s\n", f->dir);
}
#endif
